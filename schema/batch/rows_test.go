package batch_test

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// appendRow appends the row as a protobuf message that stands for itself, behind its length: the same columns as
// fields, with what they lead to in their place. It is what the batch is measured against.
//
//	message Row { 1: Common fields; 2: Process; 3: Process parent; 4: Credentials; 5: Cgroup; 6: rung; number: kind }
func appendRow(dst []byte, b *batch.Batch, row batch.Row) []byte {
	p := b.Proto()
	common := p.GetCommon()
	var body []byte
	body = protowire.AppendTag(body, 1, protowire.BytesType)
	body = protowire.AppendBytes(body, appendColumns(nil, b, schema.Common, common, row.Index))
	if process := schema.At(common.GetProcess(), row.Index); process != 0 {
		body = appendEntry(body, 2, b, schema.Processes, p.GetProcesses(), uint32(process))
		body = appendEntry(body, 3, b, schema.Processes, p.GetProcesses(), schema.At(p.GetProcesses().GetParent(), int(process-1)))
	}
	body = appendEntry(body, 4, b, schema.Credentials, p.GetCredentials(), schema.At(common.GetCredentials(), row.Index))
	body = appendEntry(body, 5, b, schema.Cgroups, p.GetCgroups(), schema.At(common.GetCgroup(), row.Index))
	body = appendEntry(body, 6, b, schema.Rungs, p.GetRungs(), schema.At(common.GetRung(), row.Index))
	if group, ok := row.Kind.In(p); ok {
		body = appendEntry(body, protowire.Number(row.Kind.Number), b, &row.Kind.Table, group, uint32(row.GroupRow+1))
	}
	return protowire.AppendBytes(dst, body)
}

// appendEntry appends the entry of a table, index counting from 1, as a field of its own.
func appendEntry(dst []byte, number protowire.Number, b *batch.Batch, t *schema.Table, m proto.Message, index uint32) []byte {
	if index == 0 {
		return dst
	}
	return appendField(dst, number, appendColumns(nil, b, t, m, int(index-1)))
}

func appendColumns(dst []byte, b *batch.Batch, t *schema.Table, m proto.Message, row int) []byte {
	for i := range t.Columns {
		c := &t.Columns[i]
		n := c.Values(m).Int(row)
		if n == 0 {
			continue
		}
		number := protowire.Number(c.Number)
		switch c.Field.GetForm() {
		case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS, weirv1.Form_FORM_ADDRESS, weirv1.Form_FORM_DICTIONARY_ID:
			dst = appendField(dst, number, b.Text(uint32(n)))
		case weirv1.Form_FORM_PROCESS, weirv1.Form_FORM_CREDENTIALS, weirv1.Form_FORM_CGROUP, weirv1.Form_FORM_RUNG:
			// is there as an entry
		default:
			dst = protowire.AppendVarint(protowire.AppendTag(dst, number, protowire.VarintType), wireInt(c, n))
		}
	}
	return dst
}

// wireInt zigzags where the column's type does: nothing that a row holds would gain from it otherwise.
func wireInt(c *schema.Column, n int64) uint64 {
	if c.Name == "thread" {
		return protowire.EncodeZigZag(n)
	}
	return uint64(n)
}
