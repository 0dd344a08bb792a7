package batch

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// draftTable is one table or column group of a draft: the message that is filled, the one that is marshalled
// and borrows its slices, and their columns side by side.
type draftTable struct {
	table   *schema.Table
	wire    proto.Message
	columns []draftColumn
}

type draftColumn struct {
	name     string
	encoding weirv1.Encoding
	plain    schema.Values
	wire     schema.Values
}

// newDraftTable puts the table's message into plain, for fillers.
func newDraftTable(t *schema.Table, plain *weirv1.Batch) draftTable {
	message, wire := t.New(), t.New()
	t.Put(plain, message)
	d := draftTable{table: t, wire: wire}
	for i := range t.Columns {
		c := &t.Columns[i]
		d.columns = append(d.columns, draftColumn{
			name:     c.Name,
			encoding: c.Field.GetEncoding(),
			plain:    c.Values(message),
			wire:     c.Values(wire),
		})
	}
	return d
}

// encode moves the table into b as it goes to the wire. A column of zeros is left out, but for keep first
// ones. It fails where a column does not have one value a row.
func (d *draftTable) encode(b *weirv1.Batch, rows, keep int) error {
	for i := range d.columns {
		c := &d.columns[i]
		if n := c.plain.Len(); n != rows {
			return fmt.Errorf("column %s.%s: %d values for %d rows", d.table.Name, c.name, n, rows)
		}
		if i >= keep && allZero(c.plain) {
			truncate(c.wire)
			continue
		}
		if c.encoding == weirv1.Encoding_ENCODING_DELTA {
			encodeDelta(c.plain)
		}
		lend(c.wire, c.plain)
	}
	d.table.Put(b, d.wire)
	return nil
}

// reset empties the columns and keeps their memory.
func (d *draftTable) reset() {
	for i := range d.columns {
		truncate(d.columns[i].plain)
	}
}

func allZero(v schema.Values) bool {
	switch {
	case v.Uint32 != nil:
		return zeros(*v.Uint32)
	case v.Uint64 != nil:
		return zeros(*v.Uint64)
	case v.Int32 != nil:
		return zeros(*v.Int32)
	case v.Int64 != nil:
		return zeros(*v.Int64)
	default:
		return zeros(*v.Bool)
	}
}

func zeros[T comparable](column []T) bool {
	var zero T
	for _, v := range column {
		if v != zero {
			return false
		}
	}
	return true
}

// lend makes to the same slice as from.
func lend(to, from schema.Values) {
	switch {
	case to.Uint32 != nil:
		*to.Uint32 = *from.Uint32
	case to.Uint64 != nil:
		*to.Uint64 = *from.Uint64
	case to.Int32 != nil:
		*to.Int32 = *from.Int32
	case to.Int64 != nil:
		*to.Int64 = *from.Int64
	default:
		*to.Bool = *from.Bool
	}
}

// truncate empties a column and keeps its memory.
func truncate(v schema.Values) {
	switch {
	case v.Uint32 != nil:
		*v.Uint32 = (*v.Uint32)[:0]
	case v.Uint64 != nil:
		*v.Uint64 = (*v.Uint64)[:0]
	case v.Int32 != nil:
		*v.Int32 = (*v.Int32)[:0]
	case v.Int64 != nil:
		*v.Int64 = (*v.Int64)[:0]
	default:
		*v.Bool = (*v.Bool)[:0]
	}
}

// encodeDelta replaces each value by its difference to the one before, as ENCODING_DELTA says.
func encodeDelta(v schema.Values) {
	if v.Int32 != nil {
		deltas(*v.Int32)
	} else {
		deltas(*v.Int64)
	}
}

func deltas[T int32 | int64](column []T) {
	var before T
	for i, v := range column {
		column[i] = v - before
		before = v
	}
}

// decodeDelta undoes encodeDelta. It fails at a value that is negative or does not fit its type: no column of
// this encoding has such ones.
func decodeDelta(v schema.Values) error {
	if v.Int32 != nil {
		return sums(*v.Int32, math.MaxInt32)
	}
	return sums(*v.Int64, math.MaxInt64)
}

func sums[T int32 | int64](column []T, limit T) error {
	var value T
	for i, delta := range column {
		// value is never negative, so that neither side of the comparisons can overflow.
		if delta > limit-value || delta < -value {
			return fmt.Errorf("row %d: %d more than %d is negative or too large", i, delta, value)
		}
		value += delta
		column[i] = value
	}
	return nil
}
