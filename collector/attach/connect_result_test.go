package attach

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// tellsErrno reports whether the rung knows why an attempt failed whose SYN never left.
func (w *watcher) tellsErrno() bool {
	w.Helper()
	return strings.Contains(w.rungOf(bpf.KindNetworkConnect).String(), "fexit/")
}

// early is what a connect that fails before its SYN leaves is told to have come to.
func (w *watcher) early(errno unix.Errno) (result bpf.ConnectResult, error uint32) {
	if w.tellsErrno() {
		return bpf.ConnectAnswered, uint32(errno)
	}
	return bpf.ConnectFailed, 0
}

// In a network namespace of its own a machine has no route to anywhere.
func TestConnectWithoutARouteIsAFailedConnect(t *testing.T) {
	w := watchShared(t)
	errnos := make(map[string]unix.Errno)
	inNewNetwork(t, func() {
		for network, address := range map[string]string{"tcp4": "192.0.2.1:80", "tcp6": "[2001:db8::1]:80"} {
			errnos[address], _ = plainConnect(network, netip.MustParseAddrPort(address)).(unix.Errno)
		}
	})
	for address, errno := range errnos {
		got := w.connectTo(netip.MustParseAddrPort(address))
		result, told := w.early(errno)
		if errno == 0 || !byMe(got.Head.Actor) || got.Result != uint32(result) || got.Error != told {
			t.Errorf("%s: %v: %+v", address, errno, got)
		}
	}
	if all := w.myConnects(); len(all) != len(errnos) {
		t.Errorf("%d events of %d connects: %+v", len(all), len(errnos), all)
	}
}

// A socket that failed and is used again is two attempts, and the first is told no later than at the second.
func TestConnectAgainAfterAFailureIsTwoEvents(t *testing.T) {
	w := watchShared(t)
	var second netip.AddrPort
	inNewNetwork(t, func() {
		loopbackUp(t)
		fd := stream(t, unix.AF_INET)
		if err := unix.Connect(fd, ipv4("192.0.2.1", 80)); err != unix.ENETUNREACH {
			t.Errorf("connect = %v, want ENETUNREACH", err)
		}
		l := listen(t, "tcp4", "127.0.0.1:0")
		second = end(l.Addr())
		if err := unix.Connect(fd, ipv4("127.0.0.1", second.Port())); err != nil {
			t.Error(err)
		}
	})
	w.connectTo(second)
	events := w.myConnects()
	if len(events) != 2 {
		t.Fatalf("%d events, want 2: %+v", len(events), events)
	}
	if first := events[0]; first.Connection.RemoteEnd() != netip.MustParseAddrPort("192.0.2.1:80") || first.Connection.Socket == events[1].Connection.Socket {
		t.Errorf("%+v", events)
	}
	if got := events[1]; got.Error != 0 || got.Result != uint32(bpf.ConnectAnswered) {
		t.Errorf("%+v", got)
	}
}

// A socket that failed to connect may listen next, and tells of the attempt no later than at its end.
func TestConnectThatFailedIsToldOfASocketThatListensNext(t *testing.T) {
	w := watchShared(t)
	inNewNetwork(t, func() {
		fd := stream(t, unix.AF_INET)
		if err := unix.Connect(fd, ipv4("192.0.2.1", 80)); err != unix.ENETUNREACH {
			t.Errorf("connect = %v, want ENETUNREACH", err)
		}
		if err := unix.Listen(fd, 1); err != nil {
			t.Error(err)
		}
		letGo(t, fd)
	})
	w.connectTo(netip.MustParseAddrPort("192.0.2.1:80"))
	if all := w.myConnects(); len(all) != 1 {
		t.Errorf("%d events, want 1: %+v", len(all), all)
	}
}

