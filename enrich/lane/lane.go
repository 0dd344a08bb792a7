// Package lane brings enriched batches to one sink: a lane is a consumer group of its own on weir.enriched,
// with its own offsets, pace, retries and dead letters, so that a dead sink stops no other.
//
//	weir.enriched ─► Read ─► not yet delivered? ─► sink.Runner ─► destination
//	                  │                               │  └ refused ─► weir.deadletter
//	                  └ unreadable ─► weir.deadletter  └ tallies ─► weir.hosts, then the offsets are committed
//
// Each partition has a goroutine (kafka.Client.Consume's); it holds at most one chunk of batches. A batch is
// delivered again only where the lane was killed between the delivery and the record in weir.hosts; what
// that means at the destination is said by each sink.
package lane

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirproject/weir/enrich/balance"
	"github.com/weirproject/weir/enrich/deadletter"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/internal/telemetry"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/ecs"
	"github.com/weirproject/weir/sink"
)

// Options are what a lane is made of.
type Options struct {
	Name   string
	Sink   sink.Config
	Env    sink.Env
	Runner sink.RunnerConfig
	Kinds  Kinds

	Log     *slog.Logger
	Client  *kafka.Client
	Encoder *ecs.Encoder
	Health  *telemetry.Check
	Metrics *Metrics
	Runners *sink.Metrics
}

// Lane is one sink's.
type Lane struct {
	Options
	log    *slog.Logger // names the lane
	runner *sink.Runner
}

// New makes a lane; Run opens its sink.
func New(o Options) *Lane { return &Lane{Options: o, log: o.Log.With("lane", o.Name)} }

// Group is the consumer group of the lane called name.
func Group(name string) string { return "weir-lane-" + name }

// Run opens the sink and delivers until ctx ends.
func (l *Lane) Run(ctx context.Context) error {
	s, err := l.openSink(ctx)
	if err != nil {
		return err
	}
	l.Health.Good()
	l.runner = sink.NewRunner(l.Name, s, l.Runner, l.bury, l.Log, l.Runners)
	err = l.Client.Consume(ctx, Group(l.Name), []string{kafka.Enriched}, l.open)
	if closing := l.runner.Close(); err == nil {
		err = closing
	}
	return err
}

// openPause is between attempts to open a sink.
const openPause = 10 * time.Second

// openSink tries for ever: a sink that cannot be opened must not end the process that other lanes live in.
func (l *Lane) openSink(ctx context.Context) (sink.Sink, error) {
	told := ""
	for {
		s, err := l.Sink.Open(ctx, l.Env)
		if err == nil || ctx.Err() != nil {
			return s, err
		}
		l.Health.Bad(err.Error())
		if told != err.Error() {
			told = err.Error()
			l.log.Error("sink cannot be opened; its events wait in Kafka", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(openPause):
		}
	}
}

// bury is the runner's way to put refused rows aside.
func (l *Lane) bury(ctx context.Context, rows []sink.DeadRow) error {
	records := make([]kafka.Record, len(rows))
	for i, row := range rows {
		r, err := deadletter.OfRow(l.Name, row, time.Now())
		if err != nil {
			return err
		}
		records[i] = r
	}
	return l.Client.Produce(ctx, records...)
}

// open takes a partition over, with what is known of its hosts.
func (l *Lane) open(ctx context.Context, _ string, number int) (kafka.Handler, error) {
	books, err := balance.Hosts(ctx, l.Client, number, l.log)
	if err != nil {
		return nil, fmt.Errorf("lane %s: %w", l.Name, err)
	}
	lanes, err := balance.Lane(ctx, l.Client, number, l.Name, l.log)
	if err != nil {
		return nil, fmt.Errorf("lane %s: %w", l.Name, err)
	}
	p := &partition{lane: l, number: number, hosts: map[schema.HostID]*held{}}
	for _, b := range books {
		p.holds(meet(b, l.Name))
	}
	for _, b := range lanes {
		p.holds(load(b))
	}
	return p, nil
}

// holds enters a host that was loaded, in place of what there was of it.
func (p *partition) holds(h *held, ok bool) {
	if !ok {
		p.lane.log.Error("balance has ids of a wrong length; its host begins anew", "partition", p.number)
		return
	}
	p.hosts[h.host] = h
}
