package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// tool is a program that writes a line an event to a file. It collects lines before it writes some: so what it tells
// of has come out only when more has happened.
type tool struct {
	process
	bench    *bench
	workload Workload
	events   string // the file
	also     int    // a process that works for it, or 0
	isEvent  func(line []byte) bool
	port     int // the field of a line that is the port that a connection went to
}

func toolContender(name, note string, of Workload, program string, port int) contender {
	loads := []Workload{of}
	if of == Exec {
		loads = append(loads, Getppid)
	}
	return contender{name: name, note: note, loads: loads, start: func(_ context.Context, b *bench, w Workload) (watcher, error) {
		return startTool(b, program, w, port)
	}}
}

func startTool(b *bench, program string, w Workload, port int) (watcher, error) {
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("%s: not installed", program)
	}
	if err := mountTracing(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.dir, program+"-")
	if err != nil {
		return nil, err
	}
	t := &tool{bench: b, workload: w, port: port, isEvent: func([]byte) bool { return true }}
	err = t.start(dir, exec.Command(path))
	t.events = t.out
	return t, err
}

// mountTracing mounts what tools find tracepoints in, where it is missing. It stays.
func mountTracing() error {
	const at = "/sys/kernel/tracing"
	if entries, err := os.ReadDir(at); err != nil || len(entries) > 0 {
		return err
	}
	if err := unix.Mount("tracefs", at, "tracefs", 0, ""); err != nil {
		return fmt.Errorf("mount %s: %w", at, err)
	}
	return nil
}

func (t *tool) processes() []int {
	if t.also != 0 {
		return append(t.process.processes(), t.also)
	}
	return t.process.processes()
}

// restful is the CPU time between two looks below which a tool is at rest: a hundredth of a core.
const restful = look / 100

// settle waits until the tool rests.
func (t *tool) settle(ctx context.Context, _ load, _ int) error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		before, err := t.cpu()
		if err := errors.Join(err, pass(ctx, look)); err != nil {
			return err
		}
		if after, err := t.cpu(); err != nil || after-before < restful {
			return err
		}
	}
	return nil
}

func (t *tool) cpu() (sum time.Duration, err error) {
	for _, pid := range t.processes() {
		used, err := cpuTime(pid)
		if err != nil {
			return 0, cmp.Or(t.ended(), err)
		}
		sum += used
	}
	return sum, nil
}

// seen has more happen, so that what is still collected comes out, and counts.
func (t *tool) seen(ctx context.Context, l load) (tally, error) {
	if err := t.bench.load.push(ctx, t.workload); err != nil {
		return tally{}, err
	}
	if err := t.settle(ctx, l, 0); err != nil {
		return tally{}, err
	}
	is, all := t.linesOf(l), 0
	n, size, err := countLines(t.events, func(line []byte) bool {
		if !t.isEvent(line) {
			return false
		}
		all++
		return is(line)
	})
	if os.IsNotExist(err) {
		return tally{}, nil
	}
	return tally{operations: n, events: all, bytes: size}, err
}

// linesOf tells which lines tell of a workload's operations. The storm's own exec has the program's path as well.
func (t *tool) linesOf(l load) func(line []byte) bool {
	if l.Workload != Connect {
		storm := []byte(t.bench.load.program())
		return func(line []byte) bool { return bytes.Contains(line, []byte("/"+mark)) && !bytes.Contains(line, storm) }
	}
	port := []byte(strconv.Itoa(l.Port))
	return func(line []byte) bool {
		fields := bytes.Fields(line)
		return len(fields) > t.port && bytes.Equal(fields[t.port], port)
	}
}

// unpackOnce unpacks Debian packages without installing them: their services would be started, and stay.
func unpackOnce(ctx context.Context, dir string, packages ...string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	fetch := exec.CommandContext(ctx, "apt-get", append([]string{"download", "-q"}, packages...)...)
	fetch.Dir = dir
	if out, err := fetch.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w", lastLine(out), err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if out, unpackErr := exec.CommandContext(ctx, "dpkg-deb", "-x", file, dir).CombinedOutput(); unpackErr != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", lastLine(out), unpackErr))
		}
	}
	return err
}

func lastLine(text []byte) string {
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	return string(lines[len(lines)-1])
}
