package attach

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// counting attaches one kind.
func counting(t *testing.T, kind bpf.Kind) *watcher {
	t.Helper()
	cfg := Default()
	cfg.Kinds = []bpf.Kind{kind}
	return watch(t, cfg)
}

// told returns everything that fits and was counted until now: the firsts, which were sent, too.
func (w *watcher) told(fits func(*bpf.CountKey) bool) (all []bpf.Counted) {
	w.Helper()
	w.drain()
	for _, s := range w.seen.counted {
		all = append(all, bpf.Counted{Key: s.Key, Count: s.Count})
	}
	w.seen.counted = nil
	counted, err := w.Counts()
	if err == nil {
		err = w.DropCounts(counted)
	}
	if err != nil {
		w.Fatal(err)
	}
	return slices.DeleteFunc(append(all, counted...), func(c bpf.Counted) bool { return !fits(&c.Key) })
}

func sum(all []bpf.Counted) (n uint64) {
	for _, c := range all {
		n += c.Count.Count
	}
	return n
}

// ofThisProgram reports whether the key is of the program that this test is.
func ofThisProgram(t *testing.T, key *bpf.ProgramKey) bool {
	t.Helper()
	var self unix.Stat_t
	if err := unix.Stat("/proc/self/exe", &self); err != nil {
		t.Fatal(err)
	}
	return key.Inode == self.Ino
}

func TestSocketsAreCountedByFamilyAndType(t *testing.T) {
	w := counting(t, bpf.KindSocketCreate)
	everyFamily := len(w.coverage[0].Rung.Misses) == 0
	for _, made := range []struct {
		family, kind, protocol int
		inet                   bool
	}{
		{unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE, true},
		{unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6, true},
		{unix.AF_UNIX, unix.SOCK_SEQPACKET, 0, false},
		{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_KOBJECT_UEVENT, false},
		{unix.AF_PACKET, unix.SOCK_DGRAM, 0x0608, false},
	} {
		for range 3 {
			fd, err := unix.Socket(made.family, made.kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, made.protocol)
			if err == nil {
				err = unix.Close(fd)
			}
			if err != nil {
				t.Logf("family %d: %v", made.family, err) // the attempt counts
			}
		}
		told := w.told(func(k *bpf.CountKey) bool {
			s := k.Socket()
			return ofThisProgram(t, &s.Program) && int(s.Family) == made.family && int(s.Type) == made.kind && int(s.Protocol) == made.protocol
		})
		want := uint64(0)
		if made.inet || everyFamily {
			want = 3
		}
		if sum(told) != want {
			t.Errorf("family %d, type %d, protocol %d: %d are told, want %d: %+v", made.family, made.kind, made.protocol, sum(told), want, told)
		}
		if want > 0 && told[0].Count.Actor.Key.Tgid != uint32(os.Getpid()) {
			t.Errorf("the first was made by %+v", told[0].Count.Actor)
		}
	}
}

// dropAll makes the socket drop every segment that comes to it, which its other end then sends again.
func dropAll(t *testing.T, fd int) {
	t.Helper()
	filter := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	program := unix.SockFprog{Len: 1, Filter: &filter[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		t.Fatal(err)
	}
}

// pairOf returns both ends of a TCP connection on the loopback.
func pairOf(t *testing.T) (client, server, port int) {
	t.Helper()
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Listen(l, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(l)
	at, err := unix.Getsockname(l)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: at.(*unix.SockaddrInet4).Port, Addr: [4]byte{127, 0, 0, 1}}
	if client, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err == nil {
		err = unix.Connect(client, to)
	}
	if err == nil {
		server, _, err = unix.Accept(l)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(client); unix.Close(server) })
	return client, server, to.Port
}

// retransmits asks the kernel how many segments the socket has sent again.
func retransmits(t *testing.T, fd int) uint64 {
	t.Helper()
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		t.Fatal(err)
	}
	return uint64(info.Total_retrans)
}

func TestRetransmitsAreCountedAsTheSocketCountsThem(t *testing.T) {
	cfg := Default()
	cfg.Kinds = []bpf.Kind{bpf.KindNetworkConnect, bpf.KindNetworkRetransmit}
	w := watch(t, cfg)
	client, server, port := pairOf(t)
	dropAll(t, server)
	if _, err := unix.Write(client, []byte("lost")); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); retransmits(t, client) < 3; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d retransmits in 20 s", retransmits(t, client))
		}
	}
	if err := unix.SetsockoptInt(server, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := unix.Read(server, make([]byte, 8)); n != 4 || err != nil { // the last of them has come
		t.Fatal(n, err)
	}
	told := w.told(func(k *bpf.CountKey) bool {
		return bpf.Kind(k.Kind) == bpf.KindNetworkRetransmit && int(k.Retransmit().RemotePort) == port
	})
	if want := retransmits(t, client); sum(told) != want {
		t.Errorf("%d are told, the socket counts %d", sum(told), want)
	}
	timeouts := uint64(0)
	for _, c := range told {
		if by := c.Key.Retransmit(); bpf.RetransmitCause(by.Cause) == bpf.RetransmitTimeout {
			timeouts += c.Count.Count
		}
		if c.Count.Actor.Key.Tgid != uint32(os.Getpid()) || c.Key.Retransmit().Socket == 0 || c.Key.Retransmit().State != 1 {
			t.Errorf("%+v by %+v", c.Key.Retransmit(), c.Count.Actor)
		}
	}
	if timeouts == 0 {
		t.Errorf("none for a timeout: %+v", told)
	}
}

