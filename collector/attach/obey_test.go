package attach

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// obey does one thing a line, by one of two threads, and says when it is done. First it says the second's id.
func obey() {
	runtime.LockOSThread()
	byThread, done := make(chan struct{}), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		fmt.Println(unix.Gettid())
		for range byThread {
			forkAndWait()
			done <- struct{}{}
		}
	}()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch lines.Text() {
		case "fork":
			forkAndWait()
		case "fork by thread":
			byThread <- struct{}{}
			<-done
		}
		fmt.Println("done")
	}
}

func forkAndWait() {
	path := "/proc/self/exe"
	pid, err := syscall.ForkExec(path, []string{path}, &syscall.ProcAttr{Env: []string{behaviour + "=exit 0", atOnce}})
	if err == nil {
		_, err = syscall.Wait4(pid, nil, 0, nil)
	}
	if err != nil {
		fmt.Println(err)
	}
}

// obedience is a child that obeys.
type obedience struct {
	*exec.Cmd
	thread int // id of its second thread; the first one's is its process's
	to     io.WriteCloser
	from   *bufio.Scanner
}

func obedient(t *testing.T) *obedience {
	t.Helper()
	c := &obedience{Cmd: child(t, "obey")}
	var err error
	if c.to, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	c.from = bufio.NewScanner(out)
	c.from.Scan()
	if c.thread, err = strconv.Atoi(c.from.Text()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *obedience) do(t *testing.T, what string) {
	t.Helper()
	if _, err := fmt.Fprintln(c.to, what); err != nil {
		t.Fatal(err)
	}
	if !c.from.Scan() || strings.TrimSpace(c.from.Text()) != "done" {
		t.Fatalf("%s: %q, %v", what, c.from.Text(), c.from.Err())
	}
}

func (c *obedience) fork(t *testing.T)         { t.Helper(); c.do(t, "fork") }
func (c *obedience) forkByThread(t *testing.T) { t.Helper(); c.do(t, "fork by thread") }

// leave ends it.
func (c *obedience) leave(t *testing.T) {
	t.Helper()
	c.to.Close()
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
}
