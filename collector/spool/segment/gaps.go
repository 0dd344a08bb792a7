package segment

import (
	"errors"
	"fmt"
)

// Loss is entries that are not in the spool any more, and nothing tells what was in them.
type Loss struct {
	Segment     uint64
	First, Last uint64 // numbers of the entries; how many batches they were is not known where they were evicted before
	Bytes       int64  // that were passed over
	Cause       error
}

func (l Loss) Error() string {
	text := fmt.Sprintf("segment %08d: entries %d to %d are lost", l.Segment, l.First, l.Last)
	if l.Cause != nil {
		text += ": " + l.Cause.Error()
	}
	return text
}

// Entries returns how many are lost.
func (l Loss) Entries() uint64 { return l.Last + 1 - l.First }

var errMissing = errors.New("they are not in the file")

// ErrNumber is the damage of an entry that the segment cannot hold by what those around it hold.
var ErrNumber = errors.New("number of the entry")

// Gaps finds which entries of a segment are missing: damage says where, but only the numbers around it
// say what.
type Gaps struct {
	segment uint64
	evicted bool
	expect  uint64 // number of the entry that is to come
	bytes   int64
	damage  *Damage // the first since the last entry
}

// NewGaps begins with a segment of which expect is the first entry that matters.
func NewGaps(s Info, expect uint64) *Gaps {
	return &Gaps{segment: s.Number, evicted: s.Evicted, expect: expect}
}

// Begin notes the segment's first entry, as its header names it: what is expected before it was in a segment
// that is gone.
func (g *Gaps) Begin(first uint64) (Loss, bool) { return g.upTo(first) }

// Damage notes that bytes were passed over.
func (g *Gaps) Damage(d *Damage) {
	g.bytes += d.Bytes
	if g.damage == nil {
		g.damage = d
	}
}

// Entry notes the next whole entry, and tells what is missing before it.
func (g *Gaps) Entry(number uint64) (Loss, bool) {
	if g.evicted && g.damage == nil {
		g.expect = max(g.expect, number) // an Evicted entry stands for those before it as well
	}
	defer func() { g.expect = max(g.expect, number+1) }()
	return g.upTo(number)
}

// End notes that the segment's entries end with last, and tells what is missing before.
func (g *Gaps) End(last uint64) (Loss, bool) { return g.upTo(last + 1) }

// upTo tells what is missing before number, which is not.
func (g *Gaps) upTo(number uint64) (l Loss, ok bool) {
	if number > g.expect {
		l = Loss{Segment: g.segment, First: g.expect, Last: number - 1, Bytes: g.bytes, Cause: errMissing}
		if g.damage != nil {
			l.Cause = g.damage
		}
		ok = true
	}
	g.expect = max(g.expect, number)
	g.bytes, g.damage = 0, nil
	return l, ok
}
