package attach

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// socketPair is a pair of unix sockets, each as a file.
func socketPair(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	t.Cleanup(func() { ours.Close(); theirs.Close() })
	return ours, theirs
}

func TestAcceptOnAListenerThatWasPassed(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	ours, theirs := socketPair(t)
	if err := send(int(ours.Fd()), int(file(t, l).Fd())); err != nil {
		t.Fatal(err)
	}
	a := starts(t, "serve passed", theirs)
	v := visits(t, "tcp4", l.Addr().String())
	a.ends()
	w.isTold(v, false)
}

// Two processes listen on one port; the kernel chooses which of them gets a connection.
func TestAcceptOnAPortThatIsReused(t *testing.T) {
	w := watchShared(t)
	reuse := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		return c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
	}}
	reuse.SetMultipathTCP(false)
	first, err := reuse.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := reuse.Listen(t.Context(), "tcp4", first.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	waiting := map[uint32]*acceptor{}
	for _, l := range []net.Listener{first, second} {
		a := starts(t, "serve address", file(t, l.(*net.TCPListener)))
		waiting[uint32(a.cmd.Process.Pid)] = a
	}
	v := visits(t, "tcp4", first.Addr().String())
	w.isToldOf(v, waiting[v.pid])
	for pid, other := range waiting {
		if pid != v.pid {
			other.cmd.Process.Kill()
			other.cmd.Wait()
		}
	}
}

func (w *watcher) isToldOf(v visit, a *acceptor) {
	w.Helper()
	if a == nil {
		w.Fatalf("process %d is none of the acceptors", v.pid)
	}
	a.ends()
	w.isTold(v, false)
}

// Every listener that Go makes is one of MPTCP. A client may be of TCP or of MPTCP.
func TestAcceptOnAListenerOfMPTCP(t *testing.T) {
	for name, multipath := range map[string]bool{"client of TCP": false, "client of MPTCP": true} {
		t.Run(name, func(t *testing.T) {
			w := watchShared(t)
			l, err := net.Listen("tcp4", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			a := starts(t, "serve address", file(t, l.(*net.TCPListener)))
			var d net.Dialer
			d.SetMultipathTCP(multipath)
			c, err := d.Dial("tcp4", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			v := asks(t, c)
			c.Close()
			a.ends()
			if got := w.acceptOf(v.local, v.remote); got.Head.Actor.Key.Tgid != v.pid || got.Late != 0 {
				t.Errorf("%+v; want process %d", got, v.pid)
			}
		})
	}
}

// accept was called before the hooks were there: no rung sees it return.
func TestAcceptThatWaitedBeforeTheHooksWereThere(t *testing.T) {
	l := listen(t, "tcp4", "127.0.0.1:0")
	a := starts(t, "serve null", file(t, l))
	awaitCall(t, a.cmd.Process.Pid, unix.SYS_ACCEPT4)
	w := watch(t, Default())
	v := visits(t, "tcp4", l.Addr().String())
	a.ends()
	w.isTold(v, true)
}

// awaitCall returns when a thread of the process is within the system call.
func awaitCall(t *testing.T, pid, call int) {
	t.Helper()
	want := strconv.Itoa(call) + " "
	for range time.Tick(time.Millisecond) {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		if err != nil || len(threads) == 0 {
			t.Fatalf("process %d: %v", pid, err)
		}
		for _, path := range threads {
			if text, err := os.ReadFile(path); err == nil && strings.HasPrefix(string(text), want) {
				return
			}
		}
	}
}

// The process that accepts is not the one that closes: it passes the connection on, or becomes another user.
func TestAcceptIsNotTheClosers(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	ours, theirs := socketPair(t)
	a := starts(t, "pass", file(t, l), theirs)
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	v := asks(t, c)
	connection, err := receive(int(ours.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	a.ends()
	if _, err := unix.Getpeername(connection); err != nil { // who asks first need not be who accepted
		t.Fatal(err)
	}
	c.Close()
	unix.Close(connection)

	accepted, closed := w.acceptOf(v.local, v.remote), w.closeOf(v.local, v.remote)
	if closed.NeverAccepted != 0 {
		t.Errorf("%+v", closed)
	}
	if w.seesEveryAccept() {
		if accepted.Head.Actor.Key.Tgid != v.pid || closed.Head.Actor.Key.Tgid != v.pid || closed.Closer.Tgid != uint32(os.Getpid()) {
			t.Errorf("accept %+v\nclose %+v", accepted, closed)
		}
		return
	}
	if accepted.Late != 1 || !accepted.Head.Actor.Key.IsZero() || !byMe(closed.Head.Actor) || closed.ActorIsCloser != 1 {
		t.Errorf("accept %+v\nclose %+v", accepted, closed)
	}
}

func TestAcceptByWhoIsAnotherUserAtTheEnd(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	a := starts(t, "user", file(t, l))
	v := visits(t, "tcp4", l.Addr().String())
	a.ends()
	accepted, closed := w.acceptOf(v.local, v.remote), w.closeOf(v.local, v.remote)
	if w.seesEveryAccept() {
		w.isTold(v, false)
	} else if !accepted.Head.Actor.Key.IsZero() || closed.ActorIsCloser != 1 {
		t.Errorf("accept %+v\nclose %+v", accepted, closed)
	}
	if closed.Head.Actor.Key.Tgid != v.pid {
		t.Errorf("%+v", closed)
	}
}

func TestAcceptIsNoEventForWhatNobodyAccepted(t *testing.T) {
	for name, end := range map[string]func(incoming){
		"closed by the client": func(i incoming) { i.client.Close(); i.listener.Close() },
		"reset by the client":  func(i incoming) { i.reset() },
		"listener closed":      func(i incoming) { i.listener.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w := watchShared(t)
			i := w.incoming()
			end(i)
			if got := w.closeOf(i.local, i.remote); got.NeverAccepted != 1 || got.Direction != uint8(bpf.DirectionInbound) {
				t.Errorf("%+v", got)
			}
			i.client.Close()
			w.drain()
			if got := i.told(&w.seen); got != nil {
				t.Errorf("%+v", got)
			}
		})
	}
}
