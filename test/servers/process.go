package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	startTimeout = 2 * time.Minute // ten times what it takes, for a busy machine
	stopTimeout  = 30 * time.Second
	pollInterval = 50 * time.Millisecond
	tailBytes    = 8 << 10
)

// process is a server that runs, or ran.
type process struct {
	t    T
	name string
	log  string // path of its output
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // why, once done is closed
}

// launch starts a server whose output goes to the file log, and kills it when the test or this process ends.
func launch(t T, name, log string, cmd *exec.Cmd) *process {
	t.Helper()
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatalf("servers: %v", err)
	}
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	p := &process{t: t, name: name, log: log, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		t.Fatalf("servers: start %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("end of %s's log:\n%s", name, p.tail())
		}
	})
	return p
}

// run owns the thread that the process was started from: its end would be the process's.
func (p *process) run(started chan<- error) {
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

// await returns once ready says so.
func (p *process) await(ready func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !ready() {
		select {
		case <-p.done:
			p.t.Fatalf("servers: %s ended while it started (%v):\n%s", p.name, p.err, p.tail())
		case <-ctx.Done():
			p.t.Fatalf("servers: %s is not ready after %v:\n%s", p.name, startTimeout, p.tail())
		case <-tick.C:
		}
	}
}

// kill ends the process at once, and waits.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-tailBytes):])
}

// says reports how often the log has a text.
func (p *process) says(text string) int {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return 0
	}
	return bytes.Count(log, []byte(text))
}

// freePorts returns ports of 127.0.0.1 that nobody listens on.
func freePorts(t T, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("servers: %v", err)
		}
		defer l.Close() // all at the end, so that no port comes twice
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports
}

// mustBeFree fails the test where another server answers: it would be tested instead of ours.
func mustBeFree(t T, address string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err == nil {
		conn.Close()
		t.Fatalf("servers: somebody else answers at %s", address)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Fatalf("servers: %s: %v", address, err)
	}
}

// local is an address of this machine.
func local(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }

// jvm are the flags with which servers start fastest and stay small.
func jvm(heap string) []string {
	return strings.Fields("-Xmx" + heap + " -XX:+UseSerialGC -XX:TieredStopAtLevel=1")
}
