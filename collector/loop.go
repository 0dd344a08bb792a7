package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/executable/digest"
	"github.com/weirproject/weir/collector/fill"
	"github.com/weirproject/weir/collector/process"
	"github.com/weirproject/weir/collector/ring"
	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/host"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// How long samples may lie in the ring before the loop looks for itself: a quarter of a batch's age, and so four wakeups
// a second on a quiet host, but no less than readInterval. Where so many reads in a row found nothing, the loop dozes: then the next sample wakes it,
// or dozeInterval ends.
const (
	readInterval = 100 * time.Millisecond
	dozeAfter    = 3
	dozeInterval = time.Second
)

// filesWait is how long a batch that is due by its age waits for files that are being read, so that the exec event of a
// new file has its hash. A batch that is due by its size does not wait.
const filesWait = 50 * time.Millisecond

// diskRetry is how often a full disk is tried again.
const diskRetry = time.Second

// loop takes samples from the ring to the spool, in one goroutine. It is the only user of the draft and of
// the process table.
type loop struct {
	log       *slog.Logger
	ring      *ring.Reader
	filler    *fill.Filler
	files     *digest.Digester // nil: files are not read
	foreign   *foreign         // nil: samples are of this build
	table     *process.Table
	draft     *batch.Draft
	chain     *batch.Chain
	spool     *spool.Spool
	self      *self
	sums      *sums
	counting  *counting
	coverage  []byte
	heartbeat time.Duration
	age       time.Duration // of a batch
	metrics   *metrics
	save      func(progress []byte) error
	release   func(position uint64)
	doze      func() error

	stored   state     // up to and with the last batch in the spool
	unstored *unstored // sealed behind it
	covered  uint64    // position in the ring up to which runs before have batched
	read     uint64    // position behind the last sample that was taken

	empty int // reads in a row that found nothing
	began time.Time
	now   schema.BootTime // at the begin of the step
	beat  time.Time       // when the next heartbeat is due
	err   error           // of a seal within a read
}

// begin is the run's first event; previous is the hash of the last batch of the run before.
func (l *loop) begin(previous []byte) {
	l.began = time.Now()
	l.beat = l.began.Add(l.heartbeat)
	l.counting.due = l.began.Add(l.counting.every)
	l.self.started(host.Now(), l.coverage, previous)
}

// run reads until ctx ends. What the ring still holds then is drain's.
func (l *loop) run(ctx context.Context, previous []byte) error {
	l.begin(previous)
	if err := l.seal(ctx, ledgerOpen); err != nil {
		return err
	}
	for ctx.Err() == nil {
		wait, err := l.interval()
		if err != nil {
			return err
		}
		if err := l.step(ctx, wait); err != nil {
			return err
		}
	}
	return nil
}

// interval says how long to wait for samples. What came before the kernel knew of the doze wakes nobody: it is looked
// for first.
func (l *loop) interval() (time.Duration, error) {
	if l.empty < dozeAfter || !l.draft.Empty() {
		return max(readInterval, l.age/4), nil
	}
	if err := l.doze(); err != nil {
		return 0, err
	}
	if l.ring.Pending() > 0 {
		return readInterval, nil
	}
	return dozeInterval, nil
}

// drain takes what the ring holds, and ends the run; with a closing ledger, once the hooks are detached.
func (l *loop) drain(ctx context.Context, reason string, mode ledgerMode) error {
	if err := l.store(ctx); err != nil {
		return err
	}
	l.err = nil // it was the spool's
	if err := l.step(ctx, 0); err != nil {
		return err
	}
	if err := l.summarise(ctx); err != nil {
		return err
	}
	l.self.stopped(host.Now(), reason)
	return l.seal(ctx, mode)
}

// step reads what is in the ring, and seals what is due.
func (l *loop) step(ctx context.Context, wait time.Duration) error {
	l.now = host.Now()
	l.filler.SetTime(time.Now(), l.now)
	n, end, err := l.ring.Read(ctx, l.untilDue(wait), func(sample []byte, end uint64) bool { return l.sample(ctx, sample, end) })
	if err := errors.Join(l.err, err); err != nil {
		return err
	}
	l.read = end
	if l.empty++; n > 0 {
		l.empty = 0
	}
	l.settleFiles()
	now := host.Now()
	l.table.Expire(now)
	switch {
	case !time.Now().Before(l.beat):
		return l.sendHeartbeat(ctx)
	case !time.Now().Before(l.counting.due):
		return l.summarise(ctx)
	case l.isDue(now):
		return l.seal(ctx, ledgerNone)
	case l.draft.Empty():
		return l.absorb()
	}
	return nil
}

// absorb releases what was read and fed the process table alone.
func (l *loop) absorb() error {
	if l.read <= l.stored.Position {
		l.release(l.read)
		return nil
	}
	stored := l.sums.state(l.stored.Run, l.stored.Batch, l.read)
	stored.Counted = l.stored.Counted
	if err := l.saveProgress(progress{Stored: stored}); err != nil {
		return err
	}
	l.stored = stored
	l.release(l.read)
	return nil
}

func (l *loop) saveProgress(p progress) error {
	text, err := p.encode()
	if err != nil {
		return err
	}
	return l.save(text)
}

