package stream_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

const (
	patience  = 90 * time.Second // many times what anything takes, for a busy machine
	look      = 50 * time.Millisecond
	tailBytes = 6 << 10
)

// await returns once ready returns nil, and fails the test with its last error after a while.
func await(t *testing.T, what string, ready func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after %s: %v", what, patience, err)
		}
		<-tick.C
	}
}

// program is one of weir's programs that runs, or ran.
type program struct {
	t    *testing.T
	name string
	out  string // path of its standard output
	log  string // path of its standard error
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // why, once done is closed
}

// start starts a program whose output is appended to files in dir. It dies with the test, and the end of its
// log is shown where the test failed.
func start(t *testing.T, dir, name string, args ...string) *program {
	t.Helper()
	p := &program{
		t: t, name: name, out: filepath.Join(dir, name+".out"), log: filepath.Join(dir, name+".log"),
		cmd: exec.Command(built(t, name), args...), done: make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = appendTo(t, p.out), appendTo(t, p.log)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.kill()
		if p.says("WARNING: DATA RACE") > 0 {
			t.Errorf("%s has a data race", name)
		}
		if t.Failed() {
			t.Logf("end of %s's log (process %d):\n%s", name, p.cmd.Process.Pid, tail(p.log))
		}
	})
	return p
}

func appendTo(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// run owns the thread that the process was started from: its end would be the process's.
func (p *program) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	p.err = p.cmd.Wait()
	close(p.done)
}

// stop asks the program to end, and fails the test where it does not end in good order.
func (p *program) stop() {
	p.t.Helper()
	p.endsBy(syscall.SIGTERM)
}

// endsBy is stop by another signal.
func (p *program) endsBy(signal os.Signal) {
	p.t.Helper()
	p.signal(signal)
	p.ends()
}

func (p *program) signal(signal os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatalf("%s to %s: %v; it ended with %v", signal, p.name, err, p.err)
	}
}

// ends waits for the program's end, which has to be a good one.
func (p *program) ends() {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
	}
	if p.err != nil {
		p.t.Fatalf("%s ended with %v", p.name, p.err)
	}
}

// kill ends the program by SIGKILL, and waits.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// says counts how often the program, and those before it in the same directory, logged a text.
func (p *program) says(text string) int { return occurrences(p.t, p.log, text) }

// hasSaid waits until the program has logged a text so many times.
func (p *program) hasSaid(text string, times int) {
	p.t.Helper()
	p.awaits(p.log, text, times)
}

// shows waits until the program's standard output has a text.
func (p *program) shows(text string) {
	p.t.Helper()
	p.awaits(p.out, text, 1)
}

func (p *program) awaits(file, text string, times int) {
	p.t.Helper()
	await(p.t, p.name+" says "+text, func() error {
		select {
		case <-p.done:
			p.t.Fatalf("%s ended with %v before it said %q", p.name, p.err, text)
		default:
		}
		if n := occurrences(p.t, file, text); n < times {
			return fmt.Errorf("it said so %d times, not %d", n, times)
		}
		return nil
	})
}

func occurrences(t *testing.T, file, text string) int {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(content, []byte(text))
}

func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-tailBytes):])
}
