package attach

import (
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TCP Fast Open sends the SYN by another call than connect: sendto at once, or the first write after a connect that has
// done nothing yet. The first connection has no cookie, and asks for one; the second sends its data with the SYN.
func TestConnectByFastOpenIsAConnect(t *testing.T) {
	w := watchShared(t)
	var ends [][2]netip.AddrPort
	inNewNetwork(t, func() {
		loopbackUp(t)
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_fastopen", []byte("3"), 0); err != nil {
			t.Error(err)
			return
		}
		l := listen(t, "tcp4", "127.0.0.1:0")
		raw, err := l.SyscallConn()
		if err != nil {
			t.Error(err)
			return
		}
		raw.Control(func(fd uintptr) { setsockopt(t, int(fd), unix.TCP_FASTOPEN, 16) })
		remote := end(l.Addr())
		for range 2 {
			for _, open := range []func(*testing.T, int, netip.AddrPort){fastOpenBySendto, fastOpenByWrite} {
				fd := stream(t, unix.AF_INET)
				open(t, fd, remote)
				ends = append(ends, [2]netip.AddrPort{localEnd(t, fd), remote})
			}
		}
	})
	for _, e := range ends {
		w.onlyConnect(e[0], e[1])
	}
}

func fastOpenBySendto(t *testing.T, fd int, remote netip.AddrPort) {
	t.Helper()
	if err := unix.Sendto(fd, []byte("hello"), unix.MSG_FASTOPEN, ipv4("127.0.0.1", remote.Port())); err != nil {
		t.Error(err)
	}
}

func fastOpenByWrite(t *testing.T, fd int, remote netip.AddrPort) {
	t.Helper()
	setsockopt(t, fd, unix.TCP_FASTOPEN_CONNECT, 1)
	if err := unix.Connect(fd, ipv4("127.0.0.1", remote.Port())); err != nil {
		t.Error(err)
	}
	if _, err := unix.Write(fd, []byte("hello")); err != nil {
		t.Error(err)
	}
}

// io_uring connects in the submitter's context, or on a worker, whose name and thread are not the process's.
func TestConnectByIOUringIsTheProcesss(t *testing.T) {
	const async = 1 << 4 // IOSQE_ASYNC
	for name, flags := range map[string]uint8{"inline": 0, "on a worker": async} {
		t.Run(name, func(t *testing.T) {
			w := watchShared(t)
			remote := end(listen(t, "tcp4", "127.0.0.1:0").Addr())
			fd := stream(t, unix.AF_INET)
			if result := newURing(t).connect(t, fd, remote, flags); result != 0 {
				t.Fatalf("connect = %v", unix.Errno(-result))
			}
			got := w.onlyConnect(localEnd(t, fd), remote)
			if worker := got.Head.Actor.Tid; flags == async && worker == uint32(unix.Gettid()) {
				t.Errorf("it was not on a worker: %+v", got)
			}
		})
	}
}

// uRing is the least of an io_uring.
type uRing struct {
	fd            int
	rings, queue  []byte
	sq, cq        uRingOffsets
	cqesAt, array uint32
}

type uRingOffsets struct{ Head, Tail, Mask, Entries, Flags, Dropped, Array, Resv1 uint32 }

type uRingParameters struct {
	SqEntries, CqEntries, Flags, CPU, Idle, Features, WqFd uint32
	Resv                                                   [3]uint32
	Sq                                                     uRingOffsets
	SqUser                                                 uint64
	Cq                                                     struct{ Head, Tail, Mask, Entries, Overflow, Cqes, Flags, Resv1 uint32 }
	CqUser                                                 uint64
}

