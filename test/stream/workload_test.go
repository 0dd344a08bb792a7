package stream_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/schema"
)

// workload does things on this machine, and notes each as a fact.
type workload struct {
	t      *testing.T
	marker string // an argument of each process that it starts
	// joined is what its events are to be joined with.
	joined fact

	mu    sync.Mutex
	facts []fact
}

func newWorkload(t *testing.T) *workload {
	return &workload{t: t, marker: fmt.Sprintf("weir-test-%016x", rand.Uint64())}
}

// done returns what the workload has done so far.
func (w *workload) done() []fact {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.facts)
}

func (w *workload) note(facts ...fact) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range facts {
		f.PPID = os.Getpid()
		f.Instance, f.Service, f.Version = w.joined.Instance, w.joined.Service, w.joined.Version
		w.facts = append(w.facts, f)
	}
}

// run runs a program, whose arguments must have the marker, to its end: an exec and an exit.
func (w *workload) run(args ...string) (stdout []byte) {
	w.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	stdout, err := cmd.Output()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		w.t.Errorf("workload: %v", err)
		return nil
	}
	status, pid := cmd.ProcessState.Sys().(syscall.WaitStatus), cmd.Process.Pid
	end := fact{Kind: schema.ProcessExit.Name, PID: pid}
	if status.Signaled() {
		end.Signal = unix.SignalName(status.Signal())
	} else {
		end.Code = status.ExitStatus()
	}
	begin := fact{Kind: schema.ProcessExec.Name, PID: pid, Raw: joined(args), Count: len(args)}
	begin.Text = string([]rune(begin.Raw)) // each byte that is not UTF-8 becomes U+FFFD
	w.note(begin, end)
	return stdout
}

// processes runs programs with n plain and with hostile arguments, and ends some by exit codes and signals.
func (w *workload) processes(n int) {
	for i := range n {
		w.run("/bin/true", w.marker, fmt.Sprint(i))
	}
	for _, argument := range hostile {
		w.run("/bin/true", w.marker, argument)
	}
	for _, code := range []int{1, 7, 126, 255} {
		w.run("/bin/sh", "-c", fmt.Sprintf("exit %d", code), w.marker)
	}
	for _, signal := range []string{"TERM", "KILL", "USR1", "HUP"} {
		w.run("/bin/sh", "-c", "kill -"+signal+" $$", w.marker)
	}
}

// hostile are arguments that programs on the way have stumbled over elsewhere.
var hostile = []string{
	"", " ", "\xff\xfe\x80", "caf\xe9", "a\nb\rc\td", "\x1b[31mred\x1b]0;title\a", `"quoted" \back\ 'single'`, "{\"json\":[1]}",
	"é漢字🦦", "\u202egnp.exe", "\u2028\ufeff\ufffd", "\xed\xa0\x80", "%s%n", "$(reboot)",
	strings.Repeat("0123456789", 390), // an exec event holds 4 KiB
}

// network has a process listen, connect, be refused, talk and close, over IPv4, IPv6 and IPv4 by way of IPv6,
// so many times each.
func (w *workload) network(rounds int) {
	w.t.Helper()
	self, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	var facts []fact
	if out := w.run(self, networkWord, w.marker, fmt.Sprint(rounds)); json.Unmarshal(out, &facts) != nil || len(facts) == 0 {
		w.t.Errorf("workload: the process that talks says %q", out)
	}
	w.note(facts...)
}

// load is a workload that goes on in the background.
type load struct {
	*workload
	steps atomic.Int64
	end   context.CancelFunc
	over  chan struct{}
}

// Bounds of a load, whatever becomes of its test.
const (
	loadSteps = 10_000
	loadPause = 15 * time.Millisecond
	talkEvery = 25 // steps
)

// goOn runs processes, and now and then one that talks, until it is stopped.
func (w *workload) goOn() *load {
	ctx, end := context.WithCancel(w.t.Context())
	l := &load{workload: w, end: end, over: make(chan struct{})}
	go func() {
		defer close(l.over)
		pace := time.NewTicker(loadPause)
		defer pace.Stop()
		for step := range loadSteps {
			if step%talkEvery == 0 {
				w.network(1)
			}
			w.run("/bin/true", w.marker, fmt.Sprint(step))
			l.steps.Add(1)
			select {
			case <-ctx.Done():
				return
			case <-pace.C:
			}
		}
	}()
	w.t.Cleanup(l.stop)
	return l
}

// stop ends the load.
func (l *load) stop() {
	l.end()
	<-l.over
}

// doesMore waits for n more steps.
func (l *load) doesMore(n int64) {
	l.t.Helper()
	want := l.steps.Load() + n
	await(l.t, "load", func() error {
		select {
		case <-l.over:
			l.t.Fatalf("the load is over after %d steps; it was too short for the test", l.steps.Load())
		default:
		}
		if have := l.steps.Load(); have < want {
			return fmt.Errorf("%d steps, not %d", have, want)
		}
		return nil
	})
}
