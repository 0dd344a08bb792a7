package up

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirproject/weir/cmd/weir/look"
	"github.com/weirproject/weir/collector"
	"github.com/weirproject/weir/enrich"
	"github.com/weirproject/weir/internal/broker"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/kafka"
)

// brokerBytes bounds each topic of the embedded broker on disk.
const brokerBytes = 256 * config.MiB

// drainTimeout is how long a stopped stream waits for what is on its way to the sinks.
const drainTimeout = 15 * time.Second

// stream is the parts of a running stream, in its order.
type stream struct {
	paths     paths
	env       cli.Env
	collector *collector.Collector
	broker    *broker.Broker
	kafka     *kafka.Client
	enricher  *enrich.Enricher
}

func run(ctx context.Context, o options, env cli.Env) error {
	p, err := o.paths()
	if err != nil {
		return err
	}
	s := &stream{paths: p, env: env}
	if err := s.open(ctx); err != nil {
		return errors.Join(err, s.close())
	}
	if err := s.welcome(); err != nil {
		return errors.Join(err, s.close())
	}
	screen := env.Stdout
	if o.quiet {
		screen = io.Discard
	}
	return errors.Join(s.flow(ctx, screen), s.close())
}

// open opens the parts against the stream, the source last.
func (s *stream) open(ctx context.Context) (err error) {
	if err := os.MkdirAll(s.paths.root, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	s.broker, err = broker.Start(ctx, broker.Options{Dir: s.paths.broker, Topics: broker.Topics(brokerBytes), Log: s.env.Log})
	if err != nil {
		return err
	}
	if s.kafka, err = kafka.Open(s.kafkaConfig(), s.env.Log); err != nil {
		return err
	}
	if s.enricher, err = s.newEnricher(); err != nil {
		return err
	}
	s.collector, err = collector.New(s.collectorConfig(), s.env.Log)
	return err
}

func (s *stream) close() error {
	var errs []error
	if s.collector != nil {
		errs = append(errs, s.collector.Close())
	}
	if s.kafka != nil {
		errs = append(errs, s.kafka.Close())
	}
	if s.broker != nil {
		errs = append(errs, s.broker.Close())
	}
	return errors.Join(errs...)
}

func (s *stream) kafkaConfig() kafka.Config {
	c := kafka.Default()
	c.Brokers = []string{s.broker.Addr()}
	return c
}

// collectorConfig is the default one but for places, and for a person who looks on.
func (s *stream) collectorConfig() collector.Config {
	c := collector.Default()
	c.Data = s.paths.collector
	c.Attachment = "" // what a person tries out leaves no hooks behind, however it ends
	c.Kafka = s.kafkaConfig()
	c.Batch.Age = 250 * time.Millisecond
	c.Heartbeat = 10 * time.Second
	return c
}

// welcome is the first screen.
func (s *stream) welcome() error {
	fmt.Fprintf(s.env.Stdout, "data       %s\nevents     %s\nbroker     %s\nhost       %s\n",
		cli.Escape(s.paths.root), cli.Escape(s.paths.events), s.broker.Addr(), s.collector.Host())
	for _, c := range s.collector.Coverage() {
		rung := "no rung on this kernel; weir hooks says why"
		if c.Rung != nil {
			rung = c.Rung.String()
		}
		fmt.Fprintf(s.env.Stdout, "hook       %-16s %s\n", c.Kind, rung)
	}
	_, err := fmt.Fprintln(s.env.Stdout)
	return err
}

// flow runs the stream until ctx ends, and then stops each part once the one before it has nothing more to
// give: collector, enricher and lanes, screen.
func (s *stream) flow(ctx context.Context, screen io.Writer) error {
	from, err := look.Ends(ctx, s.kafka)
	if err != nil {
		return err
	}
	below, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var g errgroup.Group
	g.Go(func() error { return look.Follow(below, s.kafka, from, screen) })
	g.Go(func() error { return s.enricher.Run(below) })
	g.Go(func() error {
		defer stop()
		err := s.collector.Run(ctx)
		return errors.Join(err, s.settle(below))
	})
	return g.Wait()
}
