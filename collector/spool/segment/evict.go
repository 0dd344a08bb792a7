package segment

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Burial gathers what is left of entries that give way: one Evicted entry for each stretch of batches of one
// run. It keeps one body a stretch, not a segment.
type Burial struct {
	acked     uint64
	stretches []stretch
}

type stretch struct {
	first uint64 // number of its first entry
	entry Entry  // all of them joined
}

// NewBurial begins one; entries up to acked leave nothing.
func NewBurial(acked uint64) *Burial { return &Burial{acked: acked} }

// Add takes the next entry.
func (b *Burial) Add(e Entry) {
	if e.Number <= b.acked {
		return
	}
	if n := len(b.stretches); n > 0 && follows(b.stretches[n-1].entry, e) {
		b.stretches[n-1].entry = join(b.stretches[n-1].entry, e)
		return
	}
	b.stretches = append(b.stretches, stretch{e.Number, e})
}

// Entries returns the Evicted entries. header reads the header out of a record; of a stretch of which it
// cannot, nothing is left but what lost tells.
func (b *Burial) Entries(header func(record []byte) ([]byte, error)) (out []Entry, lost []Loss) {
	for _, s := range b.stretches {
		e, err := bury(s.entry, header)
		if err != nil {
			lost = append(lost, Loss{First: s.first, Last: s.entry.Number, Cause: err})
			continue
		}
		out = append(out, e)
	}
	return out, lost
}

// bury makes an Evicted entry of e. It comes last, as to read a header means to inflate the batch, and each
// stretch needs but one.
func bury(e Entry, header func([]byte) ([]byte, error)) (Entry, error) {
	if e.Form == Evicted {
		return e, nil
	}
	h, err := header(e.Body)
	if err != nil {
		return Entry{}, fmt.Errorf("header of batch %d: %w", e.Tomb.GetLast(), err)
	}
	e.Form, e.Body = Evicted, h
	e.Tomb = proto.CloneOf(e.Tomb)
	e.Tomb.Reason = "spool full"
	return e, nil
}

// follows reports whether b's batches are those right behind a's, and one tombstone can count both.
func follows(a, b Entry) bool {
	if a.Host != b.Host || a.Run != b.Run || a.Tomb.GetLast()+1 != b.Tomb.GetFirst() || a.hash() != b.Previous {
		return false
	}
	for _, x := range a.Tomb.GetLost() {
		for _, y := range b.Tomb.GetLost() {
			if x.GetKind() == y.GetKind() && y.GetRows() > math.MaxUint32-x.GetRows() {
				return false
			}
		}
	}
	return true
}

// join returns one entry for both; b follows a. It keeps a's place in the chain and b's header.
func join(a, b Entry) Entry {
	b.Previous = a.Previous
	b.Tomb = proto.CloneOf(b.Tomb)
	b.Tomb.First = a.Tomb.GetFirst()
	for _, x := range a.Tomb.GetLost() {
		addRows(b.Tomb, x)
	}
	return b
}

func addRows(t *weirv1.Tombstone, x *weirv1.Group) {
	for _, y := range t.GetLost() {
		if y.GetKind() == x.GetKind() {
			y.Rows += x.GetRows()
			return
		}
	}
	t.Lost = append(t.Lost, proto.CloneOf(x))
}
