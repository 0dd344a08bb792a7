package segment

import (
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Obituaries returns entries that stand for those of entries that are above acked: one for each stretch of
// batches of one run. header reads the header out of a record; of those of which it cannot, nothing is left
// but what lost tells.
func Obituaries(entries []Entry, acked uint64, header func(record []byte) ([]byte, error)) (out []Entry, lost []Loss) {
	for _, e := range entries {
		if e.Number <= acked {
			continue
		}
		if n := len(out); n > 0 && follows(out[n-1], e) {
			out[n-1] = join(out[n-1], e)
		} else {
			out = append(out, e)
		}
	}
	kept := out[:0]
	for _, e := range out {
		buried, err := bury(e, header)
		if err != nil {
			lost = append(lost, Loss{First: e.Number, Last: e.Number, Cause: err})
			continue
		}
		kept = append(kept, buried)
	}
	return kept, lost
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
