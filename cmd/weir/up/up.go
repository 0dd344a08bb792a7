// Package up is "weir up": the whole stream on one machine, in one process. Collector, broker, enricher and
// sinks are those of production and speak the same protocol; only the broker is an embedded one.
//
//	kernel ─► collector ─► broker ─► enricher ─► lanes ─► DIR/events
//	                         └─► screen
//
// Start goes against the stream and stop goes with it, so that nothing is ever sent where nobody listens.
package up

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"time"

	"github.com/weirproject/weir/internal/cli"
)

// Command is "weir up".
func Command() cli.Command {
	var o options
	return cli.Command{
		Name:  "up",
		Short: "run the whole stream on this machine, and show it",
		Long: "Shows what this machine executes, connects to and listens on, and writes it as ECS NDJSON beneath one\n" +
			"data directory. Needs root. Ctrl-C closes everything in the stream's order and prints the ledger; a\n" +
			"second start with the same directory goes on where the first one stopped.",
		Flags: o.add,
		Run: func(ctx context.Context, env cli.Env) error {
			if err := o.check(); err != nil {
				return err
			}
			if o.duration > 0 {
				limited, cancel := context.WithTimeoutCause(ctx, o.duration, errTimeUp)
				defer cancel()
				ctx = limited
			}
			return run(ctx, o, env)
		},
	}
}

// errTimeUp is why a stream with -for ends: it is what was asked for.
var errTimeUp = errors.New("time is up")

type options struct {
	data     string
	duration time.Duration
	quiet    bool
}

func (o *options) add(f *flag.FlagSet) {
	f.StringVar(&o.data, "data", "weir-data", "keep everything in `DIR`")
	f.DurationVar(&o.duration, "for", 0, "stop after `TIME`, such as 30s")
	f.BoolVar(&o.quiet, "quiet", false, "do not show events")
}

func (o *options) check() error {
	switch {
	case o.data == "":
		return cli.Usagef("-data is empty; name a directory")
	case o.duration < 0:
		return cli.Usagef("-for %s is negative", o.duration)
	}
	return nil
}

// paths are the places beneath the data directory.
type paths struct {
	root, collector, broker, enrich, events, inventory string
}

func (o options) paths() (paths, error) {
	root, err := filepath.Abs(o.data)
	if err != nil {
		return paths{}, fmt.Errorf("data directory %s: %w", o.data, err)
	}
	return paths{
		root:      root,
		collector: filepath.Join(root, "collector"),
		broker:    filepath.Join(root, "broker"),
		enrich:    filepath.Join(root, "enrich"),
		events:    filepath.Join(root, "events"),
		inventory: filepath.Join(root, "inventory.yaml"),
	}, nil
}
