// Package collector is what runs on each machine: it takes events from the kernel's hooks to Kafka.
//
//	hooks ─► ring ─► loop ─► spool ─► publisher ─► weir.batches
//	(attach) (ring)  │ fill, process, batch        (publish)
//	         ◄───────┘ release
//
// Collector.Run is the tree of its goroutines: the loop, the spool's syncer, the publisher, telemetry. They
// share the spool alone. Shutdown follows the stream: detach the hooks, drain the ring, seal, sync, publish
// until a deadline; what is not published by then is published by the next run.
//
// It knows nothing of sinks, of enrichment, nor of what a SIEM shows.
package collector

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/executable/digest"
	"github.com/weirproject/weir/collector/fill"
	"github.com/weirproject/weir/collector/names"
	"github.com/weirproject/weir/collector/process"
	"github.com/weirproject/weir/collector/publish"
	"github.com/weirproject/weir/collector/ring"
	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/internal/host"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/internal/telemetry"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// Collector is one run on this machine.
type Collector struct {
	cfg      Config
	log      *slog.Logger
	key      ed25519.PrivateKey
	header   *weirv1.Header
	chain    *batch.Chain
	spool    *spool.Spool
	kafka    *kafka.Client
	hooks    *attach.Attachment
	ring     *ring.Reader
	last     batch.Sealed // of the run before
	registry *prometheus.Registry
	health   *telemetry.Health

	collecting bool // from now on the ring is this run's to empty, or the next one's
}

// New opens what a run needs, attaches the hooks, and starts no goroutine. Close undoes it.
func New(cfg Config, log *slog.Logger) (*Collector, error) {
	c := &Collector{cfg: cfg, log: log, registry: telemetry.NewRegistry(cli.Version()), health: telemetry.NewHealth()}
	if err := c.open(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Collector) open() (err error) {
	if err := c.identify(); err != nil {
		return err
	}
	if c.spool, err = spool.Open(filepath.Join(c.cfg.Data, "spool"), c.cfg.Spool.options(c.log)); err != nil {
		return err
	}
	if c.last, _, err = c.spool.Last(); err != nil {
		return err
	}
	if c.kafka, err = kafka.Open(c.cfg.Kafka, c.log); err != nil {
		return err
	}
	if c.hooks, err = attach.New(c.cfg.attach(c.log)); err != nil {
		return err
	}
	id := c.hooks.ID()
	c.header.AttachmentId = id[:]
	if err := checkRequired(c.cfg.Require, c.hooks.Coverage()); err != nil {
		return err
	}
	c.ring, err = ring.Open(c.hooks.Ring())
	return err
}

// identify makes the run's identity: the host's key, and an id that no other run has.
func (c *Collector) identify() (err error) {
	if err := makeDataDir(c.cfg.Data); err != nil {
		return err
	}
	if c.key, err = host.Key(c.cfg.Data); err != nil {
		return err
	}
	if c.header, err = host.Describe(c.key.Public().(ed25519.PublicKey)); err != nil {
		return err
	}
	var run schema.RunID
	rand.Read(run[:])
	c.header.WeirVersion = cli.Version()
	c.header.Origin = weirv1.Origin_ORIGIN_COLLECTOR
	c.chain = batch.NewChain(c.key, run)
	return nil
}

func makeDataDir(path string) error {
	err := os.MkdirAll(path, 0o700)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return cli.WithHint(fmt.Errorf("data directory: %w", err), "run as root; hooks need it too")
	case err != nil:
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// Host returns the id of the machine.
func (c *Collector) Host() schema.HostID { return schema.HostID(c.header.GetHostId()) }

// Coverage tells by which rung each kind comes.
func (c *Collector) Coverage() []attach.Coverage { return c.hooks.Coverage() }

// Close frees what New opened.
func (c *Collector) Close() error {
	var errs []error
	if c.ring != nil {
		errs = append(errs, c.ring.Close())
	}
	if c.hooks != nil {
		errs = append(errs, c.abandon(), c.hooks.Close())
	}
	if c.kafka != nil {
		errs = append(errs, c.kafka.Close())
	}
	if c.spool != nil {
		errs = append(errs, c.spool.Close())
	}
	return errors.Join(errs...)
}

// abandon ends an attachment that New has made and nothing was read of, so that no hook is left behind without a
// reader. One that was there before stays for the next run.
func (c *Collector) abandon() error {
	if c.collecting || c.hooks.Resumed() {
		return nil
	}
	return c.hooks.End()
}

// Run collects until ctx ends or a part of it fails, and then stops in the stream's order. Its error is what stood
// in the way.
func (c *Collector) Run(ctx context.Context) error {
	loop, err := c.newLoop()
	if err != nil {
		return err
	}
	// The loop ends first, when ctx does or when any of them fails; the others outlive it, until what it stored is
	// published or the deadline is over.
	rest, stopRest := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRest()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stopRest()
		err := c.collect(ctx, loop)
		deadline, cancel := context.WithTimeout(rest, c.cfg.StopTimeout)
		defer cancel()
		return errors.Join(err, c.emptied(deadline))
	})
	if loop.files != nil {
		g.Go(func() error { return loop.files.Run(rest) })
	}
	g.Go(func() error { return c.spool.Run(rest) })
	publisher := publish.New(c.spool, c.kafka, c.key, c.log)
	g.Go(func() error { return publisher.Run(rest) })
	if c.cfg.Telemetry.Listen.IsValid() {
		handler := telemetry.Handler(c.registry, c.health)
		g.Go(func() error { return newHealth(c.health).run(rest, c, publisher) })
		g.Go(func() error { return telemetry.Run(rest, c.cfg.Telemetry, handler) })
	}
	return g.Wait()
}

