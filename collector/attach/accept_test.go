package attach

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// acceptOf waits for the accept of a connection with these two ends, and finds that there is one alone.
func (w *watcher) acceptOf(local, remote netip.AddrPort) *bpf.AcceptSample {
	w.Helper()
	of := func(s *bpf.AcceptSample) bool {
		return s.Connection.LocalEnd() == local && s.Connection.RemoteEnd() == remote
	}
	got := until(w, "network.accept", func(e *events) *bpf.AcceptSample { return one(e.accepts, of) })
	w.drain()
	if n := len(filter(w.seen.accepts, of)); n != 1 {
		w.Errorf("%d accepts of one connection", n)
	}
	return got
}

func filter[S any](all []S, fits func(*S) bool) (fitting []*S) {
	for i := range all {
		if fits(&all[i]) {
			fitting = append(fitting, &all[i])
		}
	}
	return fitting
}

// seesEveryAccept reports whether the rung sees those that ask for no address.
func (w *watcher) seesEveryAccept() bool { return !w.rungOf(bpf.KindNetworkAccept).Admits(lacksTime) }

// acceptor is a process that is about to accept.
type acceptor struct {
	*testing.T
	cmd *exec.Cmd
}

// starts runs a child that is given these files, and waits until it is ready.
func starts(t *testing.T, what string, files ...*os.File) *acceptor {
	t.Helper()
	cmd := child(t, what)
	cmd.ExtraFiles, cmd.Stderr = files, os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	a := &acceptor{t, cmd}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%s: %q %v; %v", what, line, err, cmd.Wait())
	}
	return a
}

// ends waits for the child's end.
func (a *acceptor) ends() {
	a.Helper()
	if err := a.cmd.Wait(); err != nil {
		a.Errorf("%s: %v", a.cmd.Env, err)
	}
}

// visit connects, is told who accepted, and closes.
type visit struct {
	local, remote netip.AddrPort // as the acceptor has them
	pid, tid      uint32
}

func visits(t *testing.T, network, address string) visit {
	t.Helper()
	c, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return asks(t, c)
}

func asks(t *testing.T, c net.Conn) visit {
	t.Helper()
	var signature [8]byte
	if _, err := io.ReadFull(c, signature[:]); err != nil {
		t.Fatal(err)
	}
	return visit{
		end(c.RemoteAddr()), end(c.LocalAddr()),
		binary.NativeEndian.Uint32(signature[:4]), binary.NativeEndian.Uint32(signature[4:]),
	}
}

// isTold checks the events of a connection against what its acceptor has written: the accept names it, its thread
// and its owner; the close goes with it, and has the same owner.
func (w *watcher) isTold(v visit, late bool) {
	w.Helper()
	accepted, closed := w.acceptOf(v.local, v.remote), w.closeOf(v.local, v.remote)
	if got := accepted.Head.Actor; got.Key.Tgid != v.pid || got.Key.StartNs == 0 || (got.Tid != v.tid && !late) {
		w.Errorf("accepted by %+v; want process %d, thread %d", got, v.pid, v.tid)
	}
	if (accepted.Late != 0) != late || (accepted.LatencyNs == 0) != late {
		w.Errorf("late %d, latency %d ns; want late %v", accepted.Late, accepted.LatencyNs, late)
	}
	if accepted.Connection.Socket == 0 || accepted.Connection != closed.Connection {
		w.Errorf("accept of %+v, close of %+v", accepted.Connection, closed.Connection)
	}
	if closed.Head.Actor.Key != accepted.Head.Actor.Key || closed.ActorIsCloser != 0 || closed.NeverAccepted != 0 || closed.Direction != uint8(bpf.DirectionInbound) {
		w.Errorf("close %+v", closed)
	}
}

func file(t *testing.T, l *net.TCPListener) *os.File {
	t.Helper()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestAcceptNamesTheTaskToWhichItReturned(t *testing.T) {
	for how, asksAddress := range map[string]bool{
		"address": true, "accept4": true, "nonblocking": true, "epoll": true, "thread": true, "null": false,
	} {
		t.Run(how, func(t *testing.T) {
			w := watchShared(t)
			l := listen(t, "tcp4", "127.0.0.1:0")
			a := starts(t, "serve "+how, file(t, l))
			v := visits(t, "tcp4", l.Addr().String())
			a.ends()
			w.isTold(v, !asksAddress && !w.seesEveryAccept())
		})
	}
}

func TestAcceptOfEveryFamily(t *testing.T) {
	for name, c := range map[string]struct{ listen, network, host string }{
		"IPv6":       {"[::1]:0", "tcp6", "::1"},
		"dual stack": {"[::]:0", "tcp6", "::1"},
		"mapped":     {"[::]:0", "tcp4", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := watchShared(t)
			l := listen(t, "tcp", c.listen)
			_, port, _ := net.SplitHostPort(l.Addr().String())
			a := starts(t, "serve address", file(t, l))
			v := visits(t, c.network, net.JoinHostPort(c.host, port))
			a.ends()
			w.isTold(v, false)
			if got := w.acceptOf(v.local, v.remote); (got.Connection.Ipv4Mapped != 0) != (name == "mapped") {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestAcceptByForkedWorkersOfOneListener(t *testing.T) {
	for name, length := range map[string]uint32{"address": unix.SizeofSockaddrInet6, "null": 0} {
		t.Run(name, func(t *testing.T) {
			w := watchShared(t)
			l := listen(t, "tcp4", "127.0.0.1:0")
			f := file(t, l)
			const workers = 3
			for range workers {
				if _, errno := forkedWorker(f.Fd(), length); errno != 0 {
					t.Fatal(errno)
				}
			}
			named := map[uint32]bool{}
			for range workers {
				v := visits(t, "tcp4", l.Addr().String())
				named[v.pid] = true
				var status unix.WaitStatus
				if _, err := unix.Wait4(int(v.pid), &status, 0, nil); err != nil || status.ExitStatus() != 0 {
					t.Errorf("worker %d: %v %v", v.pid, status, err)
				}
				w.isTold(v, length == 0 && !w.seesEveryAccept())
			}
			if len(named) != workers || named[uint32(os.Getpid())] {
				t.Errorf("the workers are %v, this process %d", named, os.Getpid())
			}
		})
	}
}
