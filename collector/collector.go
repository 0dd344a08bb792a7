// Package collector is what runs on each machine: it takes events from the kernel's hooks to Kafka.
//
//	hooks ─► ring ─► loop ─► spool ─► publisher ─► weir.batches
//	(attach) (ring)  │ fill, process, batch        (publish)
//	         ◄───────┘ release
//
// Collector.Run is the tree of its goroutines: the loop, the spool's syncer, the publisher, telemetry. They
// share the spool alone. Shutdown follows the stream: drain the ring, seal, sync, publish until a deadline; what
// is not published by then is published by the next run. Hooks that are pinned stay attached, so that the ring bridges
// a restart; those that are not are detached first. What another build or configuration has left attached is read to
// its end at the start, in a run of its own: former.go.
//
// It knows nothing of sinks, of enrichment, nor of what a SIEM shows.
package collector

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/executable/digest"
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

// Collector is weir's process on this machine.
type Collector struct {
	cfg      Config
	log      *slog.Logger
	key      ed25519.PrivateKey
	header   *weirv1.Header // of every run
	spool    *spool.Spool
	kafka    *kafka.Client
	hooks    *attach.Attachment // nil: this process only reads what others have left
	ring     *ring.Reader
	table    *process.Table
	last     batch.Sealed // of the run before
	registry *prometheus.Registry
	metrics  *metrics
	files    *digest.Digester // nil: files are not read
	health   *telemetry.Health

	collecting bool // from now on the ring is this run's to empty, or the next one's
}

// New opens what a run needs, attaches the hooks, and starts no goroutine. Close undoes it.
func New(cfg Config, log *slog.Logger) (*Collector, error) {
	c := newCollector(cfg, log)
	err := c.open()
	if err == nil {
		err = c.attach()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func newCollector(cfg Config, log *slog.Logger) *Collector {
	c := &Collector{
		cfg: cfg, log: log, table: process.NewTable(int(cfg.Memory.Processes)),
		registry: telemetry.NewRegistry(cli.Version()), health: telemetry.NewHealth(),
	}
	c.metrics = newMetrics(c.registry)
	return c
}

// open opens everything but the hooks.
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
	c.kafka, err = kafka.Open(c.cfg.Kafka, c.log)
	return err
}

func (c *Collector) attach() (err error) {
	if c.hooks, err = attach.New(c.cfg.attach(c.log)); err != nil {
		return err
	}
	if err := checkRequired(c.cfg.Require, c.hooks.Coverage()); err != nil {
		return err
	}
	c.registry.MustRegister(newCounters(c.hooks, c.spool))
	c.files = c.newDigester()
	c.ring, err = ring.Open(c.hooks.Ring())
	return err
}

// identify tells who is speaking: the host, by its key.
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
	c.header.WeirVersion = cli.Version()
	c.header.Origin = weirv1.Origin_ORIGIN_COLLECTOR
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
	loop, err := c.newLoop(c.source())
	if err != nil {
		return err
	}
	return c.stream(ctx, func(ctx context.Context) error { return c.collect(ctx, loop) })
}

// stream runs the parts behind the loop, and fills the spool by collect until that returns.
func (c *Collector) stream(ctx context.Context, collect func(context.Context) error) error {
	// The loop ends first, when ctx does or when any of them fails; the others outlive it, until what it stored is
	// published or the deadline is over.
	rest, stopRest := context.WithCancel(context.WithoutCancel(ctx))
	defer stopRest()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stopRest()
		err := collect(ctx)
		deadline, cancel := context.WithTimeout(rest, c.cfg.StopTimeout)
		defer cancel()
		return errors.Join(err, c.emptied(deadline))
	})
	if c.files != nil {
		g.Go(func() error { return c.files.Run(rest) })
	}
	g.Go(func() error { return c.spool.Run(rest) })
	publisher := publish.New(c.spool, c.kafka, c.key, c.log)
	g.Go(func() error { return publisher.Run(rest) })
	if c.hooks != nil && c.cfg.Telemetry.Listen.IsValid() {
		handler := telemetry.Handler(c.registry, c.health)
		g.Go(func() error { return newHealth(c.health).run(rest, c, publisher) })
		g.Go(func() error { return telemetry.Run(rest, c.cfg.Telemetry, handler) })
	}
	return g.Wait()
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
