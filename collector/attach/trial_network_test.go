package attach

import (
	"errors"
	"math/bits"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/weirproject/weir/bpf"
)

func tryConnect(w *watcher) func(*events) bool {
	local, remote := exchange(w.T, "tcp4", listen(w.T, "tcp4", "127.0.0.1:0"))
	return func(e *events) bool {
		return one(e.connects, func(s *bpf.ConnectSample) bool {
			return byMe(s.Head.Actor) && s.Connection.LocalEnd() == local && s.Connection.RemoteEnd() == remote && s.Error == 0
		}) != nil
	}
}

// In a network namespace of its own a machine has no route to anywhere.
func tryConnectWithoutARoute(w *watcher) func(*events) bool {
	ends := map[string]netip.AddrPort{"tcp4": netip.MustParseAddrPort("192.0.2.1:80"), "tcp6": netip.MustParseAddrPort("[2001:db8::1]:80")}
	inNewNetwork(w.T, func() {
		for network, remote := range ends {
			if err := plainConnect(network, remote); err == nil {
				w.Errorf("connected to %s", remote)
			}
		}
	})
	return func(e *events) bool {
		seen := 0
		for _, s := range e.connects {
			remote := s.Connection.RemoteEnd()
			if !byMe(s.Head.Actor) || remote != ends["tcp4"] && remote != ends["tcp6"] {
				continue
			}
			seen++
			if s.Error != uint32(unix.ENETUNREACH) && s.Error != uint32(unix.EADDRNOTAVAIL) && s.Result != uint32(bpf.ConnectFailed) {
				w.Errorf("%+v", s)
			}
		}
		if seen == 1 {
			w.Error("only one of IPv4 and IPv6 was told")
		}
		return seen > 0
	}
}

// Two sockets of one port cannot both reach the same end: SYN_SENT is taken back before a SYN leaves.
func tryConnectWithoutAFreePort(w *watcher) func(*events) bool {
	remote := end(listen(w.T, "tcp4", "127.0.0.1:0").Addr())
	first, port := boundSocket(w.T, 0)
	defer unix.Close(first)
	second, _ := boundSocket(w.T, port)
	defer unix.Close(second)
	to := &unix.SockaddrInet4{Addr: remote.Addr().As4(), Port: int(remote.Port())}
	if err := unix.Connect(first, to); err != nil {
		w.Fatal(err)
	}
	if err := unix.Connect(second, to); err != unix.EADDRNOTAVAIL {
		w.Fatalf("connect = %v, want EADDRNOTAVAIL", err)
	}
	return func(e *events) bool {
		var failed []bpf.ConnectSample
		for _, s := range e.connects {
			if s.Connection.RemoteEnd() == remote && (s.Error != 0 || s.Result == uint32(bpf.ConnectFailed)) {
				failed = append(failed, s)
			}
		}
		if len(failed) != 1 {
			w.Errorf("%d events, want 1: %+v", len(failed), failed)
			return false
		}
		return failed[0].Error == uint32(unix.EADDRNOTAVAIL)
	}
}

func tryConnectOfMPTCPWithoutARoute(w *watcher) func(*events) bool {
	remote := netip.MustParseAddrPort("192.0.2.2:80")
	inNewNetwork(w.T, func() {
		if err := unix.Connect(mptcp(w.T), ipv4("192.0.2.2", 80)); err != unix.ENETUNREACH {
			w.Errorf("connect = %v, want ENETUNREACH", err)
		}
	})
	return func(e *events) bool {
		s := one(e.connects, func(s *bpf.ConnectSample) bool { return s.Connection.RemoteEnd() == remote && byMe(s.Head.Actor) })
		return s != nil && s.Error == uint32(unix.ENETUNREACH)
	}
}

// Whatever program of whatever cgroup says no, the attempt was made.
func tryConnectDenied(w *watcher) func(*events) bool {
	remote := netip.MustParseAddrPort("127.0.0.1:9") // nobody else connects to the discard service
	undo := deny(w.T, remote.Port())
	err := plainConnect("tcp4", remote)
	undo()
	if err != unix.EPERM {
		w.Fatalf("connect = %v, want EPERM", err)
	}
	return func(e *events) bool {
		s := one(e.connects, func(s *bpf.ConnectSample) bool { return s.Connection.RemoteEnd() == remote && byMe(s.Head.Actor) })
		if s == nil {
			return false
		}
		if s.Error != uint32(unix.EPERM) && s.Result != uint32(bpf.ConnectFailed) {
			w.Errorf("%+v", s)
		}
		return true
	}
}