// dropSyn connects to a listener whose queue is full, as nobody accepts from it: the SYN is dropped, and sent again.
func dropSyn(t *testing.T) (port int) {
	t.Helper()
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Listen(l, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(l) })
	at, err := unix.Getsockname(l)
	if err != nil {
		t.Fatal(err)
	}
	to := &unix.SockaddrInet4{Port: at.(*unix.SockaddrInet4).Port, Addr: [4]byte{127, 0, 0, 1}}
	for range 3 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err == nil {
			t.Cleanup(func() { unix.Close(fd) })
			err = unix.Connect(fd, to)
		}
		if err != nil && err != unix.EINPROGRESS {
			t.Fatal(err)
		}
	}
	return to.Port
}

func retransmitTo(e *events, port int) *bpf.CountSample {
	return one(e.counted, func(s *bpf.CountSample) bool {
		return bpf.Kind(s.Key.Kind) == bpf.KindNetworkRetransmit && int(s.Key.Retransmit().RemotePort) == port
	})
}

func TestASynThatIsSentAgainNamesWhoConnects(t *testing.T) {
	cfg := Default()
	cfg.Kinds = []bpf.Kind{bpf.KindNetworkConnect, bpf.KindNetworkRetransmit}
	w := watch(t, cfg)
	port := dropSyn(t)
	s := until(w, "retransmit of a SYN", func(e *events) *bpf.CountSample { return retransmitTo(e, port) })
	by := s.Key.Retransmit()
	if bpf.RetransmitCause(by.Cause) != bpf.RetransmitSyn || s.Head.Actor.Key.Tgid != uint32(os.Getpid()) || by.State != 2 {
		t.Errorf("%+v by %+v", by, s.Head.Actor)
	}
}

// noDisks is where a kernel has its drivers of disks in modules that are not there, as in test/kernel's guests.
const noDisks = "this machine has no loop devices (CONFIG_BLK_DEV_LOOP=y), and no disk that it could ask for anything"

// disk returns a block device of its own, whose requests nobody else makes; no path where there are none.
func disk(t *testing.T) (path string, device uint32) {
	t.Helper()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return "", 0
	}
	if err != nil {
		t.Fatal(err)
	}
	defer control.Close()
	n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
	if err != nil {
		t.Fatal(err)
	}
	path = fmt.Sprintf("/dev/loop%d", n)
	bind(t, path)
	return path, 7<<20 | uint32(n)
}

// bind makes the loop device a disk, whose content is a file.
func bind(t *testing.T, path string) {
	t.Helper()
	backing, err := os.Create(filepath.Join(t.TempDir(), "disk"))
	if err == nil {
		defer backing.Close()
		err = backing.Truncate(8 << 20)
	}
	if err != nil {
		t.Fatal(err)
	}
	loop, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	config := unix.LoopConfig{Fd: uint32(backing.Fd()), Size: 4096}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, loop.Fd(), unix.LOOP_CONFIGURE, uintptr(unsafe.Pointer(&config))); errno != 0 {
		t.Fatalf("%s: %v", path, errno)
	}
	t.Cleanup(func() {
		if fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
			_ = unix.IoctlSetInt(fd, unix.LOOP_CLR_FD, 0)
			unix.Close(fd)
		}
	})
}

// writeDirect writes so many blocks of 16 KiB past the page cache, each by a request of its own.
func writeDirect(t *testing.T, path string, blocks int64) {
	t.Helper()
	d, err := unix.Open(path, unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(d)
	block, err := unix.Mmap(-1, 0, 16<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	for i := range blocks {
		if n, err := unix.Pwrite(d, block, i<<14); n != len(block) || err != nil {
			t.Fatal(n, err)
		}
	}
}

func TestRequestsToADiskAreCountedByLatencyAndSize(t *testing.T) {
	const writes = 40
	path, device := disk(t)
	if path == "" {
		t.Log(noDisks)
		return
	}
	w := counting(t, bpf.KindBlockIO)
	began := time.Now()
	writeDirect(t, path, writes)
	took := time.Since(began)
	told := w.told(func(k *bpf.CountKey) bool { return k.Block().Device == device && k.Block().Operation == 1 })
	var bytes, least uint64
	for _, c := range told {
		by := c.Key.Block()
		bytes += c.Count.Amount
		least += c.Count.Count << by.Latency // µs, at least
		if by.Size != 14 || by.NoLatency != 0 || by.Failed != 0 {
			t.Errorf("%+v", by)
		}
	}
	if sum(told) != writes || bytes != writes<<14 {
		t.Errorf("%d writes of %d bytes are told; %d of %d were made", sum(told), bytes, writes, writes<<14)
	}
	if least > uint64(took.Microseconds())+writes { // slot 0 is 0 µs too
		t.Errorf("the requests took %d µs at least, by the histogram; all of them were done after %v", least, took)
	}
}
