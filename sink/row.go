package sink

import (
	"iter"

	"github.com/weirproject/weir/schema"
)

// Rows are the batch's rows in ring order.
func (b *Batch) Rows() iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for row := range b.Batch.Rows() {
			if !yield(Row{Batch: b, Row: row}) {
				return
			}
		}
	}
}

// ID names the event everywhere and for ever.
func (r Row) ID() schema.EventID { return r.Batch.EventID(r.Index) }

// KindName is the event's kind, such as "process.exec", known to this weir or not.
func (r Row) KindName() string { return r.Batch.KindName(r.Row) }

// Document appends the event as nested ECS JSON, without a line's end.
func (r Row) Document(dst []byte) []byte { return r.Batch.Documents.Append(dst, r.Row) }