func newURing(t *testing.T) *uRing {
	t.Helper()
	var p uRingParameters
	fd, _, errno := unix.Syscall(unix.SYS_IO_URING_SETUP, 4, uintptr(unsafe.Pointer(&p)), 0)
	if errno != 0 {
		t.Fatalf("io_uring_setup: %v", errno)
	}
	r := &uRing{fd: int(fd), sq: p.Sq, cqesAt: p.Cq.Cqes, array: p.Sq.Array}
	r.cq.Tail = p.Cq.Tail
	t.Cleanup(func() { unix.Close(r.fd) })
	const queueOffset = 0x10000000 // IORING_OFF_SQES
	for _, m := range []struct {
		to     *[]byte
		offset int64
		size   int
	}{{&r.rings, 0, 4096}, {&r.queue, queueOffset, 4096}} {
		mapped, err := unix.Mmap(r.fd, m.offset, m.size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
		if err != nil {
			t.Fatalf("map the rings: %v", err)
		}
		t.Cleanup(func() { unix.Munmap(mapped) })
		*m.to = mapped
	}
	return r
}

// connect submits one request, and returns its result.
func (r *uRing) connect(t *testing.T, fd int, to netip.AddrPort, flags uint8) int32 {
	t.Helper()
	const opConnect, getEvents = 16, 1
	address := rawIPv4(to)
	entry := (*struct {
		Op, Flags uint8
		Priority  uint16
		Fd        int32
		Length    uint64 // of the address: off
		Address   *unix.RawSockaddrInet4
	})(unsafe.Pointer(&r.queue[0]))
	entry.Op, entry.Flags, entry.Fd, entry.Length, entry.Address = opConnect, flags, int32(fd), unix.SizeofSockaddrInet4, &address
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&r.rings[r.sq.Tail])), 1)
	if _, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(r.fd), 1, 1, getEvents, 0, 0); errno != 0 {
		t.Fatalf("io_uring_enter: %v", errno)
	}
	entry.Address = nil
	return *(*int32)(unsafe.Pointer(&r.rings[r.cqesAt+8])) // after its user data
}

func rawIPv4(to netip.AddrPort) unix.RawSockaddrInet4 {
	raw := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.Addr().As4()}
	port := (*[2]byte)(unsafe.Pointer(&raw.Port))
	port[0], port[1] = byte(to.Port()>>8), byte(to.Port())
	return raw
}

// The socket lives in the namespace in which it was made, wherever who uses it has gone since.
func TestConnectTellsTheSocketsNetworkAndItsProcesss(t *testing.T) {
	w := watchShared(t)
	var local, remote netip.AddrPort
	var own, other uint64
	inNewNetwork(t, func() {
		loopbackUp(t)
		remote = end(listen(t, "tcp4", "127.0.0.1:0").Addr())
		fd := stream(t, unix.AF_INET)
		own = networkOf(t)
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		other = networkOf(t)
		if err := unix.Connect(fd, ipv4("127.0.0.1", remote.Port())); err != nil {
			t.Error(err)
		}
		local = localEnd(t, fd)
	})
	got := w.onlyConnect(local, remote)
	if uint64(got.Connection.NetworkNamespace) != own || uint64(got.Head.Actor.NetworkNamespace) != other || own == other {
		t.Errorf("socket %d, process %d; want %d, %d", got.Connection.NetworkNamespace, got.Head.Actor.NetworkNamespace, own, other)
	}
}

// networkOf is the inode number of the thread's network namespace.
func networkOf(t *testing.T) uint64 {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &stat); err != nil {
		t.Fatal(err)
	}
	return stat.Ino
}

// A link-local address is one of each interface: only with the interface does it say where the connection went.
func TestConnectToALinkLocalAddressTellsItsInterface(t *testing.T) {
	w := watchShared(t)
	var local, remote netip.AddrPort
	inNewNetwork(t, func() {
		loopbackUp(t)
		addIPv6(t, "fe80::7", 1)
		address := ipv6("fe80::7", 0)
		address.ZoneId = 1
		l := stream(t, unix.AF_INET6)
		for unix.Bind(l, address) == unix.EADDRNOTAVAIL {
			runtime.Gosched() // a worker makes the address one to use
		}
		if err := unix.Listen(l, 1); err != nil {
			t.Error(err)
			return
		}
		remote = localEnd(t, l)
		fd := stream(t, unix.AF_INET6)
		address.Port = int(remote.Port())
		if err := unix.Connect(fd, address); err != nil {
			t.Error(err)
		}
		local = localEnd(t, fd)
	})
	if got := w.onlyConnect(local, remote); got.Connection.Interface != 1 || got.Connection.Family != unix.AF_INET6 {
		t.Errorf("%+v", got)
	}
}

// addIPv6 gives an interface an address.
func addIPv6(t *testing.T, address string, index int32) {
	t.Helper()
	fd := stream(t, unix.AF_INET6)
	request := struct {
		address [16]byte
		bits    uint32
		index   int32
	}{netip.MustParseAddr(address).As16(), 64, index}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFADDR, uintptr(unsafe.Pointer(&request))); errno != 0 {
		t.Errorf("add %s: %v", address, errno)
	}
}
