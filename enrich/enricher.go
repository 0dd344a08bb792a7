package enrich

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/weirproject/weir/enrich/inventory"
	"github.com/weirproject/weir/enrich/lane"
	"github.com/weirproject/weir/enrich/source"
	"github.com/weirproject/weir/enrich/source/file"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/internal/telemetry"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/ecs"
	"github.com/weirproject/weir/sink"
)

// Group is the consumer group of the enrichers.
const Group = "weir-enrich"

// Deps are what the enricher gets from the process that it runs in.
type Deps struct {
	// Key seals the batches of findings, Header is theirs: the enricher's host and version.
	Key    ed25519.PrivateKey
	Header *weirv1.Header
	// Client reaches the configured Kafka.
	Client   *kafka.Client
	Registry prometheus.Registerer
	Health   *telemetry.Health
	Log      *slog.Logger
}

// Enricher is weir-enrich, or its part of weir up.
type Enricher struct {
	config  Config
	deps    Deps
	log     *slog.Logger
	store   *source.Store
	lanes   []*lane.Lane
	metrics *metrics

	started time.Time // when Run began

	mu   sync.Mutex // guards live
	live map[int]*partition
}

// New makes an enricher. It connects to nothing, and starts nothing.
func New(cfg Config, d Deps) (*Enricher, error) {
	encoder, err := ecs.New()
	if err != nil {
		return nil, fmt.Errorf("enricher: %w", err)
	}
	e := &Enricher{config: cfg, deps: d, log: d.Log, metrics: newMetrics(d.Registry), live: map[int]*partition{}}
	var sources []source.Source
	for _, path := range cfg.Inventory.Files {
		sources = append(sources, file.New(path))
	}
	e.store = source.NewStore(sources, d.Log, d.Health.Check("inventory"), source.NewMetrics(d.Registry))
	laneMetrics, runnerMetrics := lane.NewMetrics(d.Registry), sink.NewMetrics(d.Registry)
	for _, name := range slices.Sorted(maps.Keys(cfg.Sinks.Lanes)) {
		s := cfg.Sinks.Lanes[name]
		e.lanes = append(e.lanes, lane.New(lane.Options{
			Name: name, Sink: s.To.Config, Runner: s.RunnerConfig, Kinds: s.Kinds,
			Env: sink.Env{Log: d.Log.With("lane", name), Data: filepath.Join(cfg.Data, "sinks", name)},
			Log: d.Log, Client: d.Client, Encoder: encoder, Health: d.Health.Check("sink-" + name),
			Metrics: laneMetrics, Runners: runnerMetrics,
		}))
	}
	return e, nil
}

// Run enriches and delivers until ctx ends. Its error is one that a person must mend.
func (e *Enricher) Run(ctx context.Context) error {
	e.started = time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return untilDone(ctx, e.store.Run(ctx)) })
	g.Go(func() error { return untilDone(ctx, e.watchSilence(ctx)) })
	g.Go(func() error { return e.deps.Client.Consume(ctx, Group, []string{kafka.Batches}, e.openPartition) })
	for _, l := range e.lanes {
		g.Go(func() error { return untilDone(ctx, l.Run(ctx)) })
	}
	return g.Wait()
}

// untilDone returns nil for what only ended because ctx did.
func untilDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// join is joinNow, once every source has answered or the configured wait since the start is over.
func (e *Enricher) join(ctx context.Context, host inventory.Host, times iter.Seq[time.Time]) *weirv1.Enrichment {
	e.store.Wait(ctx, time.Until(e.started.Add(e.config.Inventory.Wait)))
	known := e.joinNow(host, times)
	e.metrics.join(known.GetJoined())
	return known
}

// joinNow joins rows of a host with what is known.
func (e *Enricher) joinNow(host inventory.Host, times iter.Seq[time.Time]) *weirv1.Enrichment {
	complete := e.store.Complete()
	j := e.store.Current().Join(host, times)
	known := &weirv1.Enrichment{
		Instances: j.Instances, Deploys: j.Deploys, Spans: j.Spans, Joined: j.Joined,
		EnricherVersion: e.deps.Header.GetWeirVersion(),
	}
	if !complete && known.Joined != weirv1.Joined_JOINED_UNSPECIFIED {
		known.Joined = weirv1.Joined_JOINED_LATE
	}
	return known
}

// watched adds a partition to those that silent hosts are looked for in.
func (e *Enricher) watched(p *partition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.live[p.number] = p
}

// unwatched takes it out again, unless another handler has its place already.
func (e *Enricher) unwatched(p *partition) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.live[p.number] == p {
		delete(e.live, p.number)
	}
}

func (e *Enricher) watchedPartitions() []*partition {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Collect(maps.Values(e.live))
}
