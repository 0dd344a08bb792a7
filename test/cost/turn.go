package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/internal/cli"
)

// bench is a run that is under way.
type bench struct {
	options
	progress
	dir       string
	collector string // the built program
	load      *loader
	stats     interface{ Close() error } // the kernel keeps statistics of programs for as long as it is open
	broken    map[string]string          // why a contender cannot run
}

func newBench(ctx context.Context, o options, env cli.Env) (*bench, error) {
	dir, err := os.MkdirTemp("", "weir-cost-")
	if err != nil {
		return nil, err
	}
	b := &bench{options: o, dir: dir, broken: make(map[string]string), progress: progress{w: env.Stderr, begin: time.Now()}}
	if err := b.prepare(ctx); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *bench) prepare(ctx context.Context) (err error) {
	b.say("building weir-collector and the workloads")
	b.collector = filepath.Join(b.dir, "weir-collector")
	if err := buildCollector(ctx, b.collector); err != nil {
		return err
	}
	if b.load, err = newLoader(ctx, b.dir); err != nil {
		return err
	}
	b.stats, err = ebpf.EnableStats(unix.BPF_STATS_RUN_TIME)
	return err
}

func (b *bench) close() (err error) {
	if b.stats != nil {
		err = b.stats.Close()
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// measure goes through all rounds.
func (b *bench) measure(ctx context.Context) (*Run, error) {
	run := newRun(b.options)
	for round := range b.rounds {
		all := contenders()
		for i := range all {
			c := all[(i+round)%len(all)] // nobody is always the first
			for _, w := range c.loads {
				b.say("round %d of %d: %s beside %s", round+1, b.rounds, w, c.name)
				s, err := b.turn(ctx, c, w, round)
				if err != nil {
					return nil, fmt.Errorf("%s, %s: %w", c.name, w, err)
				}
				if s != nil {
					run.Samples = append(run.Samples, *s)
				}
			}
		}
		if err := b.scenarios(ctx, run, round); err != nil {
			return nil, err
		}
	}
	run.Broken = b.broken
	return run, nil
}

// turn runs a workload without a contender and with it. It returns nil where the contender cannot run.
func (b *bench) turn(ctx context.Context, c contender, w Workload, round int) (*Sample, error) {
	if b.broken[c.name] != "" {
		return nil, nil
	}
	bare, err := b.load.run(ctx, w, b.duration, 0, 1)
	if err != nil {
		return nil, err
	}
	s := &Sample{Round: round, Contender: c.name, Workload: w, BareNS: bare.perOperation(bare.Elapsed), BareWorkNS: bare.perOperation(bare.CPU)}
	if c.start == nil {
		done, err := b.load.run(ctx, w, b.duration, 0, 1)
		s.did(done)
		return s, err
	}
	watched, err := b.begin(ctx, c, w)
	if err != nil || watched == nil {
		return nil, err
	}
	err = watched.measure(ctx, s, func() (load, error) { return b.load.run(ctx, w, b.duration, 0, 1) })
	return s, errors.Join(err, watched.end())
}

// watched is a contender that is ready, with its meter.
type watched struct {
	watcher
	meter *meter
}

// begin starts a contender and waits until it has seen something. One that does not get so far is not asked again.
func (b *bench) begin(ctx context.Context, c contender, w Workload) (*watched, error) {
	watcher, err := c.start(ctx, b, w)
	if err != nil {
		b.breaks(c, err)
		return nil, nil
	}
	if err := b.awaitFirst(ctx, watcher, w); err != nil {
		b.breaks(c, err)
		return nil, watcher.stop()
	}
	m, err := newMeter(watcher.processes())
	if err != nil {
		return nil, errors.Join(err, watcher.stop())
	}
	return &watched{watcher: watcher, meter: m}, nil
}

func (b *bench) breaks(c contender, why error) {
	b.broken[c.name] = why.Error()
	b.say("%s cannot run: %v", c.name, why)
}

// awaitFirst does one operation after the other until the watcher tells of one.
func (b *bench) awaitFirst(ctx context.Context, watcher watcher, w Workload) error {
	if w == Getppid {
		w = Exec
	}
	for deadline := time.Now().Add(patience); ; {
		one, err := b.load.run(ctx, w, 50*time.Millisecond, 20, 1)
		if err != nil {
			return err
		}
		if err := watcher.settle(ctx, one, 1); err != nil {
			return err
		}
		t, err := watcher.seen(ctx, one)
		if err != nil || t.untold || t.operations > 0 {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("has told of no %s after %s", w, patience)
		}
	}
}

func (w *watched) end() error { return errors.Join(w.meter.close(), w.stop()) }

// measure runs a workload, waits until the watcher has told of it, and takes what that took.
func (w *watched) measure(ctx context.Context, s *Sample, run func() (load, error)) error {
	told, err := w.seen(ctx, load{Workload: s.Workload})
	if err != nil {
		return err
	}
	before, err := w.meter.read()
	if err != nil {
		return err
	}
	w.meter.resetPeak()
	begin := time.Now()
	done, err := run()
	if err != nil {
		return err
	}
	s.did(done)
	if s.Workload != Exec {
		told.operations = 0 // a connect's port is new
	}
	if s.Workload != Getppid {
		if err := w.settle(ctx, done, told.operations+done.Operations); err != nil {
			return err
		}
	}
	after, err := w.meter.read()
	if err != nil {
		return err
	}
	taken := after.since(before)
	s.CPUNS, s.Switches, s.Programs, s.Peak = taken.cpu.Nanoseconds(), taken.switches, taken.programs, w.meter.peak()
	s.Seconds = time.Since(begin).Seconds()
	now, err := w.seen(ctx, done)
	s.Untold = now.untold
	s.Told, s.Events, s.Bytes = now.operations-told.operations, now.events-told.events, now.bytes-told.bytes
	return err
}

// machine says where figures come from.
func machine() string {
	var name unix.Utsname
	_ = unix.Uname(&name) // it cannot fail: the buffer is ours
	return fmt.Sprintf("Linux %s, %s, %d CPUs", unix.ByteSliceToString(name.Release[:]), runtime.GOARCH, runtime.NumCPU())
}
