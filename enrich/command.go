package enrich

import (
	"context"
	"crypto/ed25519"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/host"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/internal/telemetry"
	"github.com/weirproject/weir/sink"
)

// Command is the program weir-enrich, with these destinations.
func Command(destinations []sink.Destination) cli.Command {
	path := ""
	defaults := func() *Config { return new(Default(destinations)) }
	return cli.Command{
		Name:  "weir-enrich",
		Short: "verify, join and account for what collectors send, and deliver it to the sinks",
		Long: "Runs until it is stopped by SIGINT or SIGTERM, as one of as many as weir.batches has partitions. It needs\n" +
			"no privilege. Without -config it runs with the defaults, which deliver nowhere.",
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&path, "config", "", "read the configuration from `FILE`")
		},
		Run: func(ctx context.Context, env cli.Env) error {
			cfg := defaults()
			if path != "" {
				if err := config.Load(path, cfg); err != nil {
					return err
				}
			}
			return run(ctx, *cfg, env)
		},
		Sub: []cli.Command{cli.ConfigCommand(defaults), cli.VersionCommand()},
	}
}

func run(ctx context.Context, cfg Config, env cli.Env) (err error) {
	deps := Deps{Log: env.Log, Health: telemetry.NewHealth()}
	if deps.Key, err = key(cfg.Data); err != nil {
		return err
	}
	if deps.Header, err = host.Describe(deps.Key.Public().(ed25519.PublicKey)); err != nil {
		return err
	}
	deps.Header.WeirVersion = cli.Version()
	if deps.Client, err = kafka.Open(cfg.Kafka, env.Log); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, deps.Client.Close()) }()
	registry := telemetry.NewRegistry(cli.Version())
	deps.Registry = registry
	enricher, err := New(cfg, deps)
	if err != nil {
		return err
	}
	broker := deps.Health.Check("broker")
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return telemetry.Run(ctx, cfg.Telemetry, telemetry.Handler(registry, deps.Health)) })
	g.Go(func() error {
		if err := untilDone(ctx, prepare(ctx, deps.Client, cfg.Topics, env.Log)); err != nil || ctx.Err() != nil {
			return err
		}
		broker.Good()
		return enricher.Run(ctx)
	})
	return g.Wait()
}

// key returns the enricher's key, and makes it and its directory at the first start.
func key(dir string) (ed25519.PrivateKey, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	return host.Key(dir)
}

// prepare waits for the brokers, makes the topics that are missing, and refuses those whose partitions do
// not match: a host's records would lie on different ones.
func prepare(ctx context.Context, client *kafka.Client, t Topics, log *slog.Logger) error {
	if err := client.WaitReachable(ctx); err != nil {
		return err
	}
	layout := t.layout()
	if existing, err := client.Partitions(ctx, kafka.Batches); err == nil && len(existing) > 0 {
		layout.Partitions = len(existing)
	}
	created := client.EnsureTopics(ctx, kafka.Topics(layout))
	for _, topic := range []string{kafka.Batches, kafka.Enriched, kafka.Hosts} {
		partitions, err := client.Partitions(ctx, topic)
		if err != nil {
			return errors.Join(created, err)
		}
		if len(partitions) != layout.Partitions {
			return errors.Join(created, fmt.Errorf("topic %s has %d partitions, %s has %d; make it anew with as many",
				topic, len(partitions), kafka.Batches, layout.Partitions))
		}
	}
	if err := client.CheckTopics(ctx, kafka.Topics(layout)); err != nil {
		log.Warn("topics are not as they should be", "error", err)
	}
	return nil
}
