package collector

import (
	"context"
	"slices"
	"time"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/internal/host"
)

// counting is what became of the counts that counted kinds keep in the kernel. A count is told once: the progress
// that is saved with its batch names its key, and only then it is dropped.
type counting struct {
	hooks hooks
	every time.Duration
	due   time.Time
	told  []bpf.Counted // rows of the draft, in the order of their keys
}

// last returns the key of the last count that is in the draft, or that was told before.
func (c *counting) last(before *bpf.CountKey) *bpf.CountKey {
	if len(c.told) == 0 {
		return before
	}
	return &c.told[len(c.told)-1].Key
}

// stored drops what was told.
func (c *counting) stored() error {
	defer func() { c.told = c.told[:0] }()
	return c.hooks.DropCounts(c.told)
}

// summarise makes rows of everything that was counted until now.
func (l *loop) summarise(ctx context.Context) error {
	l.counting.due = time.Now().Add(l.counting.every)
	all, err := l.counting.hooks.Counts()
	if err != nil {
		return err
	}
	for len(all) > 0 {
		n := sameSeries(all)
		if err := l.summary(ctx, all[:n]); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// sameSeries returns how many of the first counts make one row.
func sameSeries(all []bpf.Counted) int {
	series := all[0].Key.Series()
	n := slices.IndexFunc(all, func(c bpf.Counted) bool { return c.Key.Series() != series })
	if n < 0 {
		return len(all)
	}
	return n
}

// summary makes a row of what was counted, or drops it where a run before had stored that and was killed.
func (l *loop) summary(ctx context.Context, series []bpf.Counted) error {
	if told := l.stored.Counted; told != nil && series[0].Key.Compare(*told) <= 0 {
		return l.counting.hooks.DropCounts(series)
	}
	if last := l.counting.last(nil); last != nil && series[0].Key.Compare(*last) <= 0 {
		return nil // it is in the draft, which is not stored yet
	}
	if err := l.filler.Summary(series, host.Now()); err != nil {
		return err
	}
	l.counting.told = append(l.counting.told, series...)
	if l.draft.Full(l.now) {
		return l.seal(ctx, ledgerNone)
	}
	return nil
}
