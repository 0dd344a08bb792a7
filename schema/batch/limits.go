package batch

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// ReadLimits bound what a reader spends on one record, whatever the record says of itself.
type ReadLimits struct {
	Record int // bytes of the record
	Raw    int // bytes of the batch once it is inflated
	Parts  int // messages and strings outside of the columns, each of which costs an allocation
	String int // bytes of a name or a reason outside of the columns: findings and balances repeat them
	Text   int // bytes of an entry of the dictionary, which every row may name
	Rows   int
}

// DefaultReadLimits leave room for batches many times larger than collectors make.
func DefaultReadLimits() ReadLimits {
	return ReadLimits{Record: 4 << 20, Raw: 16 << 20, Parts: 5000, String: 1 << 10, Text: 64 << 10, Rows: 100_000}
}

// checkParts bounds the messages, strings and byte strings within a message of type d before it is unmarshalled:
// two bytes on the wire become a hundred in memory. Bytes that are no message are left to Unmarshal.
func checkParts(b []byte, d protoreflect.MessageDescriptor, l ReadLimits) error {
	return (&parts{limits: l}).add(b, d)
}

type parts struct {
	limits ReadLimits
	count  int
}

func (p *parts) add(b []byte, d protoreflect.MessageDescriptor) error {
	for len(b) > 0 {
		number, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		b = b[n:]
		size := protowire.ConsumeFieldValue(number, typ, b)
		if size < 0 {
			return nil
		}
		if f := d.Fields().ByNumber(number); f != nil && typ == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b[:size])
			if err := p.field(f, value); err != nil {
				return err
			}
		}
		b = b[size:]
	}
	return nil
}

func (p *parts) field(f protoreflect.FieldDescriptor, value []byte) error {
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.StringKind, protoreflect.BytesKind:
	default:
		return nil // a packed column
	}
	if p.count++; p.count > p.limits.Parts {
		return fmt.Errorf("more than %d messages and strings: %w", p.limits.Parts, ErrTooLarge)
	}
	if f.Kind() == protoreflect.StringKind && len(value) > p.limits.String {
		return fmt.Errorf("%s has %d bytes, at most %d: %w", f.FullName(), len(value), p.limits.String, ErrTooLarge)
	}
	if f.Kind() == protoreflect.MessageKind {
		return p.add(value, f.Message())
	}
	return nil
}

// checkSizes bounds what a few bytes can become: a column of zeros compresses to nothing, and a text is in the
// document of every row that names it.
func checkSizes(b *weirv1.Batch, l ReadLimits) error {
	if n := len(b.GetCommon().GetKind()); n > l.Rows {
		return fmt.Errorf("batch: %d rows, at most %d: %w", n, l.Rows, ErrTooLarge)
	}
	for i, size := range b.GetDictionary().GetSize() {
		if int64(size) > int64(l.Text) {
			return fmt.Errorf("dictionary: entry %d has %d bytes, at most %d: %w", i+1, size, l.Text, ErrTooLarge)
		}
	}
	return nil
}
