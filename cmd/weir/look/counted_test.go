package look

import (
	"testing"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

func TestWhatWasCountedIsSaidInWords(t *testing.T) {
	d := newDraft()
	for _, kind := range []*schema.Kind{schema.CapabilityCheck, schema.NetworkRetransmit, schema.SocketCreate, schema.BlockIo} {
		d.Append(batch.Event{Kind: kind, Time: 1})
	}
	c, r, s, io := d.Columns().CapabilityCheck, d.Columns().NetworkRetransmit, d.Columns().SocketCreate, d.Columns().BlockIo
	c.Capability, c.Refused, c.Count = []uint32{21}, []bool{true}, []uint64{40}
	r.Source, r.SourcePort = []uint32{d.Text([]byte{10, 0, 0, 1})}, []uint32{4000}
	r.Destination, r.DestinationPort = []uint32{d.Text([]byte{10, 0, 0, 2})}, []uint32{443}
	r.Cause, r.Count = []weirv1.RetransmitCause{weirv1.RetransmitCause_RETRANSMIT_CAUSE_LOSS_PROBE}, []uint64{1}
	s.Family, s.Type, s.Protocol = []weirv1.SocketFamily{weirv1.SocketFamily_SOCKET_FAMILY_PACKET}, []weirv1.SocketType{weirv1.SocketType_SOCKET_TYPE_RAW}, []uint32{768}
	s.Errno, s.Count = []uint32{1}, []uint64{2}
	var latency schema.Histogram
	latency[9], latency[14] = 98, 2
	io.Device, io.Operation, io.Count = []uint32{254 << 20}, []weirv1.BlockOperation{weirv1.BlockOperation_BLOCK_OPERATION_WRITE}, []uint64{100}
	io.Bytes, io.Latency = []uint64{1 << 20}, []uint32{d.Text(latency.Encode())}
	padColumns(d, schema.CapabilityCheck, schema.NetworkRetransmit, schema.SocketCreate, schema.BlockIo)
	b := read(t, d)
	want := map[string]string{
		"capability.check":   "CAP_SYS_ADMIN refused × 40",
		"network.retransmit": "10.0.0.1:4000 → 10.0.0.2:443 loss_probe",
		"socket.create":      "packet raw 768 EPERM × 2",
		"block.io":           "254:0 write × 100, 1.0 MiB, half in 1.02ms, 99 % in 32.8ms",
	}
	for row := range b.Rows() {
		if got := describe(b, row); got != want[row.Kind.Name] {
			t.Errorf("%s: %q, want %q", row.Kind.Name, got, want[row.Kind.Name])
		}
	}
}
