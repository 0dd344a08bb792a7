package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// The workloads' sources, which are compiled anew for each run.
var (
	//go:embed load/load.c
	loadSource []byte
	//go:embed load/nothing.c
	nothingSource []byte
)

// Workload is something that a machine does much of.
type Workload string

const (
	Exec    Workload = "exec"
	Connect Workload = "connect"
	Getppid Workload = "getppid"
)

// mark is the name of the program that the exec storm runs, and so in each of its events.
const mark = "weir-cost-storm"

// load is what a workload says of itself.
type load struct {
	Workload   Workload
	Operations int
	Elapsed    time.Duration
	CPU        time.Duration
	Port       int // of connect's server
}

// perOperation is a time in ns.
func (l load) perOperation(d time.Duration) float64 {
	return float64(d.Nanoseconds()) / float64(max(1, l.Operations))
}

// loader runs workloads. They come before what else runs on the machine: what is measured is the contender, not
// the neighbours.
type loader struct{ dir string }

// newLoader compiles the workloads into dir.
func newLoader(ctx context.Context, dir string) (*loader, error) {
	l := &loader{dir: dir}
	if err := l.compile(ctx, l.program(), loadSource, "-O2", "-static"); err != nil {
		return nil, err
	}
	return l, l.compile(ctx, l.victim(), nothingSource, "-Os", "-static", "-nostdlib")
}

func (l *loader) program() string { return filepath.Join(l.dir, "load") }
func (l *loader) victim() string  { return filepath.Join(l.dir, mark) }

func (l *loader) compile(ctx context.Context, to string, source []byte, flags ...string) error {
	file := to + ".c"
	if err := os.WriteFile(file, source, 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "gcc", append(flags, "-o", to, file)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%sgcc %s: %w", out, filepath.Base(file), err)
	}
	return nil
}

// push makes some hundred events that are not the workload's.
func (l *loader) push(ctx context.Context, w Workload) error {
	args := []string{string(Exec), "0.2", "1000", "1", "/bin/true", "push"}
	if w == Connect {
		args = []string{string(Connect), "0.2", "1000"}
	}
	return exec.CommandContext(ctx, l.program(), args...).Run()
}

// run runs a workload for so long, at so many operations a second (0: as many as there can be) by so many processes.
func (l *loader) run(ctx context.Context, w Workload, d time.Duration, rate, jobs int) (load, error) {
	args := []string{string(w), strconv.FormatFloat(d.Seconds(), 'f', -1, 64)}
	switch w {
	case Exec:
		args = append(args, strconv.Itoa(rate), strconv.Itoa(jobs), l.victim(), mark)
	case Connect:
		args = append(args, strconv.Itoa(rate))
	}
	cmd := exec.CommandContext(ctx, l.program(), args...)
	out, err := cmd.Output()
	if err != nil {
		return load{}, fmt.Errorf("workload %s: %w", w, err)
	}
	return parseLoad(w, string(out))
}

func parseLoad(w Workload, text string) (load, error) {
	done := load{Workload: w}
	if n, _ := fmt.Sscanf(text, "operations %d ns %d cpu %d port %d", &done.Operations, &done.Elapsed, &done.CPU, &done.Port); n < 4 || done.Operations == 0 {
		return load{}, fmt.Errorf("workload %s: says %q", w, text)
	}
	return done, nil
}

// sleepers are processes that only are there. end takes them away.
func (l *loader) sleepers(n int) (end func() error, err error) {
	cmd := exec.Command(l.program(), "sleep", strconv.Itoa(n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	end = func() error {
		in.Close()
		_ = cmd.Wait() // it is killed with its group, by itself
		return nil
	}
	if _, err := out.Read(make([]byte, 64)); err != nil {
		return nil, fmt.Errorf("%d processes: %w", n, err)
	}
	return end, nil
}