// An address of another family, or half of one, is none; a socket of UDP connects to nobody.
func TestWhatIsNoAttemptIsNoConnect(t *testing.T) {
	w := watchShared(t)
	inNewNetwork(t, func() {
		fd := stream(t, unix.AF_INET)
		if err := unix.Connect(fd, ipv6("::1", 80)); err != unix.EAFNOSUPPORT {
			t.Errorf("connect = %v, want EAFNOSUPPORT", err)
		}
		if err := connectShort(fd, 8); err != unix.EINVAL {
			t.Errorf("connect = %v, want EINVAL", err)
		}
		udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		if err := unix.Connect(udp, ipv4("192.0.2.1", 80)); err != unix.ENETUNREACH {
			t.Errorf("connect = %v, want ENETUNREACH", err)
		}
		unix.Close(udp)
	})
	w.drain()
	if got := w.myConnects(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// A listener whose backlog is full answers nobody, and the first SYN is sent again after a second.
func TestConnectWithoutAnAnswerIsPendingAndItsCloseTellsTheRest(t *testing.T) {
	w := watchShared(t)
	silent, late := newSilence(t), newSilence(t)
	answered, closed, left, timesOut := late.begin(t), silent.begin(t), silent.begin(t), silent.begin(t)
	setsockopt(t, timesOut, unix.TCP_SYNCNT, 1)
	ends := make(map[int]netip.AddrPort)
	for _, fd := range []int{answered, closed, left, timesOut} {
		ends[fd] = localEnd(t, fd)
	}
	letGo(t, closed)

	if got := w.connectFrom(ends[closed]); !byMe(got.Head.Actor) || got.Result != uint32(bpf.ConnectAbandoned) || got.Error != 0 {
		t.Errorf("closed at once: %+v", got)
	}
	pending := make(map[int]*bpf.ConnectSample)
	for _, fd := range []int{answered, left, timesOut} {
		pending[fd] = w.connectFrom(ends[fd])
		if got := pending[fd]; !byMe(got.Head.Actor) || got.Result != uint32(bpf.ConnectPending) || got.Error != 0 || time.Duration(got.LatencyNs) < 900*time.Millisecond {
			t.Errorf("%+v, after %v", got, time.Duration(got.LatencyNs))
		}
	}
	letGo(t, left)
	late.answer(t)
	awaitWritable(t, answered)
	letGo(t, answered)

	for _, c := range []struct {
		fd             int
		to             netip.AddrPort
		errno          unix.Errno
		notEstablished uint8
	}{{answered, late.end, 0, 0}, {left, silent.end, 0, 1}, {timesOut, silent.end, unix.ETIMEDOUT, 1}} {
		got := w.closeOf(ends[c.fd], c.to)
		if !byMe(got.Head.Actor) || got.Error != uint32(c.errno) || got.NotEstablished != c.notEstablished ||
			got.Connection.Socket != pending[c.fd].Connection.Socket || got.Direction != uint8(bpf.DirectionOutbound) || got.DurationNs == 0 {
			t.Errorf("close %+v\nof %+v", got, pending[c.fd])
		}
	}
	if got := w.myConnects(); len(got) != len(ends)+2 {
		t.Errorf("%d connects, want %d, and one that fills each queue: %+v", len(got), len(ends)+2, got)
	}
}

// silence is a listener that answers nobody for as long as its queue of one is full.
type silence struct {
	end netip.AddrPort
	to  unix.Sockaddr
	fd  int
}

func newSilence(t *testing.T) *silence {
	t.Helper()
	fd := stream(t, unix.AF_INET)
	s := &silence{fd: fd}
	if err := unix.Bind(fd, ipv4("127.0.0.1", 0)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	s.end = localEnd(t, fd)
	s.to = ipv4("127.0.0.1", s.end.Port())
	if err := unix.Connect(stream(t, unix.AF_INET), s.to); err != nil {
		t.Fatal(err)
	}
	return s
}

// begin connects without waiting.
func (s *silence) begin(t *testing.T) int {
	t.Helper()
	fd := stream(t, unix.AF_INET)
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, s.to); err != unix.EINPROGRESS {
		t.Fatalf("connect = %v, want EINPROGRESS", err)
	}
	return fd
}

// answer empties the queue, again and again, until the test ends.
func (s *silence) answer(t *testing.T) {
	t.Helper()
	go func() {
		for {
			fd, _, err := unix.Accept(s.fd)
			if err != nil {
				return // the listener was shut
			}
			unix.Close(fd)
		}
	}()
	t.Cleanup(func() { unix.Shutdown(s.fd, unix.SHUT_RDWR) })
}

func setsockopt(t *testing.T, fd, option, value int) {
	t.Helper()
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, option, value); err != nil {
		t.Fatal(err)
	}
}

// awaitWritable waits until a connect has ended well.
func awaitWritable(t *testing.T, fd int) {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
	for {
		n, err := unix.Poll(poll, 20_000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			t.Fatalf("poll = %d, %v", n, err)
		}
		break
	}
	if errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); errno != 0 || err != nil {
		t.Fatalf("connect = %v, %v", unix.Errno(errno), err)
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
