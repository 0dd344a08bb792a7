package attach

import (
	"net/netip"
	"os"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// onlyConnect waits for the connect from a local end, and fails where it is not this process's, or did not end well, or
// is told more than once.
func (w *watcher) onlyConnect(local, remote netip.AddrPort) *bpf.ConnectSample {
	w.Helper()
	got := w.connectFrom(local)
	if !byMe(got.Head.Actor) || got.Result != uint32(bpf.ConnectAnswered) || got.Error != 0 || got.Connection.RemoteEnd() != remote || got.Connection.Socket == 0 {
		w.Errorf("%+v", got)
	}
	n := 0
	for _, s := range w.myConnects() {
		if s.Connection.LocalEnd() == local && s.Connection.RemoteEnd() == remote {
			n++
		}
	}
	if n != 1 {
		w.Errorf("%d events of one connect", n)
	}
	return got
}

func TestConnectThatIsAskedForAgainIsOneEvent(t *testing.T) {
	w := watchShared(t)
	remote := end(listen(t, "tcp4", "127.0.0.1:0").Addr())
	fd := stream(t, unix.AF_INET)
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	to := ipv4("127.0.0.1", remote.Port())
	if err := unix.Connect(fd, to); err != unix.EINPROGRESS && err != nil {
		t.Fatal(err)
	}
	awaitWritable(t, fd)
	if err := unix.Connect(fd, to); err != nil && err != unix.EISCONN {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, to); err != unix.EISCONN {
		t.Fatalf("connect = %v, want EISCONN", err)
	}
	w.onlyConnect(localEnd(t, fd), remote)
}

// AF_UNSPEC ends the connection, and the socket may open another.
func TestConnectAfterADisconnectIsAnotherConnection(t *testing.T) {
	w := watchShared(t)
	remote := end(listen(t, "tcp4", "127.0.0.1:0").Addr())
	fd := stream(t, unix.AF_INET)
	var ends [2]netip.AddrPort
	for i := range ends {
		if err := unix.Connect(fd, ipv4("127.0.0.1", remote.Port())); err != nil {
			t.Fatal(err)
		}
		ends[i] = localEnd(t, fd)
		disconnect(t, fd)
	}
	first, second := w.onlyConnect(ends[0], remote), w.onlyConnect(ends[1], remote)
	if first.Connection.Socket == second.Connection.Socket {
		t.Error("both connections have the same number")
	}
}

func disconnect(t *testing.T, fd int) {
	t.Helper()
	unspecified := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	if err := rawConnect(fd, &unspecified); err != 0 {
		t.Fatal(err)
	}
}

// A connect that waits is cut short: by a signal it goes on without who called, by shutdown it is over.
func TestConnectThatIsInterruptedGoesOn(t *testing.T) {
	w := watchShared(t)
	silent := newSilence(t)
	fd := stream(t, unix.AF_INET)
	if got := interrupted(t, fd, silent.to); got != unix.EINTR {
		t.Fatalf("connect = %v, want EINTR", got)
	}
	local := localEnd(t, fd)
	if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	got := w.connectFrom(local)
	if !byMe(got.Head.Actor) || got.Result != uint32(bpf.ConnectAbandoned) || got.Connection.RemoteEnd() != silent.end {
		t.Errorf("%+v", got)
	}
}

// interrupted connects on a thread that gets a signal, for which Go has a handler, once it waits.
func interrupted(t *testing.T, fd int, to unix.Sockaddr) error {
	t.Helper()
	thread, result := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &unix.Timeval{Sec: 20}) // else it would be restarted
		thread <- unix.Gettid()
		result <- unix.Connect(fd, to)
	}()
	tid := <-thread
	for {
		if err := unix.Tgkill(os.Getpid(), tid, syscall.SIGURG); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-result:
			return err
		default:
			runtime.Gosched()
		}
	}
}

// Another thread shuts the socket down, or closes its descriptor, while one waits for the answer.
func TestConnectThatAnotherThreadEndsIsAbandoned(t *testing.T) {
	w := watchShared(t)
	silent := newSilence(t)
	fd := stream(t, unix.AF_INET)
	result := make(chan error, 1)
	go func() { result <- unix.Connect(fd, silent.to) }()
	local := awaitSYN(t, fd)
	if err := unix.Shutdown(fd, unix.SHUT_RDWR); err != nil {
		t.Fatal(err)
	}
	if err := <-result; err == nil {
		t.Fatal("it connected")
	}
	if got := w.connectFrom(local); !byMe(got.Head.Actor) || got.Result != uint32(bpf.ConnectAbandoned) {
		t.Errorf("%+v", got)
	}
}

