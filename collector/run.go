package collector

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/cilium/ebpf"
	"google.golang.org/protobuf/proto"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/executable/digest"
	"github.com/weirproject/weir/collector/fill"
	"github.com/weirproject/weir/collector/names"
	"github.com/weirproject/weir/collector/ring"
	"github.com/weirproject/weir/collector/spool"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// hooks are what a run reads from: this build's attachment, or a former one.
type hooks interface {
	ID() schema.AttachmentID
	Since() schema.BootTime
	Ring() *ebpf.Map
	Counters() (attach.Counters, error)
	Progress() ([]byte, error)
	SetProgress(text []byte) error
	Cgroup(key bpf.CgroupKey) (bpf.CgroupPath, bool)
	Doze() error
	Counts() ([]bpf.Counted, error)
	DropCounts(told []bpf.Counted) error
	Detach() error
	End() error
}

// source is a run's hooks, and how to read what they tell.
type source struct {
	hooks
	ring     *ring.Reader
	rungs    map[bpf.Kind]string
	coverage []byte
	files    *digest.Digester // nil: files are not read
	foreign  *foreign         // nil: this build has attached them
}

func (c *Collector) source() source {
	coverage := c.hooks.Coverage()
	return source{hooks: c.hooks, ring: c.ring, rungs: rungs(coverage), coverage: coverageText(coverage), files: c.files}
}

// newLoop begins a run: batches of one numbering and one chain, over one attachment.
func (c *Collector) newLoop(s source) (*loop, error) {
	draft := batch.NewDraft(headerOf(c.header, s.ID()), c.cfg.limits())
	events, err := c.events()
	if err != nil {
		return nil, err
	}
	before, err := c.resume(s)
	if err != nil {
		return nil, err
	}
	redactor, err := c.cfg.Redact.redactor()
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	filling := fill.Config{
		Events: events, Rungs: s.rungs, Names: names.New(), Cgroups: s.hooks,
		Redactor: redactor, Environment: variables(c.cfg.Environment),
	}
	if s.files != nil {
		filling.Files = s.files
	}
	filler := fill.New(draft, c.table, filling)
	self := newSelf(draft)
	return &loop{
		log:       c.log,
		ring:      s.ring,
		filler:    filler,
		files:     s.files,
		foreign:   s.foreign,
		table:     c.table,
		draft:     draft,
		chain:     batch.NewChain(c.key, newRunID()),
		spool:     c.spool,
		self:      self,
		sums:      newSums(s.hooks, filler, self, c.table, before.Kinds),
		counting:  &counting{hooks: s.hooks, every: c.cfg.Summary},
		coverage:  s.coverage,
		heartbeat: c.cfg.Heartbeat,
		age:       c.cfg.Batch.Age,
		metrics:   c.metrics,
		save:      s.SetProgress,
		release:   s.ring.Release,
		doze:      s.Doze,
		stored:    before,
		covered:   before.Position,
		read:      s.ring.Released(),
	}, nil
}

func headerOf(common *weirv1.Header, id schema.AttachmentID) *weirv1.Header {
	h := proto.CloneOf(common)
	h.AttachmentId = id[:]
	return h
}

func newRunID() (id schema.RunID) {
	rand.Read(id[:])
	return id
}

// events are the kinds that become rows.
func (c *Collector) events() (events []*schema.Kind, err error) {
	for _, name := range c.cfg.Kinds {
		kind, ok := schema.KindByName(string(name))
		if !ok {
			return nil, fmt.Errorf("kind %s: not known", name)
		}
		events = append(events, kind)
	}
	return events, nil
}

// resume finds where the run before left off, and notes it: the spool's last batch tells only until the next one is
// stored, be it of another attachment.
func (c *Collector) resume(s source) (state, error) {
	text, err := s.Progress()
	if err != nil {
		return state{}, err
	}
	p, err := decodeProgress(text)
	if err != nil {
		return state{}, err
	}
	before := p.resume(c.last, s.ring.Released())
	if len(text) > 0 {
		c.log.Info("attachment goes on", "attachment", s.ID(), "run", before.Run, "batch", before.Batch, "ring_bytes", s.ring.Pending())
	}
	if p.Next == nil {
		return before, nil
	}
	if text, err = (progress{Stored: before}).encode(); err != nil {
		return state{}, err
	}
	return before, s.SetProgress(text)
}

// collect runs the loop, and stops it in good order when ctx has ended. What stands in the way of it leaves the
// attachment as a kill would, and the next run goes on with it.
func (c *Collector) collect(ctx context.Context, l *loop) error {
	c.collecting = true
	if err := c.readFormers(ctx, l.covered); err != nil {
		return err
	}
	if err := seed(c.hooks, l.filler, c.table); err != nil {
		return err
	}
	// What it took to read the kernel's types, to load and to seed was several times what collecting takes.
	debug.FreeOSMemory()
	err := l.run(ctx, c.previous())
	if errors.Is(err, spool.ErrDiskFull) {
		err = nil // ctx ended the wait: the last of it is drain's
	}
	if err != nil && c.hooks.Kept() {
		return errors.Join(err, c.endUnreadable(err))
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.StopTimeout)
	defer cancel()
	reason := "error"
	if cause := context.Cause(ctx); cause != nil {
		reason = cause.Error()
	}
	if c.hooks.Kept() {
		return errors.Join(err, c.pause(stop, l, reason))
	}
	return errors.Join(err, finish(stop, c.hooks, l, reason))
}

// pause ends the run, and leaves the hooks to the next one: the ring bridges the time between.
func (c *Collector) pause(ctx context.Context, l *loop, reason string) error {
	if err := errors.Join(l.drain(ctx, reason, ledgerOpen), c.spool.Sync()); err != nil {
		return err
	}
	c.log.Info("hooks stay attached for the next start, and the ring holds what it has room for; weir-collector detach takes them off",
		"attachment", c.hooks.ID())
	return nil
}

// finish ends the attachment: what its ring holds is stored, and its books are closed.
func finish(ctx context.Context, h hooks, l *loop, reason string) error {
	if err := errors.Join(h.Detach(), l.drain(ctx, reason, ledgerClosing), l.spool.Sync()); err != nil {
		return err
	}
	return h.End()
}

// endUnreadable ends the attachment if the next run could not read its ring either.
func (c *Collector) endUnreadable(err error) error {
	_, damaged := errors.AsType[*ring.DamagedError](err)
	_, foreign := errors.AsType[*bpf.SampleError](err)
	if damaged || foreign {
		return c.hooks.End()
	}
	return nil
}

// previous is the chain hash of the last batch of the run before, nothing where there is none.
func (c *Collector) previous() []byte {
	if c.last.Last == 0 {
		return nil
	}
	return c.last.Hash[:]
}
