package attach

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"unsafe"

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

// connected returns both ends of a new connection: the client's, and the server's.
func connected(t *testing.T, network string, l *net.TCPListener) [2]net.Conn {
	t.Helper()
	client, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return [2]net.Conn{client, server}
}

// exchange sends 5 bytes and gets 7, and closes both ends, the client's first.
func exchange(t *testing.T, network string, l *net.TCPListener) (local, remote netip.AddrPort) {
	t.Helper()
	pair := connected(t, network, l)
	client, server := pair[0], pair[1]
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

func ipv4(address string, port uint16) *unix.SockaddrInet4 {
	return &unix.SockaddrInet4{Addr: netip.MustParseAddr(address).As4(), Port: int(port)}
}

func ipv6(address string, port uint16) *unix.SockaddrInet6 {
	return &unix.SockaddrInet6{Addr: netip.MustParseAddr(address).As16(), Port: int(port)}
}

// stream makes a plain TCP socket, which ends with the test.
func stream(t *testing.T, family int) int {
	t.Helper()
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// letGo closes the socket of a descriptor whose number stays taken: the end of the test closes it.
func letGo(t *testing.T, fd int) {
	t.Helper()
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(unix.Dup3(null, fd, unix.O_CLOEXEC), unix.Close(null)); err != nil {
		t.Fatal(err)
	}
}

// localEnd is the end that getsockname tells.
func localEnd(t *testing.T, fd int) netip.AddrPort {
	t.Helper()
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch a := name.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	t.Fatalf("%T", name)
	return netip.AddrPort{}
}

// loopbackUp gives a new network namespace what every machine has.
func loopbackUp(t *testing.T) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		t.Fatal(err)
	}
	request.SetUint16(unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request); err != nil {
		t.Fatal(err)
	}
}

// connectShort connects to less of an address than there has to be.
func connectShort(fd, length int) error {
	address := unix.RawSockaddrInet4{Family: unix.AF_INET}
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&address)), uintptr(length))
	return errno
}

// rawConnect connects to an address that unix.Connect would not take.
func rawConnect[A any](fd int, address *A) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(address)), unsafe.Sizeof(*address))
	return errno
}
