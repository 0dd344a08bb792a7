// Package trace is "weir trace KIND": a live table of one kind of event, with the columns and flags of the bcc tool
// that people know for it. It takes no configuration, no Kafka and no disk.
//
//	hooks ─► ring ─► collector.Live ─► batches ─► filter ─► table, or ECS documents a line
//
// The table shows what the collector would send, as it is made by the same parts. Each of traces() is a
// literal: its columns, what it calls a failure, its ports.
package trace

import (
	"context"
	"errors"
	"flag"

	"github.com/weirproject/weir/collector"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/schema"
)

// A trace is one command: how events of a kind are shown.
type trace struct {
	name, like string // like is the bcc tool that it is modelled on, if there is one
	short      string
	kind       *schema.Kind
	failures   *schema.Kind // what failed is of this kind, which -x adds; nil: of none
	columns    []column
	failed     func(row) bool     // what -x leaves of the kind; nil: -x leaves nothing out
	ports      func(row) []uint32 // what -P looks at; nil: there is no -P
}

type column struct {
	cli.Column
	cell func(row) string
}

// Command is "weir trace".
func Command() cli.Command {
	c := cli.Command{
		Name:  "trace",
		Short: "show one kind of event live, as the bcc tools do",
		Long: "Needs root, or CAP_BPF and CAP_PERFMON, and nothing else. Ctrl-C ends it and says on standard error what\n" +
			"became of every event.",
	}
	for _, t := range traces() {
		c.Sub = append(c.Sub, t.command())
	}
	return c
}

func traces() []trace { return append(processTraces(), networkTraces()...) }

func (t trace) command() cli.Command {
	o := options{trace: t}
	long := "Ctrl-C ends it and says what became of every event."
	if t.like != "" {
		long = "Like " + t.like + ". " + long
	}
	return cli.Command{
		Name:  t.name,
		Short: t.short,
		Long:  long,
		Flags: func(f *flag.FlagSet) { o.add(f) },
		Run:   func(ctx context.Context, env cli.Env) error { return t.run(ctx, &o, env) },
	}
}

func (t trace) run(ctx context.Context, o *options, env cli.Env) (err error) {
	v, err := newView(o, env)
	if err != nil {
		return err
	}
	live, err := collector.NewLive(o.kinds(), env.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, live.Close()) }()
	if err := v.begin(); err != nil {
		return err
	}
	err = live.Run(ctx, v.batch)
	return errors.Join(err, printLedger(env.Stderr, live, v.shown))
}
