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
	return cli.Command{
		Name:  "weir-collector",
		Short: "take security events from this machine's kernel to Kafka",
		Long: "Runs until it is stopped by SIGINT or SIGTERM. It needs root at its start, and keeps the capabilities\n" +
			"that docs/security.md names. Without -config it runs with the defaults.",
		Flags: func(f *flag.FlagSet) {
			f.StringVar(&path, "config", "", "read the configuration from `FILE`")
		},
		Run: func(ctx context.Context, env cli.Env) error {
			cfg := Default()
			if path != "" {
				if err := config.Load(path, &cfg); err != nil {
					return err
				}
			}
			return run(ctx, cfg, env)
		},
		Sub: []cli.Command{
			cli.ConfigCommand(func() *Config { cfg := Default(); return &cfg }),
			spoolCommand(),
			cli.VersionCommand(),
		},
	}
}

// gcPercent is half of Go's own: what the collector keeps, the process table above all, is large beside what it throws
// away, and a collection is rare either way.
const gcPercent = 50

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
