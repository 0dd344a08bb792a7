package attach

import (
	"net"
	"net/netip"
	"slices"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

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

			if !byMe(connected.Head.Actor) || connected.Connection.RemoteEnd() != remote || connected.Error != 0 || connected.Result != uint32(bpf.ConnectAnswered) || connected.LatencyNs == 0 {
				t.Errorf("connect %+v", connected)
			}
			if !byMe(closed.Head.Actor) || closed.ActorIsCloser != 0 || closed.Direction != uint8(bpf.DirectionOutbound) || closed.Connection.Socket != connected.Connection.Socket {
				t.Errorf("close %+v", closed)
			}
			if !byMe(passive.Head.Actor) || passive.ActorIsCloser != 0 || passive.Direction != uint8(bpf.DirectionInbound) || passive.DurationNs == 0 {
				t.Errorf("close of the other end %+v", passive)
			}
			want := []uint64{5, 7, 7, 5}
			if diff := cmp.Diff(want, []uint64{closed.SentBytes, closed.ReceivedBytes, passive.SentBytes, passive.ReceivedBytes}); diff != "" {
				t.Error(diff)
			}
		})
	}
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

// Whoever opens more connections than are remembered does not take away who opened the others. Before 5.11 it does, and
// takes away no event: their own storage is out of the programs' reach.
func TestConnectNamesItsProcessHoweverManyAreOpen(t *testing.T) {
	cfg := Default()
	cfg.Sockets = 2
	cfg.Kinds = []bpf.Kind{bpf.KindNetworkConnect, bpf.KindNetworkClose}
	w := watch(t, cfg)
	l := listen(t, "tcp4", "127.0.0.1:0")
	var pairs [][2]net.Conn
	for range 10 {
		pairs = append(pairs, connected(t, "tcp4", l))
	}
	named := 0
	for _, pair := range pairs {
		client, server := pair[0], pair[1]
		opened := w.connectFrom(end(client.LocalAddr()))
		client.Close()
		server.Close()
		closed := w.closeOf(end(client.LocalAddr()), end(client.RemoteAddr()))
		if byMe(opened.Head.Actor) && byMe(closed.Head.Actor) && closed.ActorIsCloser == 0 && closed.Connection.Socket == opened.Connection.Socket {
			named++
		}
	}
	if named != len(pairs) && reachesSocketStorage(t) {
		t.Errorf("%d of %d connections have their process", named, len(pairs))
	}
}

// reachesSocketStorage is has_socket_storage of compat.h.
func reachesSocketStorage(t *testing.T) bool {
	t.Helper()
	kernel, err := kernelTypes(Default().BTF)
	if err != nil {
		t.Fatal(err)
	}
	var helpers *btf.Enum
	if err := kernel.TypeByName("bpf_func_id", &helpers); err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(helpers.Values, func(v btf.EnumValue) bool { return v.Name == "BPF_FUNC_get_current_task_btf" })
}
