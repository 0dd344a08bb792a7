package attach

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// What arrives is handled on the other CPU, where current is a stranger: the result still is the connect's caller's.
func TestConnectWhoseAnswerComesOnAnotherCPUNamesItsCaller(t *testing.T) {
	w := watchShared(t)
	var answered, refused [2]netip.AddrPort
	inNewNetwork(t, func() {
		at := twoNetworks(t)
		if err := plainConnect("tcp4", at); err != nil { // interfaces may take a second until they carry anything
			t.Error(err)
		}
		for _, c := range []struct {
			ends *[2]netip.AddrPort
			to   netip.AddrPort
		}{{&answered, at}, {&refused, netip.AddrPortFrom(at.Addr(), 1)}} {
			fd := stream(t, unix.AF_INET)
			err := unix.Connect(fd, ipv4(c.to.Addr().String(), c.to.Port()))
			if (err == nil) != (c.ends == &answered) {
				t.Error(err)
			}
			*c.ends = [2]netip.AddrPort{localEnd(t, fd), c.to}
		}
	})
	w.onlyConnect(answered[0], answered[1])
	if got := w.connectTo(refused[1]); !byMe(got.Head.Actor) || got.Error != uint32(unix.ECONNREFUSED) {
		t.Errorf("%+v", got)
	}
}

// twoNetworks connects the thread's network namespace to another one, in which somebody listens; what comes from there
// is handled on another CPU than the thread's, if there is one. Where the kernel has no veth, both are one.
func twoNetworks(t *testing.T) netip.AddrPort {
	t.Helper()
	loopbackUp(t)
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	at, err := farListener(t, here)
	if errors.Is(err, unix.EOPNOTSUPP) {
		steer(t, "lo")
		return end(listen(t, "tcp4", "127.0.0.1:0").Addr())
	}
	if err != nil {
		t.Error(err)
		return at
	}
	interfaceUp(t, "vb", "192.0.2.2")
	steer(t, "vb")
	return at
}

// farListener is at the other end of a pair of interfaces, whose end vb is put here.
func farListener(t *testing.T, here *os.File) (at netip.AddrPort, err error) {
	t.Helper()
	inNewNetwork(t, func() {
		if err = addVeth(int(here.Fd())); err != nil {
			return
		}
		interfaceUp(t, "va", "192.0.2.1")
		at = end(listen(t, "tcp4", "192.0.2.1:0").Addr())
	})
	return at, err
}

func interfaceUp(t *testing.T, name, address string) {
	t.Helper()
	fd := stream(t, unix.AF_INET)
	request, err := unix.NewIfreq(name)
	if err != nil {
		t.Error(err)
		return
	}
	ip := netip.MustParseAddr(address).As4()
	err = request.SetInet4Addr(ip[:])
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCSIFADDR, request)
	}
	request.SetUint16(unix.IFF_UP)
	if err := errors.Join(err, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

// steer keeps the thread on one CPU, and has what comes through the interface handled on another.
func steer(t *testing.T, name string) {
	t.Helper()
	var cpus unix.CPUSet
	cpus.Set(0)
	if err := unix.SchedSetaffinity(0, &cpus); err != nil { // the thread ends with its network
		t.Error(err)
	}
	sys := t.TempDir() // of this network
	if err := unix.Mount("sysfs", sys, "sysfs", 0, ""); err != nil {
		t.Error(err)
		return
	}
	defer unmount(t, sys)
	others := 1<<min(runtime.NumCPU(), 8) - 1
	if others > 1 {
		others &^= 1
	}
	queue := filepath.Join(sys, "class/net", name, "queues/rx-0/rps_cpus")
	if err := os.WriteFile(queue, fmt.Appendf(nil, "%x", others), 0); err != nil {
		t.Error(err)
	}
}

// MPTCP has one socket of the process, and one of TCP for each path: the first is opened by the process, others by a
// worker of the kernel, for the process.
func TestConnectOfMPTCPsOtherPathsIsTheProcesssToo(t *testing.T) {
	w := watchShared(t)
	var first, remote netip.AddrPort
	var fd int
	inNewNetwork(t, func() {
		loopbackUp(t)
		if err := addPath(t, "127.0.0.2"); err != nil {
			t.Error(err)
			return
		}
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp4", "127.0.0.1:0") // MPTCP's, as Go has it
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { l.Close() })
		remote = end(l.Addr())
		fd = mptcp(t)
		if err := unix.Connect(fd, ipv4("127.0.0.1", remote.Port())); err != nil {
			t.Error(err)
			return
		}
		first = localEnd(t, fd)
		if _, err := unix.Write(fd, []byte("hello")); err != nil { // another path begins once there is data
			t.Error(err)
		}
		server, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { server.Close() })
		server.Read(make([]byte, 5))
		server.Write([]byte("hello"))
	})
	w.onlyConnect(first, remote)
	got := until(w, "network.connect of another path", func(e *events) *bpf.ConnectSample {
		return one(e.connects, func(s *bpf.ConnectSample) bool {
			return s.Connection.RemoteEnd() == remote && s.Connection.LocalEnd().Addr() == netip.MustParseAddr("127.0.0.2")
		})
	})
	switch {
	case hasHelper(t, "skc_to_mptcp_sock") && !byMe(got.Head.Actor):
		t.Errorf("%+v", got)
	case !byMe(got.Head.Actor) && !got.Head.Actor.Key.IsZero():
		t.Errorf("a stranger did it: %+v", got)
	}
	letGo(t, fd)
	w.pass()
	for _, s := range w.seen.connects {
		if s.Connection.RemoteEnd() == remote && s.Result != uint32(bpf.ConnectAnswered) {
			t.Errorf("what succeeded has failed too: %+v", s)
		}
	}
}

// mptcp makes a socket of MPTCP, which ends with the test.
func mptcp(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_MPTCP)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// pass waits for an event that comes after all that has happened before.
func (w *watcher) pass() {
	w.Helper()
	remote := end(listen(w.T, "tcp4", "127.0.0.1:0").Addr())
	if err := plainConnect("tcp4", remote); err != nil {
		w.Fatal(err)
	}
	w.connectTo(remote)
}

// addPath lets MPTCP open connections from another address too.
func addPath(t *testing.T, address string) error {
	t.Helper()
	const (
		addAddress, setLimits      = 1, 5
		attrAddress, attrSubflows  = 1, 3
		family, ipv4Address, flags = 1, 3, 6
		subflow                    = 2
	)
	ip := netip.MustParseAddr(address).As4()
	return errors.Join(
		generic(t, "mptcp_pm", setLimits, attribute(2, number32(2)...), attribute(attrSubflows, number32(2)...)),
		generic(t, "mptcp_pm", addAddress, nested(attrAddress,
			attribute(family, number16(unix.AF_INET)...), attribute(ipv4Address, ip[:]...), attribute(flags, number32(subflow)...))))
}

// hasHelper reports whether the kernel has a helper of this name.
func hasHelper(t *testing.T, name string) bool {
	t.Helper()
	kernel, err := kernelTypes(Default().BTF)
	if err != nil {
		t.Fatal(err)
	}
	var helpers *btf.Enum
	if err := kernel.TypeByName("bpf_func_id", &helpers); err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(helpers.Values, func(v btf.EnumValue) bool { return strings.EqualFold(v.Name, "BPF_FUNC_"+name) })
}
