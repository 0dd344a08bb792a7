package fill

import (
	"testing"

	"github.com/weirproject/weir/bpf"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

func TestASummaryIsARowThatNeverWasInTheRing(t *testing.T) {
	b := newBench(schema.CapabilityCheck)
	key := bpf.CountKey{Epoch: 3, Kind: uint16(bpf.KindCapabilityCheck)}
	*key.Capability() = bpf.CapabilityKey{Capability: 21, Refused: 1, Options: uint8(bpf.CapabilityNoAudit)}
	actor := bpf.Actor{Key: bpf.ProcessKey{Tgid: 7, StartNs: 5000}, Tid: 7, Euid: 1000}
	if err := b.Summary([]bpf.Counted{{Key: key, Count: bpf.Count{Actor: actor, Count: 40, FirstNs: 8_000_000}}}, 9000); err != nil {
		t.Fatal(err)
	}
	read := b.read(t).Proto()
	g, common := read.GetCapabilityCheck(), read.GetCommon()
	if g.GetCapability()[0] != 21 || !g.GetRefused()[0] || !g.GetUnaudited()[0] || g.GetCount()[0] != 40 || g.GetFirstUs()[0] != 8000 {
		t.Errorf("row %v", g)
	}
	if common.GetTimeUs()[0] != 9000 || common.GetSequence()[0] != 0 || read.GetProcesses().GetTgid()[0] != 7 {
		t.Errorf("common %v of processes %v", common, read.GetProcesses())
	}
	if got := b.Counts(schema.CapabilityCheck); got != (Counts{Summaries: 1, Summarised: 40}) {
		t.Errorf("counted as %+v", got)
	}
}

func TestSlotsOfBothHistogramsMakeOneRow(t *testing.T) {
	b := newBench(schema.BlockIo)
	slot := func(latency, size uint8, count, bytes uint64) bpf.Counted {
		c := bpf.Counted{Key: bpf.CountKey{Epoch: 1, Kind: uint16(bpf.KindBlockIO)}, Count: bpf.Count{Count: count, Amount: bytes, FirstNs: 5000}}
		*c.Key.Block() = bpf.BlockKey{Device: 259 << 20, Operation: 1, Latency: latency, Size: size}
		return c
	}
	series := []bpf.Counted{slot(1, 12, 3, 12288), slot(3, 12, 2, 8192), slot(3, 16, 1, 65536)}
	if err := b.Summary(series, 9000); err != nil {
		t.Fatal(err)
	}
	read := b.read(t)
	g := read.Proto().GetBlockIo()
	latency, size := read.Text(g.GetLatency()[0]), read.Text(g.GetSize()[0])
	if string(latency) != "\x00\x03\x00\x03" || len(size) != 17 || size[12] != 5 || size[16] != 1 || g.GetBytes()[0] != 86016 || g.GetCount()[0] != 6 {
		t.Errorf("latency %v, size %v of %v", latency, size, g)
	}
	if got := b.Counts(schema.BlockIo); got != (Counts{Summaries: 1, Summarised: 6}) {
		t.Errorf("counted as %+v", got)
	}
}

func TestCountedRowsTellWhatWasCountedBy(t *testing.T) {
	b := newBench(schema.NetworkRetransmit, schema.SocketCreate)
	again := bpf.CountKey{Kind: uint16(bpf.KindNetworkRetransmit)}
	*again.Retransmit() = bpf.RetransmitKey{
		Family: 2, Local: [4]uint32{0x0100007f}, LocalPort: 40000, Remote: [4]uint32{0x0900000a}, RemotePort: 443,
		State: 2, Cause: uint8(bpf.RetransmitSyn), Socket: 77, NetworkNamespace: 5,
	}
	made := bpf.CountKey{Kind: uint16(bpf.KindSocketCreate)}
	*made.Socket() = bpf.SocketKey{Family: 17, Type: 3, Protocol: 768, Error: 13}
	for _, key := range []bpf.CountKey{again, made} {
		if err := b.Summary([]bpf.Counted{{Key: key, Count: bpf.Count{Count: 2}}}, 9000); err != nil {
			t.Fatal(err)
		}
	}
	read := b.read(t)
	r, s := read.Proto().GetNetworkRetransmit(), read.Proto().GetSocketCreate()
	if string(read.Text(r.GetSource()[0])) != "\x7f\x00\x00\x01" || r.GetDestinationPort()[0] != 443 ||
		r.GetCause()[0] != weirv1.RetransmitCause_RETRANSMIT_CAUSE_SYN || r.GetState()[0] != weirv1.TcpState_TCP_STATE_SYN_SENT || r.GetSocket()[0] != 77 {
		t.Errorf("row %v", r)
	}
	if s.GetFamily()[0] != weirv1.SocketFamily_SOCKET_FAMILY_PACKET || s.GetType()[0] != weirv1.SocketType_SOCKET_TYPE_RAW || s.GetErrno()[0] != 13 || s.GetCount()[0] != 2 {
		t.Errorf("row %v", s)
	}
}