// awaitSYN waits until the socket's SYN has left.
func awaitSYN(t *testing.T, fd int) netip.AddrPort {
	t.Helper()
	const synSent = 2
	for {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if info.State == synSent && info.Segs_out > 0 {
			return localEnd(t, fd)
		}
		runtime.Gosched()
	}
}

// Both ends call connect, and neither listens: the SYNs cross.
func TestConnectsThatCrossAreOneEachAndOutbound(t *testing.T) {
	w := watchShared(t)
	silent := newSilence(t)
	first := silent.begin(t)
	here := localEnd(t, first)
	letGo(t, silent.fd)
	second, _ := boundSocket(t, int(silent.end.Port()))
	defer unix.Close(second)
	if err := unix.Connect(second, ipv4("127.0.0.1", here.Port())); err != nil {
		t.Fatal(err)
	}
	awaitWritable(t, first)
	w.onlyConnect(here, silent.end)
	w.onlyConnect(silent.end, here)
	letGo(t, first)
	if got := w.closeOf(here, silent.end); got.Direction != uint8(bpf.DirectionOutbound) {
		t.Errorf("%+v", got)
	}
}

// A socket that was inherited, or passed, is used by whoever has it.
func TestConnectIsWhoCallsItNotWhoMadeTheSocket(t *testing.T) {
	w := watchShared(t)
	remote := end(listen(t, "tcp4", "127.0.0.1:0").Addr())
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(fd), "socket")
	defer socket.Close()
	cmd := child(t, "connect "+remote.String())
	cmd.ExtraFiles = []*os.File{socket}
	pid, status := ended(t, cmd)
	if status.ExitStatus() != 0 {
		t.Fatal("the child failed")
	}
	got := w.connectTo(remote)
	if got.Head.Actor.Key.Tgid != uint32(pid) || got.Error != 0 {
		t.Errorf("%+v", got)
	}
}

// The process is its leader's, whoever of its threads connects, also when the leader is gone.
func TestConnectOfAThreadWhoseLeaderLeftNamesTheProcess(t *testing.T) {
	w := watchShared(t)
	remote := end(listen(t, "tcp4", "127.0.0.1:0").Addr())
	pid, status := ended(t, child(t, "connect-leaderless "+remote.String()))
	if status.ExitStatus() != 0 {
		t.Fatal("the child failed")
	}
	got, exec := w.connectTo(remote), w.execOf(pid)
	if got.Head.Actor.Key != exec.Head.Actor.Key || got.Head.Actor.Tid == uint32(pid) {
		t.Errorf("%+v; process %+v", got, exec.Head.Actor.Key)
	}
}

// Sockets, and with them the addresses of the kernel's structures, are used anew within microseconds.
func TestConnectsInQuickSuccessionAreAllThere(t *testing.T) {
	w := watchShared(t)
	const rounds = 200
	remote := end(listen(t, "tcp4", "127.0.0.1:0").Addr())
	refused := netip.AddrPortFrom(remote.Addr(), 1)
	want := make(map[netip.AddrPort]int)
	for range rounds {
		for _, to := range []netip.AddrPort{remote, refused} {
			if err := plainConnect("tcp4", to); (err == nil) != (to == remote) {
				t.Fatal(err)
			}
			want[to]++
		}
	}
	w.connectTo(remote)
	got, sockets := make(map[netip.AddrPort]int), make(map[uint64]bool)
	for _, s := range w.myConnects() {
		got[s.Connection.RemoteEnd()]++
		sockets[s.Connection.Socket] = true
		if (s.Error == 0) != (s.Connection.RemoteEnd() == remote) {
			t.Errorf("%+v", s)
		}
	}
	if got[remote] != want[remote] || got[refused] != want[refused] || len(sockets) != 2*rounds {
		t.Errorf("%v connects of %d sockets, want %v", got, len(sockets), want)
	}
}

func TestConnectFromAPortThatWasBoundBeforeToPortZero(t *testing.T) {
	w := watchShared(t)
	fd, port := boundSocket(t, 0)
	defer unix.Close(fd)
	if err := unix.Connect(fd, ipv4("127.0.0.1", 0)); err != unix.ECONNREFUSED {
		t.Fatalf("connect = %v, want ECONNREFUSED", err)
	}
	got := w.connectFrom(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port)))
	if !byMe(got.Head.Actor) || got.Error != uint32(unix.ECONNREFUSED) || got.Connection.RemotePort != 0 {
		t.Errorf("%+v", got)
	}
}
