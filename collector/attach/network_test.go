package attach

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// listen is a plain TCP listener: Go's own would be MPTCP's.
func listen(t *testing.T, network, address string) *net.TCPListener {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	l, err := config.Listen(t.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

func end(a net.Addr) netip.AddrPort {
	ap := a.(*net.TCPAddr).AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// connectFrom waits for the connect from a local end, closeOf for a close with these two ends.
func (w *watcher) connectFrom(local netip.AddrPort) *bpf.ConnectSample {
	w.Helper()
	return until(w, "network.connect", func(e *events) *bpf.ConnectSample {
		return one(e.connects, func(s *bpf.ConnectSample) bool { return s.Connection.LocalEnd() == local })
	})
}

func (w *watcher) connectTo(remote netip.AddrPort) *bpf.ConnectSample {
	w.Helper()
	return until(w, "network.connect", func(e *events) *bpf.ConnectSample {
		return one(e.connects, func(s *bpf.ConnectSample) bool { return s.Connection.RemoteEnd() == remote })
	})
}

func (w *watcher) closeOf(local, remote netip.AddrPort) *bpf.CloseSample {
	w.Helper()
	return until(w, "network.close", func(e *events) *bpf.CloseSample {
		return one(e.closes, func(s *bpf.CloseSample) bool {
			return s.Connection.LocalEnd() == local && s.Connection.RemoteEnd() == remote
		})
	})
}

// byMe reports whether the actor is this process.
func byMe(a bpf.Actor) bool {
	return a.Key.Tgid == uint32(os.Getpid()) && a.Key.StartNs > 0 && a.Tid > 0
}

func TestConnectAndCloseOfOneConnection(t *testing.T) {
	for _, c := range []struct{ name, network, listen, dial string }{
		{"IPv4", "tcp4", "127.0.0.1:0", "127.0.0.1"},
		{"IPv6", "tcp6", "[::1]:0", "::1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := watchShared(t)
			l := listen(t, c.network, c.listen)
			local, remote := exchange(t, c.network, l)
			connected, closed, passive := w.connectFrom(local), w.closeOf(local, remote), w.closeOf(remote, local)

			if !byMe(connected.Head.Actor) || connected.Connection.RemoteEnd() != remote || connected.Error != 0 || connected.FailedUnknown != 0 || connected.LatencyNs == 0 {
				t.Errorf("connect %+v", connected)
			}
			if !byMe(closed.Head.Actor) || closed.ActorIsCloser != 0 || closed.Direction != uint8(bpf.DirectionOutbound) || closed.Connection.Socket != connected.Connection.Socket {
				t.Errorf("close %+v", closed)
			}
			if !byMe(passive.Head.Actor) || passive.ActorIsCloser != 1 || passive.Direction != uint8(bpf.DirectionInbound) || passive.DurationNs == 0 {
				t.Errorf("close of the other end %+v", passive)
			}
			want := []uint64{5, 7, 7, 5}
			if diff := cmp.Diff(want, []uint64{closed.SentBytes, closed.ReceivedBytes, passive.SentBytes, passive.ReceivedBytes}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// exchange sends 5 bytes and gets 7, and closes both ends, the client's first.
func exchange(t *testing.T, network string, l *net.TCPListener) (local, remote netip.AddrPort) {
	t.Helper()
	client, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		from, to net.Conn
		text     string
	}{{client, server, "hello"}, {server, client, "welcome"}} {
		if _, err := io.WriteString(step.from, step.text); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(step.to, make([]byte, len(step.text))); err != nil {
			t.Fatal(err)
		}
	}
	client.Close()
	if _, err := io.ReadAll(server); err != nil {
		t.Fatal(err)
	}
	server.Close()
	return end(client.LocalAddr()), end(client.RemoteAddr())
}

func TestConnectThroughAMappedAddressIsIPv4(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	remote := end(l.Addr())
	if err := unix.Connect(fd, &unix.SockaddrInet6{Addr: netip.AddrFrom16(remote.Addr().As16()).As16(), Port: int(remote.Port())}); err != nil {
		t.Fatal(err)
	}
	got := w.connectTo(remote)
	if !byMe(got.Head.Actor) || got.Connection.Ipv4Mapped != 1 || got.Connection.LocalEnd().Addr() != remote.Addr() {
		t.Errorf("%+v", got)
	}
}

func TestConnectThatIsRefusedTellsErrno(t *testing.T) {
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		w := watchShared(t)
		l := listen(t, network, address)
		remote := end(l.Addr())
		l.Close()
		if c, err := net.Dial(network, remote.String()); err == nil {
			c.Close()
			t.Fatal("connected to nobody")
		}
		got := w.connectTo(remote)
		if !byMe(got.Head.Actor) || got.Error != uint32(unix.ECONNREFUSED) || got.Connection.LocalPort == 0 {
			t.Errorf("%s: %+v", network, got)
		}
	}
}

func TestConnectToItselfIsOneConnect(t *testing.T) {
	w := watchShared(t)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	here := &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Bind(fd, here); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, bound); err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	self := netip.AddrPortFrom(netip.AddrFrom4(here.Addr), uint16(bound.(*unix.SockaddrInet4).Port))
	connected, closed := w.connectFrom(self), w.closeOf(self, self)
	if !byMe(connected.Head.Actor) || connected.Error != 0 || closed.Direction != uint8(bpf.DirectionOutbound) || closed.Connection.Socket != connected.Connection.Socket {
		t.Errorf("%+v\n%+v", connected, closed)
	}
}

// A reset comes in softirq, while the client is current: it did not close this end, and nobody here did.
func TestCloseByTheOtherEndsResetHasNoActor(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	cmd := child(t, fmt.Sprintf("reset %d", end(l.Addr()).Port()))
	pid, status := ended(t, cmd)
	if status.ExitStatus() != 0 {
		t.Fatal("the client failed")
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	local, remote := end(server.LocalAddr()), end(server.RemoteAddr())
	passive, active := w.closeOf(local, remote), w.closeOf(remote, local)
	if passive.Head.Actor.Key != (bpf.ProcessKey{}) || passive.Head.Actor.Uid != ^uint32(0) || passive.Error != uint32(unix.ECONNRESET) || passive.ActorIsCloser != 0 {
		t.Errorf("%+v", passive)
	}
	if active.Head.Actor.Key.Tgid != uint32(pid) || active.ActorIsCloser != 0 {
		t.Errorf("%+v", active)
	}
}

// Closing with unread data resets: ESTABLISHED goes to CLOSE at once, in the closer's context.
func TestCloseWithUnreadDataNamesTheCloser(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "unread"); err != nil {
		t.Fatal(err)
	}
	server.Close()
	got := w.closeOf(end(server.LocalAddr()), end(server.RemoteAddr()))
	if !byMe(got.Head.Actor) || got.ActorIsCloser != 1 || got.ReceivedBytes != 6 {
		t.Errorf("%+v", got)
	}
}

func TestListenTellsItsEnd(t *testing.T) {
	w := watchShared(t)
	for _, c := range []struct {
		address string
		dual    uint16
	}{{"127.0.0.1:0", 0}, {"[::1]:0", 0}, {"[::]:0", 1}} {
		l := listen(t, "tcp", c.address)
		want := end(l.Addr())
		got := until(w, "network.listen", func(e *events) *bpf.ListenSample {
			return one(e.listens, func(s *bpf.ListenSample) bool { return s.End() == want })
		})
		if !byMe(got.Head.Actor) || got.DualStack != c.dual || got.Backlog == 0 || got.NetworkNamespace == 0 {
			t.Errorf("%s: %+v", c.address, got)
		}
	}
}

func TestListenWithoutBindTellsItsPortWhereTheRungCan(t *testing.T) {
	w := watchShared(t)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Listen(fd, 77); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	want := uint16(bound.(*unix.SockaddrInet4).Port)
	if w.rungOf(bpf.KindNetworkListen).Lacks != "" {
		want = 0
	}
	got := until(w, "network.listen", func(e *events) *bpf.ListenSample {
		return one(e.listens, func(s *bpf.ListenSample) bool { return s.Backlog == 77 })
	})
	if got.Port != want || !byMe(got.Head.Actor) {
		t.Errorf("%+v; want port %d", got, want)
	}
}

func (w *watcher) rungOf(kind bpf.Kind) *bpf.Rung {
	w.Helper()
	for _, c := range w.Coverage() {
		if c.Kind == kind && c.Rung != nil {
			return c.Rung
		}
	}
	w.Fatalf("%s has no rung", kind)
	return nil
}

// In a network namespace of its own a machine has no route to anywhere.
func TestConnectWithoutARouteIsSeenWhereTheRungCan(t *testing.T) {
	w := watchShared(t)
	inNewNetwork(t, func() {
		for network, address := range map[string]string{"tcp4": "192.0.2.1:80", "tcp6": "[2001:db8::1]:80"} {
			if err := plainConnect(network, netip.MustParseAddrPort(address)); err == nil {
				t.Errorf("connected to %s", address)
			}
		}
	})
	if w.rungOf(bpf.KindNetworkConnect).Lacks != "" {
		if got := w.myConnects(); len(got) != 0 {
			t.Errorf("%+v", got)
		}
		return
	}
	for _, address := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
		got := w.connectTo(netip.MustParseAddrPort(address))
		if !byMe(got.Head.Actor) || (got.Error != uint32(unix.ENETUNREACH) && got.Error != uint32(unix.EADDRNOTAVAIL)) {
			t.Errorf("%s: %+v", address, got)
		}
	}
}

// Two sockets of one port cannot both reach the same end: SYN_SENT is taken back before a SYN leaves.
func TestConnectWithoutAFreePortIsOneEvent(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	remote := end(l.Addr())
	first, port := boundSocket(t, 0)
	defer unix.Close(first)
	second, _ := boundSocket(t, port)
	defer unix.Close(second)
	to := &unix.SockaddrInet4{Addr: remote.Addr().As4(), Port: int(remote.Port())}
	if err := unix.Connect(first, to); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(second, to); err != unix.EADDRNOTAVAIL {
		t.Fatalf("connect = %v, want EADDRNOTAVAIL", err)
	}
	want := bpf.ConnectSample{FailedUnknown: 1}
	if w.rungOf(bpf.KindNetworkConnect).Lacks == "" {
		want = bpf.ConnectSample{Error: uint32(unix.EADDRNOTAVAIL)}
	}
	events := w.myConnects()
	if len(events) != 2 {
		t.Fatalf("%d events, want 2: %+v", len(events), events)
	}
	got := events[1]
	if got.Error != want.Error || got.FailedUnknown != want.FailedUnknown || got.Connection.RemoteEnd() != remote {
		t.Errorf("%+v", got)
	}
}

// myConnects returns what this process's connects have come to.
func (w *watcher) myConnects() (mine []bpf.ConnectSample) {
	w.Helper()
	w.drain()
	for _, s := range w.seen.connects {
		if byMe(s.Head.Actor) {
			mine = append(mine, s)
		}
	}
	return mine
}

func boundSocket(t *testing.T, port int) (fd, bound int) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	}
	if err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
	}
	if err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, name.(*unix.SockaddrInet4).Port
}

// inNewNetwork runs f on a thread of a new network namespace, which ends with it.
func inNewNetwork(t *testing.T, f func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// plainConnect connects on the calling thread.
func plainConnect(network string, to netip.AddrPort) error {
	family, address := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte(to.Addr().AsSlice()), Port: int(to.Port())})
	if network == "tcp6" {
		family, address = unix.AF_INET6, &unix.SockaddrInet6{Addr: to.Addr().As16(), Port: int(to.Port())}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Connect(fd, address)
}
