package collector

import (
	"context"
	"errors"
	"flag"
	"runtime/debug"

	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/internal/config"
)

// Command is the program weir-collector.
func Command() cli.Command {
	path := ""
	flags := func(f *flag.FlagSet) {
		f.StringVar(&path, "config", "", "read the configuration from `FILE`")
	}
	return cli.Command{
		Name:  "weir-collector",
		Short: "take security events from this machine's kernel to Kafka",
		Long: "Runs until it is stopped by SIGINT or SIGTERM. It needs root at its start, and keeps the capabilities\n" +
			"that docs/security.md names. Without -config it runs with the defaults.",
		Flags: flags,
		Run: func(ctx context.Context, env cli.Env) error {
			cfg, err := load(path)
			if err != nil {
				return err
			}
			return run(ctx, cfg, env)
		},
		Sub: []cli.Command{
			cli.ConfigCommand(func() *Config { cfg := Default(); return &cfg }),
			spoolCommand(),
			{
				Name:  "detach",
				Short: "take this machine's hooks off, once a collector is not wanted any more",
				Long: "A collector that stops leaves its hooks to the next start, so that the ring holds what happens in between.\n" +
					"This stores what the ring holds, takes the hooks off, and publishes for as long as a stop does.",
				Flags: flags,
				Run: func(ctx context.Context, env cli.Env) error {
					cfg, err := load(path)
					if err != nil {
						return err
					}
					return Detach(ctx, cfg, env.Log)
				},
			},
			cli.VersionCommand(),
		},
	}
}

// gcPercent is half of Go's own: what the collector keeps, the process table above all, is large beside what it throws
// away, and a collection is rare either way.
const gcPercent = 50

// load reads the configuration; no path is the defaults.
func load(path string) (Config, error) {
	cfg := Default()
	if path == "" {
		return cfg, nil
	}
	return cfg, config.Load(path, &cfg)
}

func run(ctx context.Context, cfg Config, env cli.Env) error {
	debug.SetGCPercent(gcPercent)
	c, err := New(cfg, env.Log)
	if err != nil {
		return err
	}
	if err := cfg.dropCapabilities(); err != nil {
		return errors.Join(err, c.Close())
	}
	return errors.Join(c.Run(ctx), c.Close())
}