// collect runs the loop, detaches the hooks when ctx has ended, and drains the ring. What stands in the way of it
// leaves the attachment as a kill would, and the next run goes on with it.
func (c *Collector) collect(ctx context.Context, l *loop) error {
	c.collecting = true
	if err := seed(c.hooks, l.filler, l.table); err != nil {
		return err
	}
	// What it took to read the kernel's types, to load and to seed was several times what collecting takes.
	debug.FreeOSMemory()
	err := l.run(ctx)
	if err != nil && c.hooks.Kept() && ctx.Err() == nil {
		return errors.Join(err, c.endUnreadable(err))
	}
	err = errors.Join(err, c.hooks.Detach())
	if err != nil && c.hooks.Kept() {
		return err
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.StopTimeout)
	defer cancel()
	reason := "error"
	if cause := context.Cause(ctx); cause != nil {
		reason = cause.Error()
	}
	if err := errors.Join(err, l.drain(stop, reason), c.spool.Sync()); err != nil {
		return err
	}
	return c.hooks.End()
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

func (c *Collector) newLoop() (*loop, error) {
	var events []*schema.Kind
	for _, name := range c.cfg.Kinds {
		kind, ok := schema.KindByName(string(name))
		if !ok {
			return nil, fmt.Errorf("kind %s: not known", name)
		}
		events = append(events, kind)
	}
	draft := batch.NewDraft(c.header, c.cfg.limits())
	table := process.NewTable(int(c.cfg.Memory.Processes))
	metrics := newMetrics(c.registry)
	c.registry.MustRegister(newCounters(c.hooks, c.spool))
	coverage := c.hooks.Coverage()
	redactor, err := c.cfg.Redact.redactor()
	if err != nil {
		return nil, fmt.Errorf("redact: %w", err)
	}
	filling := fill.Config{
		Events: events, Rungs: rungs(coverage), Names: names.New(), Cgroups: c.hooks,
		Redactor: redactor, Environment: variables(c.cfg.Environment),
	}
	files := c.newDigester()
	if files != nil {
		filling.Files = files
	}
	filler := fill.New(draft, table, filling)
	self := newSelf(draft)
	before, err := c.resume()
	if err != nil {
		return nil, err
	}
	givenUp, err := c.givenUp()
	if err != nil {
		return nil, err
	}
	return &loop{
		log:       c.log,
		ring:      c.ring,
		filler:    filler,
		files:     files,
		table:     table,
		draft:     draft,
		chain:     c.chain,
		spool:     c.spool,
		self:      self,
		sums:      &sums{hooks: c.hooks, filler: filler, self: self, table: table, before: before.Kinds},
		counting:  &counting{hooks: c.hooks, every: c.cfg.Summary},
		coverage:  coverageText(coverage),
		heartbeat: c.cfg.Heartbeat,
		age:       c.cfg.Batch.Age,
		metrics:   metrics,
		save:      c.hooks.SetProgress,
		release:   c.ring.Release,
		doze:      c.hooks.Doze,
		previous:  c.previous(),
		givenUp:   givenUp,
		stored:    before,
		covered:   before.Position,
		read:      c.ring.Released(),
	}, nil
}

// newDigester is nil where files are not to be read.
func (c *Collector) newDigester() *digest.Digester {
	if c.cfg.Executables.BytesPerSecond == 0 {
		return nil
	}
	return digest.New(digest.Config{
		BytesPerSecond: int64(c.cfg.Executables.BytesPerSecond),
		MaxBytes:       int64(c.cfg.Executables.MaxBytes),
		Files:          rememberedFiles,
		Observe:        observeFiles(c.registry),
		Log:            c.log,
	})
}

// rememberedFiles is more than any machine executes again and again; they take half a megabyte.
const rememberedFiles = 2048

// resume finds where the run before left off.
func (c *Collector) resume() (state, error) {
	text, err := c.hooks.Progress()
	if err != nil {
		return state{}, err
	}
	p, err := decodeProgress(text)
	if err != nil {
		return state{}, err
	}
	before := p.resume(c.last, c.ring.Released())
	if len(text) > 0 {
		c.log.Info("attachment goes on", "attachment", c.hooks.ID(), "run", before.Run, "batch", before.Batch, "ring_bytes", c.ring.Pending())
	}
	return before, nil
}

// givenUp counts what is in no batch of attachments that New has ended.
func (c *Collector) givenUp() (map[string]uint64, error) {
	all := make(map[string]uint64)
	for _, r := range c.hooks.Remains() {
		p, err := decodeProgress(r.Progress)
		if err != nil {
			return nil, err
		}
		lost := p.resume(c.last, 0).givenUp(r.Sent)
		c.log.Warn("an attachment of another build or configuration was ended; what its ring held is lost", "attachment", r.Attachment, "events", lost)
		for kind, n := range lost {
			all[kind] += n
		}
	}
	return all, nil
}

// previous is the chain hash of the last batch of the run before, nothing where there is none.
func (c *Collector) previous() []byte {
	if c.last.Last == 0 {
		return nil
	}
	return c.last.Hash[:]
}

// emptied returns once Kafka has all that is in the spool, or ctx ends: the rest is the next run's.
func (c *Collector) emptied(ctx context.Context) error {
	for {
		stats := c.spool.Stats()
		if !stats.Unsent {
			return nil
		}
		select {
		case <-ctx.Done():
			c.log.Warn("batches stay in the spool for the next start", "batches", stats.Batches, "bytes", stats.Bytes)
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}
