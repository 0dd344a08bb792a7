package fill

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/bpf"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

func TestAnAcceptIsFromTheOtherEndToTheHosts(t *testing.T) {
	b := newBench(schema.NetworkAccept)
	seed(b, shellKey, initKey, "/usr/sbin/sshd")
	s := &bpf.AcceptSample{Head: head(bpf.KindNetworkAccept, shellKey)}
	s.Connection = connection("10.0.0.1:22", "10.0.0.2:4000")
	s.Connection.NetworkNamespace, s.Head.Actor.NetworkNamespace = 1, 1
	s.LatencyNs, s.Backlog, s.ListenerPort = 400, 128, 22
	b.Accept(s)
	late := &bpf.AcceptSample{Head: head(bpf.KindNetworkAccept, shellKey), Connection: s.Connection, ListenerPort: 2222, Late: 1}
	late.Head.Actor.NetworkNamespace = 2
	b.Accept(late)

	read := b.read(t)
	g := read.Proto().NetworkAccept
	ends := []netip.AddrPort{
		netip.AddrPortFrom(read.Address(g.Source[0]), uint16(g.SourcePort[0])),
		netip.AddrPortFrom(read.Address(g.Destination[0]), uint16(g.DestinationPort[0])),
	}
	if ends[0].String() != "10.0.0.2:4000" || ends[1].String() != "10.0.0.1:22" {
		t.Errorf("%v", ends)
	}
	got := [][]uint64{g.LatencyUs, wide(g.Waiting), wide(g.Backlog), wide(g.ListenerPort), wide(g.ActorNamespace)}
	want := [][]uint64{{1, 0}, {1, 0}, {128, 0}, {0, 2222}, {0, 2}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func wide(column []uint32) (w []uint64) {
	for _, v := range column {
		w = append(w, uint64(v))
	}
	return w
}

func TestACloseNamesItsCloserBesideItsOwner(t *testing.T) {
	b := newBench(schema.NetworkClose)
	seed(b, shellKey, initKey, "/usr/sbin/sshd")
	seed(b, childKey, shellKey, "/usr/bin/worker")
	s := &bpf.CloseSample{Head: head(bpf.KindNetworkClose, shellKey), Closer: childKey}
	s.Connection = connection("10.0.0.1:22", "10.0.0.2:4000")
	s.FirstCloser, s.ResetBy, s.NeverAccepted = uint8(bpf.FirstCloserNeither), uint8(bpf.ResetByEither), 1
	b.Close(s)

	p := b.read(t).Proto()
	g := p.NetworkClose
	if tgid := p.Processes.Tgid[g.Closer[0]-1]; tgid != int32(childKey.Tgid) {
		t.Errorf("closer %d", tgid)
	}
	if g.FirstCloser[0] != weirv1.FirstCloser_FIRST_CLOSER_NEITHER || g.ResetBy[0] != weirv1.ResetBy_RESET_BY_EITHER || !g.NeverAccepted[0] {
		t.Errorf("%v", g)
	}
}
