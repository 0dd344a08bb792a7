// Program cost measures what it costs a machine to be watched: weir-collector beside the least that a hook can do,
// and beside other tools, in one run.
//
//	go run ./test/cost                     measures, and prints the tables
//	go run ./test/cost --json RUN.json     keeps the run's samples as well
//	go run ./test/cost --from RUN.json     prints the tables of a run that was kept
//
// A contender is a program that runs as a process of its own: programs under test, or [probe] for the bounds. In each
// round every contender has its turn; a turn runs each workload twice, without it and with it, one right after
// the other, since a machine's speed changes within seconds. What is told are medians over the rounds.
//
//	load.go, load/    workloads, which know themselves what they did
//	contender.go      who is measured; probe.go, weir.go, tool.go, audit.go: each of them
//	meter.go          CPU time, memory, context switches, and the kernel's statistics of BPF programs
//	turn.go           one contender's turn; scenario.go: rates, with many processes alive
//	run.go            samples, as they are kept; table.go, target.go: what is told of them
//
// It needs root and a quiet machine, and no other BPF program on the same hooks.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/weirproject/weir/internal/cli"
)

func main() { os.Exit(cli.Main(command())) }

type options struct {
	rounds   int
	duration time.Duration
	json     string
	from     string
	markdown string
}

func command() cli.Command {
	var o options
	return cli.Command{
		Name: "cost", Short: "measure what watching a machine costs",
		Flags: func(f *flag.FlagSet) {
			f.IntVar(&o.rounds, "rounds", 5, "`NUMBER` of rounds that medians are taken over")
			f.DurationVar(&o.duration, "time", 2*time.Second, "`DURATION` of each workload")
			f.StringVar(&o.json, "json", "", "write the run's samples to this `FILE`")
			f.StringVar(&o.from, "from", "", "measure nothing, and print the tables of this `FILE` of samples")
			f.StringVar(&o.markdown, "markdown", "", "write the tables to this `FILE` instead of printing them")
		},
		Run: func(ctx context.Context, env cli.Env) error { return o.run(ctx, env) },
		Sub: []cli.Command{{
			Name: "probe", Args: "MODE WORKLOAD MARK", Short: "be one of the bounds that contenders are measured against",
			Run: func(ctx context.Context, env cli.Env) error { return probe(ctx, env) },
		}},
	}
}

func (o options) run(ctx context.Context, env cli.Env) error {
	run, err := o.samples(ctx, env)
	if err != nil {
		return err
	}
	out := env.Stdout
	if o.markdown != "" {
		f, err := os.Create(o.markdown)
		if err != nil {
			return err
		}
		defer f.Close()
		out = f
	}
	return run.write(out)
}

func (o options) samples(ctx context.Context, env cli.Env) (*Run, error) {
	if o.from != "" {
		return readRun(o.from)
	}
	if os.Geteuid() != 0 {
		return nil, cli.WithHint(errors.New("hooks are root's to attach"), "run as root")
	}
	b, err := newBench(ctx, o, env)
	if err != nil {
		return nil, err
	}
	run, err := b.measure(ctx)
	if err := errors.Join(err, b.close()); err != nil {
		return nil, err
	}
	if o.json == "" {
		return run, nil
	}
	return run, run.save(o.json)
}

func readRun(path string) (*Run, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	run := &Run{}
	if err := json.Unmarshal(text, run); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return run, nil
}

// progress tells a person who waits what is under way.
type progress struct {
	w     io.Writer
	begin time.Time
}

func (p progress) say(format string, args ...any) {
	fmt.Fprintf(p.w, "cost: %5s  %s\n", time.Since(p.begin).Round(time.Second), fmt.Sprintf(format, args...))
}
