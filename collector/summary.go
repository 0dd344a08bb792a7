package collector

import (
	"context"
	"time"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/internal/host"
)

// counting is what became of the counts that counted kinds keep in the kernel. A count is told once: the progress
// that is saved with its batch names its key, and only then it is dropped.
type counting struct {
	hooks hooks
	every time.Duration
	due   time.Time
	told  []attach.Counted // rows of the draft, in the order of their keys
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
	for _, c := range all {
		if err := l.summary(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// summary makes a row of what was counted by one key, or drops it where a run before had stored that and was killed.
func (l *loop) summary(ctx context.Context, c attach.Counted) error {
	if told := l.stored.Counted; told != nil && c.Key.Compare(*told) <= 0 {
		return l.counting.hooks.DropCounts([]attach.Counted{c})
	}
	if err := l.filler.Summary(c.Key, c.Count, host.Now()); err != nil {
		return err
	}
	l.counting.told = append(l.counting.told, c)
	if l.draft.Full(l.now) {
		return l.seal(ctx, ledgerNone)
	}
	return nil
}
