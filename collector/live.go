package collector

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/fill"
	"github.com/weirproject/weir/collector/names"
	"github.com/weirproject/weir/collector/process"
	"github.com/weirproject/weir/collector/ring"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/host"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// Live takes some kinds of events from the hooks to whoever looks on, by the collector's own parts, and keeps
// nothing: neither pins nor a spool, nor a key. It is for one goroutine.
type Live struct {
	hooks  *attach.Attachment
	ring   *ring.Reader
	table  *process.Table
	draft  *batch.Draft
	chain  *batch.Chain
	filler *fill.Filler
	kinds  []*schema.Kind
	show   func(*batch.Batch) error
	err    error // of a show within a read
}

// NewLive attaches the kinds' hooks, and those that processes are known by. It fails where a kind has no rung, and
// takes one that has a price.
func NewLive(kinds []*schema.Kind, log *slog.Logger) (*Live, error) {
	l := &Live{kinds: kinds, table: process.NewTable(int(16 * config.MiB))}
	if err := l.open(log); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Live) open(log *slog.Logger) (err error) {
	cfg := attach.Default()
	cfg.Log = log
	cfg.Kinds = slices.DeleteFunc(bpf.Kinds(), func(k bpf.Kind) bool { return !feedsTable(k) && !l.wants(k) })
	// Whoever asks for a kind by name, and looks on, buys it for so long.
	cfg.Bought = slices.DeleteFunc(bpf.Kinds(), func(k bpf.Kind) bool { return !l.wants(k) })
	if l.hooks, err = attach.New(cfg); err != nil {
		return err
	}
	coverage := l.hooks.Coverage()
	for _, c := range coverage {
		if c.Rung != nil && c.Rung.Price != "" {
			log.Warn("hook has a price while it is there", "kind", c.Kind, "rung", c.Rung, "price", c.Rung.Price)
		}
		if l.wants(c.Kind) && c.Rung == nil {
			return cli.WithHint(fmt.Errorf("%s has no rung on this kernel: %s", c.Kind, rungOrReason(c)), "weir hooks tells more")
		}
	}
	if l.ring, err = ring.Open(l.hooks.Ring()); err != nil {
		return err
	}
	return l.openDraft(coverage)
}

func (l *Live) wants(k bpf.Kind) bool {
	return slices.ContainsFunc(l.kinds, func(s *schema.Kind) bool { return s.Name == k.String() })
}

// openDraft makes batches that are good for this process alone: signed by a key that nobody keeps.
func (l *Live) openDraft(coverage []attach.Coverage) error {
	public, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	header, err := host.Describe(public)
	if err != nil {
		return err
	}
	id := l.hooks.ID()
	header.AttachmentId, header.WeirVersion = id[:], cli.Version()
	l.chain = batch.NewChain(key, newRunID())
	l.draft = batch.NewDraft(header, batch.DefaultLimits())
	secrets := Default().Redact
	redactor, err := secrets.redactor()
	if err != nil {
		return err
	}
	l.filler = fill.New(l.draft, l.table, fill.Config{
		Events: l.kinds, Rungs: rungs(coverage), Names: names.New(), Cgroups: l.hooks, Redactor: redactor,
	})
	return nil
}

// Run hands show what happens, ten times a second, until ctx ends or show fails. Then it detaches the hooks, and
// shows what they have left in the ring.
func (l *Live) Run(ctx context.Context, show func(*batch.Batch) error) error {
	l.show = show
	if err := seed(l.hooks, l.filler, l.table); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if err := l.step(ctx, readInterval); err != nil {
			return errors.Join(err, l.hooks.Detach())
		}
	}
	return errors.Join(l.hooks.Detach(), l.step(context.WithoutCancel(ctx), 0))
}

func (l *Live) step(ctx context.Context, wait time.Duration) error {
	l.filler.SetTime(time.Now(), host.Now())
	_, end, err := l.ring.Read(ctx, wait, l.sample)
	if err := errors.Join(l.err, err, l.flush()); err != nil {
		return err
	}
	l.ring.Release(end)
	l.table.Expire(host.Now())
	return nil
}

func (l *Live) sample(sample []byte, end uint64) (more bool) {
	if err := bpf.Dispatch(sample, l.filler); err != nil {
		l.err = fmt.Errorf("read ring: %w", err)
		return false
	}
	if l.draft.Full(host.Now()) {
		l.err = l.flush()
		l.ring.Release(end)
	}
	return l.err == nil
}

func (l *Live) flush() error {
	if l.draft.Empty() {
		return nil
	}
	sealed, err := l.draft.Seal(l.chain, batch.Times{Boot: host.BootedAt(), Sealed: time.Now()})
	if err != nil {
		return err
	}
	b, err := batch.Read(sealed.Record, batch.DefaultReadLimits())
	if err != nil {
		return err
	}
	return l.show(b)
}

// LiveSums is what became of a kind's events. Once Run has returned, sent is read.
type LiveSums struct {
	attach.KindSums
	Read uint64 // from the ring, and shown
}

// Sums returns the sums of the kinds that are looked at.
func (l *Live) Sums() ([]LiveSums, error) {
	counters, err := l.hooks.Counters()
	if err != nil {
		return nil, err
	}
	var sums []LiveSums
	for _, k := range counters.Kinds {
		if kind, ok := schema.KindByName(k.Kind.String()); ok && l.wants(k.Kind) {
			sums = append(sums, LiveSums{k, l.filler.Counts(kind).Rows})
		}
	}
	return sums, nil
}

// Missed tells how often the kernel did not run the programs that give the kinds, as another was under way; known is
// false where it does not count.
func (l *Live) Missed() (missed uint64, known bool, err error) {
	counters, err := l.hooks.Counters()
	known = true
	for _, p := range counters.Programs {
		missed += p.Missed
		known = known && !p.MissedUnknown
	}
	return missed, known, err
}

// Close ends it, whether it ran or not.
func (l *Live) Close() error {
	var errs []error
	if l.ring != nil {
		errs = append(errs, l.ring.Close())
	}
	if l.hooks != nil {
		errs = append(errs, l.hooks.Close())
	}
	return errors.Join(errs...)
}
