package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirproject/weir/collector/ring"
	"github.com/weirproject/weir/internal/cli"
)

// What a probe does on its hook.
const (
	modeEmpty = "empty"
	modeCount = "count"
	modeFixed = "fixed"
)

// probe is the process of a bound: it attaches, says so, and then answers each port that it is asked for with the
// number of operations that it saw, until standard input ends.
func probe(ctx context.Context, env cli.Env) error {
	if len(env.Args) != 2 {
		return cli.Usagef("probe needs a mode and a workload")
	}
	w := Workload(env.Args[1])
	a, err := attachProbe(env.Args[0], w)
	if err != nil {
		return err
	}
	fmt.Fprintln(env.Stdout, "attached")
	counts := &counts{workload: w, byPort: make(map[int]int)}
	ctx, stop := context.WithCancel(ctx)
	g, ctx := errgroup.WithContext(ctx)
	if a.ring != nil {
		g.Go(func() error { return counts.read(ctx, a) })
	}
	g.Go(func() error {
		defer stop()
		return counts.answer(env.Stdin, env.Stdout)
	})
	return errors.Join(g.Wait(), a.link.Close())
}

// counts are the operations seen, by the port that a connect went to; an exec has port 0.
type counts struct {
	workload Workload
	mu       sync.Mutex
	byPort   map[int]int
}

func (c *counts) read(ctx context.Context, a *attached) error {
	r, err := ring.Open(a.ring)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		_, end, err := r.Read(ctx, 100*time.Millisecond, func(sample []byte, _ uint64) bool { c.add(sample); return true })
		if err != nil {
			return errors.Join(err, r.Close())
		}
		r.Release(end)
	}
	return r.Close()
}

func (c *counts) add(record []byte) {
	port, ok := 0, false
	if c.workload == Connect {
		port = int(binary.BigEndian.Uint16(record[socketAt+12:])) // skc_dport
		ok = record[stateAt] == tcpEstablished
	} else {
		ok = bytes.HasPrefix(record[commAt:], []byte(mark))
	}
	if ok {
		c.mu.Lock()
		c.byPort[port]++
		c.mu.Unlock()
	}
}

func (c *counts) answer(questions io.Reader, answers io.Writer) error {
	for lines := bufio.NewScanner(questions); lines.Scan(); {
		port, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		c.mu.Lock()
		n := c.byPort[port]
		c.mu.Unlock()
		if _, err := fmt.Fprintln(answers, n); err != nil {
			return err
		}
	}
	return nil
}

func probeContender(name, mode, note string) contender {
	return contender{name: name, note: note, loads: []Workload{Exec, Connect, Getppid},
		start: func(ctx context.Context, _ *bench, w Workload) (watcher, error) { return startBound(ctx, mode, w) }}
}

// bound is a probe that runs.
type bound struct {
	mode string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func startBound(ctx context.Context, mode string, w Workload) (*bound, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &bound{mode: mode, cmd: exec.CommandContext(ctx, self, "probe", mode, string(w))}
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := p.line(); err != nil {
		return nil, fmt.Errorf("probe %s %s: %w", mode, w, errors.Join(err, p.stop()))
	}
	return p, nil
}

func (p *bound) line() (string, error) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSpace(line), err
}

func (p *bound) processes() []int { return []int{p.cmd.Process.Pid} }

func (p *bound) settle(ctx context.Context, l load, wanted int) error {
	if p.mode != modeFixed {
		return nil
	}
	return await(ctx, wanted, func() (tally, error) { return p.seen(ctx, l) })
}

func (p *bound) seen(_ context.Context, l load) (tally, error) {
	if p.mode != modeFixed {
		return tally{untold: true}, nil
	}
	if _, err := fmt.Fprintln(p.in, l.Port); err != nil {
		return tally{}, err
	}
	line, err := p.line()
	if err != nil {
		return tally{}, err
	}
	n, err := strconv.Atoi(line)
	return tally{operations: n, events: n, bytes: int64(n) * recordBytes}, err
}

func (p *bound) stop() error { return errors.Join(p.in.Close(), p.cmd.Wait()) }