// deny has connects to the port fail, in all of the machine.
func deny(t *testing.T, port uint16) (undo func()) {
	t.Helper()
	const offsetOfPort = 24 // bpf_sock_addr.user_port
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type:       ebpf.CGroupSockAddr,
		AttachType: ebpf.AttachCGroupInet4Connect,
		License:    "GPL",
		Instructions: asm.Instructions{
			asm.LoadMem(asm.R1, asm.R1, offsetOfPort, asm.Word),
			asm.Mov.Imm(asm.R0, 0),
			asm.JEq.Imm(asm.R1, int32(bits.ReverseBytes16(port)), "out"),
			asm.Mov.Imm(asm.R0, 1),
			asm.Return().WithSymbol("out"),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	root, err := cgroupRoot(Default().MountInfo)
	if err != nil {
		t.Fatal(err)
	}
	hooked, err := link.AttachCgroup(link.CgroupOptions{Path: root, Attach: ebpf.AttachCGroupInet4Connect, Program: program})
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(hooked.Close(), program.Close()); err != nil {
			t.Error(err)
		}
	}
}

func tryConnectWithoutAnAnswer(w *watcher) func(*events) bool {
	silent := newSilence(w.T)
	fd := silent.begin(w.T)
	local := localEnd(w.T, fd)
	awaitSecondSYN(w.T, fd)
	letGo(w.T, fd)
	return func(e *events) bool {
		s := one(e.connects, func(s *bpf.ConnectSample) bool { return s.Connection.LocalEnd() == local && byMe(s.Head.Actor) })
		if s == nil {
			w.Error("it was not told at all")
			return false
		}
		return s.Result == uint32(bpf.ConnectPending)
	}
}

// awaitSecondSYN waits until the kernel has found that nobody answers.
func awaitSecondSYN(t *testing.T, fd int) {
	t.Helper()
	for {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Fatal(err)
		}
		if info.Total_retrans > 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func tryListen(w *watcher) func(*events) bool {
	want := end(listen(w.T, "tcp4", "127.0.0.1:0").Addr())
	return func(e *events) bool {
		return one(e.listens, func(s *bpf.ListenSample) bool { return s.End() == want && byMe(s.Head.Actor) }) != nil
	}
}

func tryListenWithoutBind(w *watcher) func(*events) bool {
	const backlog = 77 // by which it is found
	fd, port := listenWithoutBind(w.T, backlog)
	unix.Close(fd)
	return func(e *events) bool {
		s := one(e.listens, func(s *bpf.ListenSample) bool { return s.Backlog == backlog && byMe(s.Head.Actor) })
		if s == nil {
			w.Error("it was not told at all")
			return false
		}
		return s.Port == port
	}
}

func listenWithoutBind(t *testing.T, backlog int) (fd int, port uint16) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		err = unix.Listen(fd, backlog)
	}
	if err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, uint16(bound.(*unix.SockaddrInet4).Port)
}

// Two sockets may be bound to one port as long as neither listens; then only one may.
func tryListenThatFails(w *watcher) func(*events) bool {
	first, port := boundSocket(w.T, 0)
	defer unix.Close(first)
	second, _ := boundSocket(w.T, port)
	defer unix.Close(second)
	const backlog = 78 // by which it is found
	if err := unix.Listen(first, 1); err != nil {
		w.Fatal(err)
	}
	if err := unix.Listen(second, backlog); err != unix.EADDRINUSE {
		w.Fatalf("listen = %v, want EADDRINUSE", err)
	}
	return func(e *events) bool {
		return one(e.listens, func(s *bpf.ListenSample) bool { return s.Backlog == backlog && byMe(s.Head.Actor) }) == nil
	}
}

func tryClose(w *watcher) func(*events) bool {
	local, remote := exchange(w.T, "tcp4", listen(w.T, "tcp4", "127.0.0.1:0"))
	return func(e *events) bool {
		return one(e.closes, func(s *bpf.CloseSample) bool {
			return byMe(s.Head.Actor) && s.Connection.LocalEnd() == local && s.Connection.RemoteEnd() == remote && s.SentBytes == 5
		}) != nil
	}
}
