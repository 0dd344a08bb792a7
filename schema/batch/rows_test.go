package batch_test

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// message is a protobuf message of an event that stands for itself: the same columns as fields, with what they
// lead to in their place. It is what the batch is measured against, and written as fast as generated code would.
//
//	message Row { 1: what is common; 2: process; 3: its parent; 4: credentials; 5: cgroup; 6: rung; number of the kind: the kind's }
type message []field

// field holds one of the three.
type field struct {
	number  protowire.Number
	varint  uint64
	bytes   []byte
	message message
}

func newRow(b *batch.Batch, row batch.Row) message {
	p, i := b.Proto(), row.Index
	c := p.GetCommon()
	m := message{{number: 1, message: newMessage(b, schema.Common, c, i)}}
	if process := schema.At(c.GetProcess(), i); process != 0 {
		parent := schema.At(p.GetProcesses().GetParent(), int(process-1))
		m = m.with(2, b, schema.Processes, p.GetProcesses(), uint32(process))
		m = m.with(3, b, schema.Processes, p.GetProcesses(), uint32(parent))
	}
	m = m.with(4, b, schema.Credentials, p.GetCredentials(), schema.At(c.GetCredentials(), i))
	m = m.with(5, b, schema.Cgroups, p.GetCgroups(), schema.At(c.GetCgroup(), i))
	m = m.with(6, b, schema.Rungs, p.GetRungs(), schema.At(c.GetRung(), i))
	if group, ok := row.Kind.In(p); ok {
		m = m.with(protowire.Number(row.Kind.Number), b, &row.Kind.Table, group, uint32(row.GroupRow+1))
	}
	return m
}

// with adds the entry of a table, whose index counts from 1, as a message of its own.
func (m message) with(number protowire.Number, b *batch.Batch, t *schema.Table, table proto.Message, index uint32) message {
	if index == 0 {
		return m
	}
	return append(m, field{number: number, message: newMessage(b, t, table, int(index-1))})
}

func newMessage(b *batch.Batch, t *schema.Table, table proto.Message, row int) message {
	m := message{}
	for i := range t.Columns {
		c := &t.Columns[i]
		n := c.Values(table).Int(row)
		f := field{number: protowire.Number(c.Number), varint: uint64(n)}
		switch c.Field.GetForm() {
		case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS, weirv1.Form_FORM_ADDRESS, weirv1.Form_FORM_DICTIONARY_ID:
			f.bytes = b.Text(uint32(n))
		case weirv1.Form_FORM_PROCESS, weirv1.Form_FORM_CREDENTIALS, weirv1.Form_FORM_CGROUP, weirv1.Form_FORM_RUNG:
			continue // is there as an entry
		}
		if c.Name == "thread" { // the one column of these with negative values
			f.varint = protowire.EncodeZigZag(n)
		}
		if n != 0 {
			m = append(m, f)
		}
	}
	return m
}

func (m message) size() int {
	n := 0
	for i := range m {
		n += protowire.SizeTag(m[i].number)
		switch f := &m[i]; {
		case f.message != nil:
			n += protowire.SizeBytes(f.message.size())
		case f.bytes != nil:
			n += protowire.SizeBytes(len(f.bytes))
		default:
			n += protowire.SizeVarint(f.varint)
		}
	}
	return n
}

func (m message) append(dst []byte) []byte {
	for i := range m {
		switch f := &m[i]; {
		case f.message != nil:
			dst = protowire.AppendTag(dst, f.number, protowire.BytesType)
			dst = f.message.append(protowire.AppendVarint(dst, uint64(f.message.size())))
		case f.bytes != nil:
			dst = protowire.AppendTag(dst, f.number, protowire.BytesType)
			dst = protowire.AppendBytes(dst, f.bytes)
		default:
			dst = protowire.AppendTag(dst, f.number, protowire.VarintType)
			dst = protowire.AppendVarint(dst, f.varint)
		}
	}
	return dst
}
