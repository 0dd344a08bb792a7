package sink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/sink/retry"
)

// RunnerConfig bounds requests and the waits between them.
type RunnerConfig struct {
	// Most events that one request to the destination holds.
	RequestEvents int `yaml:"request_events"`
	// First wait after the destination did not take events; waits double from it.
	RetryFirst time.Duration `yaml:"retry_first"`
	// Longest wait before the destination is tried again, unless it asks for a longer one.
	RetryLongest time.Duration `yaml:"retry_longest"`
}

// DefaultRunnerConfig returns the defaults.
func DefaultRunnerConfig() RunnerConfig {
	return RunnerConfig{RequestEvents: 1000, RetryFirst: 100 * time.Millisecond, RetryLongest: 30 * time.Second}
}

// Validate joins all faults.
func (c RunnerConfig) Validate() error {
	var errs []error
	if c.RequestEvents < 1 {
		errs = append(errs, config.Invalid("request_events", "%d; a request holds at least 1 event", c.RequestEvents))
	}
	if c.RetryFirst <= 0 {
		errs = append(errs, config.Invalid("retry_first", "%s; it must be above 0s", c.RetryFirst))
	}
	if c.RetryLongest < c.RetryFirst {
		errs = append(errs, config.Invalid("retry_longest", "%s is below retry_first, which is %s", c.RetryLongest, c.RetryFirst))
	}
	return errors.Join(errs...)
}

// DeadRow is an event that its destination will never take, with all that is needed to bring it back.
type DeadRow struct {
	Row      Row // Row.Batch.Origin says where it was read from
	EventID  schema.EventID
	Document []byte // nested ECS JSON
	Reason   string // the destination's words
}

// DeadLetter puts events aside for good, and returns nil once they are stored.
type DeadLetter func(ctx context.Context, rows []DeadRow) error

// Runner delivers a lane's batches to its sink: it forms requests, retries what was not taken for as long
// as it takes, and puts aside what is refused. Several partitions of a lane may deliver at once, if the
// sink allows it; each holds one request in memory and blocks meanwhile, which is the lane's back-pressure.
type Runner struct {
	name    string
	sink    Sink
	config  RunnerConfig
	dead    DeadLetter
	health  *health
	metrics *Metrics
}

// NewRunner returns the runner of the lane called name.
func NewRunner(name string, s Sink, cfg RunnerConfig, dead DeadLetter, log *slog.Logger, m *Metrics) *Runner {
	return &Runner{name: name, sink: s, config: cfg, dead: dead, metrics: m, health: &health{log: log.With("lane", name), down: m.down.WithLabelValues(name).Set}}
}

// Deliver returns once every row of every batch has its final verdict: one tally a batch, in their order.
// keep chooses the rows that the lane is for; nil is all of them. Its only errors are ctx's; then the
// batches are to be delivered again.
func (r *Runner) Deliver(ctx context.Context, batches []*Batch, keep func(Row) bool) ([]Tally, error) {
	tallies := newTallies(batches)
	request := make([]Row, 0, r.config.RequestEvents)
	bytes := 0
	for _, b := range batches {
		most := mostBytes(b)
		for row := range b.Rows() {
			if keep != nil && !keep(row) {
				tallies[b].Filtered[row.KindName()]++
				continue
			}
			request, bytes = append(request, row), bytes+most
			if len(request) < r.config.RequestEvents && bytes < requestBytes {
				continue
			}
			if err := r.settle(ctx, request, tallies); err != nil {
				return nil, err
			}
			request, bytes = request[:0], 0
		}
	}
	if err := r.settle(ctx, request, tallies); err != nil {
		return nil, err
	}
	return r.closed(batches, tallies), nil
}

// requestBytes bounds the documents of one request, whatever a hostile host makes its events name: above what
// request_events of honest ones come to.
const requestBytes = 64 << 20

