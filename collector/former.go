package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/fill"
	"github.com/weirproject/weir/collector/ring"
	"github.com/weirproject/weir/internal/host"
	"github.com/weirproject/weir/schema"
)

// Attachments of other builds and configurations: after an upgrade, a downgrade, a changed ring or other kinds. The
// new hooks are attached first, and then the former ones taken off, so that there is no moment without any; what both
// have told is left out of the former ones' (overlap). Their ring is then read to its end in a run of their own,
// whose ledger closes their books.

// Detach ends every attachment of cfg's name, of whatever build, once what its ring holds is stored, and publishes
// until the deadline that a stop has.
func Detach(ctx context.Context, cfg Config, log *slog.Logger) error {
	if cfg.Attachment == "" {
		log.Info("nothing is attached: without a name, hooks end with their process")
		return nil
	}
	formers, lease, err := attach.OpenFormers(cfg.attach(log))
	if err != nil {
		return err
	}
	defer lease.Close()
	if len(formers) == 0 {
		log.Info("nothing is attached", "attachment", cfg.Attachment)
		return nil
	}
	c := newCollector(cfg, log)
	if err := c.open(); err != nil {
		return errors.Join(err, c.Close())
	}
	err = c.stream(ctx, func(ctx context.Context) error { return c.readAll(ctx, formers, 0, "detach") })
	for _, f := range formers {
		err = errors.Join(err, f.Close())
	}
	return errors.Join(err, c.Close())
}

// readFormers reads what attachments of other builds and configurations have told, but for what this build's own ring
// holds behind the covered position.
func (c *Collector) readFormers(ctx context.Context, covered uint64) error {
	return c.readAll(ctx, c.hooks.Formers(), covered, "another build or configuration goes on")
}

// readAll opens all of them before it reads the first: resume.
func (c *Collector) readAll(ctx context.Context, formers []*attach.Former, covered uint64, reason string) (err error) {
	loops := make([]*loop, len(formers))
	for i, f := range formers {
		r, err := ring.Open(f.Ring())
		if err != nil {
			return formerError(f, err)
		}
		defer r.Close()
		if loops[i], err = c.newLoop(c.sourceOf(f, r)); err != nil {
			return formerError(f, err)
		}
	}
	for i, f := range formers {
		if err := c.readFormer(ctx, f, loops[i], covered, reason); err != nil {
			return formerError(f, err)
		}
	}
	return nil
}

func formerError(f *attach.Former, err error) error {
	return fmt.Errorf("attachment %s of another build or configuration: %w", f.ID(), err)
}

// sourceOf has files too: the processes that ran already are first seen here.
func (c *Collector) sourceOf(f *attach.Former, r *ring.Reader) source {
	names := f.Rungs()
	return source{
		hooks: f, ring: r, rungs: rungsByKind(names), coverage: rungsText(names), files: c.files,
		foreign: newForeign(f.Samples()),
	}
}

func (c *Collector) readFormer(ctx context.Context, f *attach.Former, l *loop, covered uint64, reason string) (err error) {
	if err := f.Detach(); err != nil {
		return err
	}
	if err := c.seedFormer(ctx, l, covered); err != nil {
		return err
	}
	stop, cancel := deadlineAfter(ctx, c.cfg.StopTimeout)
	defer cancel()
	l.begin(c.previous())
	if err := finish(stop, f, l, reason); err != nil {
		return err
	}
	c.log.Info("attachment of another build or configuration was read to its end, and is gone", "attachment", f.ID(), "batches", l.stored.Batch)
	c.last, _, err = c.spool.Last()
	return err
}

// deadlineAfter returns a context that ends so long after ctx has, and not before: a full disk is waited for.
func deadlineAfter(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		select {
		case <-time.After(timeout):
			cancel()
		case <-late.Done():
		}
	})
	return late, cancel
}

// seedFormer tells the loop which processes there are, and what this build's own hooks tell too: what lies in their
// ring, but for what is in a batch already.
func (c *Collector) seedFormer(ctx context.Context, l *loop, covered uint64) error {
	if c.hooks == nil {
		return nil
	}
	if err := seed(c.hooks, l.filler, c.table); err != nil {
		return err
	}
	own, err := ring.Open(c.hooks.Ring())
	if err != nil {
		return err
	}
	_, _, err = own.Read(ctx, 0, func(sample []byte, end uint64) bool {
		if end > covered {
			l.foreign.overlap.add(sample)
		}
		return true
	})
	return errors.Join(err, own.Close())
}

func rungsByKind(names map[string]string) map[bpf.Kind]string {
	rungs := make(map[bpf.Kind]string)
	for name, rung := range names {
		if kind, ok := bpf.KindNamed(name); ok {
			rungs[kind] = rung
		}
	}
	return rungs
}

func rungsText(names map[string]string) (text []byte) {
	for _, kind := range slices.Sorted(maps.Keys(names)) {
		text = append(text, kind+"="+names[kind]+"\x00"...)
	}
	return text
}

// foreign takes the samples of another build.
type foreign struct {
	converter *bpf.Converter
	overlap   overlap
	lost      map[string]uint64 // not understood and not told yet, by kind
}

func newForeign(c *bpf.Converter) *foreign {
	return &foreign{converter: c, overlap: overlap{identity: c.Identity, times: make(map[uint64][]uint64)}, lost: make(map[string]uint64)}
}

// take hands the filler what this build makes of the sample.
func (f *foreign) take(filler *fill.Filler, sample []byte, covered bool) error {
	converted, err := f.converter.Convert(sample)
	if unknown, ok := errors.AsType[*bpf.ForeignError](err); ok {
		f.lose(unknown.Kind, covered)
		return nil
	}
	if err != nil {
		return err
	}
	mode := modeOf(covered)
	if !covered && f.overlap.take(converted) {
		mode = fill.ForNext
	}
	head, err := bpf.HeadOf(converted)
	if err != nil {
		return err
	}
	if err := bpf.Dispatch(converted, filler.For(mode)); err != nil {
		f.lose(bpf.Kind(head.Kind).String(), covered) // its variable parts are not as here
	}
	return nil
}

func (f *foreign) lose(kind string, covered bool) {
	if !covered {
		f.lost[kind]++
	}
}

// tell makes events of what was not understood, and adds it to the sums.
func (f *foreign) tell(s *self, lost map[string]uint64) {
	for _, name := range slices.Sorted(maps.Keys(f.lost)) {
		kind, _ := schema.KindByName(name)
		s.loss(host.Now(), kind, f.lost[name], "ring", "of another build, which tells this kind otherwise: "+name)
		lost[name] += f.lost[name]
	}
	clear(f.lost)
}