// sample takes one sample. After an error the rest is left in the ring.
func (l *loop) sample(ctx context.Context, sample []byte, end uint64) (more bool) {
	if err := l.take(sample, end <= l.covered); err != nil {
		// The kernel's own bytes do not fit the object that they are of: nothing that follows can be trusted
		// either.
		l.err = fmt.Errorf("read ring: %w", err)
		return false
	}
	l.read = end
	if l.draft.Full(l.now) && l.draft.Crowded() {
		l.err = l.seal(ctx, ledgerNone)
	}
	return l.err == nil
}

// isDue reports whether the draft is to be sealed.
func (l *loop) isDue(now schema.BootTime) bool {
	if !l.draft.Full(now) || l.draft.Crowded() || !l.filler.Waits() {
		return l.draft.Full(now)
	}
	due, _ := l.draft.Due()
	return now >= due+schema.BootTime(filesWait.Microseconds())
}

// settleFiles takes what was found out about files meanwhile.
func (l *loop) settleFiles() {
	if l.files != nil {
		l.files.Settle()
	}
}

// take hands the sample to the filler; one that is covered is in a batch of the run before.
func (l *loop) take(sample []byte, covered bool) error {
	if l.foreign != nil {
		return l.foreign.take(l.filler, sample, covered)
	}
	return bpf.Dispatch(sample, l.filler.For(modeOf(covered)))
}

func modeOf(covered bool) fill.Mode {
	if covered {
		return fill.ForTable
	}
	return fill.ForRows
}

// untilDue shortens wait to the moment at which the draft is to be sealed.
func (l *loop) untilDue(wait time.Duration) time.Duration {
	due, ok := l.draft.Due()
	if !ok || wait == 0 {
		return wait
	}
	left := time.Duration(max(0, int64(due)-int64(host.Now()))) * time.Microsecond
	return max(time.Millisecond, min(wait, left))
}

func (l *loop) sendHeartbeat(ctx context.Context) error {
	l.beat = time.Now().Add(l.heartbeat) // one, however long the disk was full
	stats := l.spool.Stats()
	l.self.heartbeat(host.Now(), vitals{
		uptime:       time.Since(l.began),
		processes:    l.table.Len(),
		spoolBatches: stats.Batches,
		spoolBytes:   uint64(stats.Bytes),
		coverage:     l.coverage,
	})
	return l.seal(ctx, ledgerOpen)
}

// seal closes the draft's batch and puts it into the spool; then what was read of the ring belongs to the
// kernel again. It waits while the disk is full: meanwhile the ring fills, and what does not fit is in the ledger.
func (l *loop) seal(ctx context.Context, mode ledgerMode) error {
	l.tellLosses()
	l.settleFiles()
	l.filler.Complete()
	if mode != ledgerNone {
		snapshot, err := l.sums.ledger(mode)
		if err != nil {
			return err
		}
		l.draft.SetLedger(snapshot)
	}
	rows := l.draft.Rows()
	sealed, err := l.draft.Seal(l.chain, batch.Times{Boot: host.BootedAt(), Sealed: time.Now()})
	if err != nil {
		return err
	}
	next := l.sums.state(sealed.Run, sealed.Last, max(l.read, l.covered))
	next.Counted = l.counting.last(l.stored.Counted)
	if err := l.saveProgress(progress{Stored: l.stored, Next: &next}); err != nil {
		return err
	}
	l.metrics.sealed(rows, len(sealed.Record))
	l.unstored = &unstored{sealed, next, l.read}
	return l.store(ctx)
}

// unstored is a batch that the spool does not have yet. None is sealed before it has.
type unstored struct {
	batch batch.Sealed
	next  state
	read  uint64
}

// store puts the sealed batch into the spool, and gives what it holds of the ring back to the kernel.
func (l *loop) store(ctx context.Context) error {
	if l.unstored == nil {
		return nil
	}
	if err := l.append(ctx, l.unstored.batch); err != nil {
		return err
	}
	l.stored = l.unstored.next
	l.release(l.unstored.read)
	l.unstored = nil
	return l.counting.stored()
}

// tellLosses makes events of what the spool found damaged, and of samples that were not understood.
func (l *loop) tellLosses() {
	for _, loss := range l.spool.Losses() {
		l.self.loss(host.Now(), nil, 0, "spool", loss.Error())
	}
	if l.foreign != nil {
		l.foreign.tell(l.self, l.sums.lost)
	}
}

func (l *loop) append(ctx context.Context, sealed batch.Sealed) error {
	err := l.spool.Append(sealed)
	if err == nil || !errors.Is(err, spool.ErrDiskFull) {
		return err
	}
	l.log.Error("spool is stuck; the kernel's ring holds events until it is full", "error", err)
	for errors.Is(err, spool.ErrDiskFull) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d events of batch %d are not stored: %w", rowsOf(sealed), sealed.Last, err)
		case <-time.After(diskRetry):
		}
		err = l.spool.Append(sealed)
	}
	if err == nil {
		l.log.Info("spool goes on")
	}
	return err
}

func rowsOf(sealed batch.Sealed) (rows uint32) {
	for _, g := range sealed.Rows {
		rows += g.GetRows()
	}
	return rows
}

// kernelKinds are the kinds that the kernel side gives.
func kernelKinds() []*schema.Kind {
	var kinds []*schema.Kind
	for _, k := range bpf.Kinds() {
		if kind, ok := schema.KindByName(k.String()); ok {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}