// mostBytes is how large a document of the batch can be, about: it names a few texts, each of them escaped.
func mostBytes(b *Batch) int {
	const rest, texts, escaped = 8 << 10, 4, 2
	longest := uint32(0)
	if sizes := b.Proto().GetDictionary().GetSize(); len(sizes) > 0 {
		longest = slices.Max(sizes)
	}
	return rest + texts*escaped*int(longest)
}

// closed lists the tallies in the order of batches, and counts them.
func (r *Runner) closed(batches []*Batch, tallies tallies) []Tally {
	list := make([]Tally, len(batches))
	for i, b := range batches {
		list[i] = *tallies[b]
		r.metrics.counted(r.name, list[i])
	}
	return list
}

// settle offers rows until each has its final verdict. It reuses the slice.
func (r *Runner) settle(ctx context.Context, rows []Row, tallies tallies) error {
	schedule := retry.New(r.limits())
	for len(rows) > 0 {
		a, err := r.offer(ctx, rows, tallies)
		if err != nil {
			return err
		}
		if err := r.bury(ctx, a.dead); err != nil {
			return err
		}
		tallies.buried(a.dead)
		if len(a.again) == 0 {
			r.health.well(time.Now())
			return nil
		}
		if len(a.again) < len(rows) {
			schedule.Progress()
		}
		r.trouble(a.reason)
		r.metrics.retried(r.name, len(a.again))
		if err := pause(ctx, schedule.Next(a.after, rand.Float64())); err != nil {
			return err
		}
		rows = a.again
	}
	return nil
}

// offer makes one attempt. Its only error is ctx's, with nothing taken.
func (r *Runner) offer(ctx context.Context, rows []Row, tallies tallies) (answer, error) {
	start := time.Now()
	verdicts, err := r.sink.Deliver(ctx, rows)
	switch {
	case err != nil && ctx.Err() != nil:
		return answer{}, ctx.Err()
	case err != nil:
		r.metrics.attempted(r.name, "error", time.Since(start))
		return answer{again: rows, reason: err.Error()}, nil
	case len(verdicts) != len(rows):
		panic(fmt.Sprintf("sink: %T gave %d verdicts for %d rows", r.sink, len(verdicts), len(rows)))
	}
	r.metrics.attempted(r.name, "answered", time.Since(start))
	return tallies.divide(rows, verdicts), nil
}

// bury hands refused rows to the dead letters, a few at a time: their documents are made for that alone.
func (r *Runner) bury(ctx context.Context, rows []DeadRow) error {
	for len(rows) > 0 {
		n := render(rows)
		if err := r.putAside(ctx, rows[:n]); err != nil {
			return err
		}
		for i := range rows[:n] {
			rows[i].Document = nil
		}
		rows = rows[n:]
	}
	return nil
}

// deadBytes is how many bytes of documents are put aside at once, about.
const deadBytes = 1 << 20

// render makes the documents of the first rows, and returns of how many.
func render(rows []DeadRow) int {
	size := 0
	for i := range rows {
		rows[i].Document = rows[i].Row.Document(nil)
		if size += len(rows[i].Document); size >= deadBytes {
			return i + 1
		}
	}
	return len(rows)
}

// putAside tries for as long as it takes: a row that is in neither place would be lost.
func (r *Runner) putAside(ctx context.Context, rows []DeadRow) error {
	schedule := retry.New(r.limits())
	for {
		err := r.dead(ctx, rows)
		if err == nil {
			return nil
		}
		r.trouble("dead letters: " + err.Error())
		if err := pause(ctx, schedule.Next(0, rand.Float64())); err != nil {
			return err
		}
	}
}

func (r *Runner) limits() retry.Limits {
	return retry.Limits{First: r.config.RetryFirst, Longest: r.config.RetryLongest}
}

func (r *Runner) trouble(reason string) { r.health.trouble(time.Now(), reason) }

// Close flushes and closes the sink.
func (r *Runner) Close() error {
	if err := r.sink.Close(); err != nil {
		return fmt.Errorf("close lane %s: %w", r.name, err)
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
