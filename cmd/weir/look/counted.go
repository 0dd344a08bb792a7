package look

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/schema/ecs"
)

// describeCounted says what was counted, and how often; ok is false for every other kind.
func describeCounted(b *batch.Batch, row batch.Row) (text string, ok bool) {
	p, i := b.Proto(), row.GroupRow
	switch row.Kind {
	case schema.CapabilityCheck:
		c := p.CapabilityCheck
		text = ecs.CapabilityName(uint64(schema.At(c.Capability, i)))
		if schema.At(c.Refused, i) {
			text += " refused"
		}
		return text + times(schema.At(c.Count, i)), true
	case schema.NetworkRetransmit:
		r := p.NetworkRetransmit
		text = endpoint(b, schema.At(r.Source, i), schema.At(r.SourcePort, i)) + " → " +
			endpoint(b, schema.At(r.Destination, i), schema.At(r.DestinationPort, i))
		return text + " " + label(schema.At(r.Cause, i)) + times(schema.At(r.Count, i)), true
	case schema.SocketCreate:
		s := p.SocketCreate
		text = fmt.Sprintf("%s %s %d", label(schema.At(s.Family, i)), label(schema.At(s.Type, i)), schema.At(s.Protocol, i))
		if errno := schema.At(s.Errno, i); errno != 0 {
			text += " " + unix.ErrnoName(syscall.Errno(errno))
		}
		return text + times(schema.At(s.Count, i)), true
	case schema.BlockIo:
		return describeRequests(b, p.BlockIo, i), true
	}
	return "", false
}

func times(n uint64) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" × %d", n)
}

// describeRequests gives the latency that half of the requests and 99 of 100 do not exceed, by their slots' ends.
func describeRequests(b *batch.Batch, r *weirv1.BlockIo, i int) string {
	device := schema.At(r.Device, i)
	text := fmt.Sprintf("%d:%d %s × %d, %s", device>>20, device&(1<<20-1), label(schema.At(r.Operation, i)), schema.At(r.Count, i), size(schema.At(r.Bytes, i)))
	latency := schema.HistogramOf(b.Text(schema.At(r.Latency, i)))
	if latency == (schema.Histogram{}) {
		return text
	}
	return fmt.Sprintf("%s, half in %s, 99 %% in %s", text, duration(latency.Quantile(50)), duration(latency.Quantile(99)))
}

// label is the name that the contract gives an enum's value, or else its number.
func label(v protoreflect.Enum) string {
	if value := v.Descriptor().Values().ByNumber(v.Number()); value != nil && schema.LabelOf(value) != "" {
		return schema.LabelOf(value)
	}
	return fmt.Sprint(v.Number())
}
