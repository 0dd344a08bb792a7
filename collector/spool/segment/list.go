package segment

import "slices"

// Info is what a List knows of one segment.
type Info struct {
	Number   uint64
	Replaces uint64 // see Header
	First    uint64 // number of the first entry, or of the first that is told of
	Last     uint64 // number of the last entry; First - 1 where there is none
	Bytes    int64
	Acked    int64 // bytes of the entries that Kafka has, as far as they were taken since the spool was opened
	Evicted  bool
}

// Header returns the header of the segment.
func (s Info) Header() Header {
	return Header{Number: s.Number, First: s.First, Replaces: s.Replaces, Evicted: s.Evicted}
}

// Limits bound a spool.
type Limits struct {
	Segment int64 // no entry is begun in a segment that it would make larger
	Total   int64 // of all segments; at least four times Segment
}

// Step is what has to be done next to append an entry.
type Step uint8

// The steps: evict the victim, begin a new segment, write the entry.
const (
	Evict Step = iota
	Roll
	Write
)

// List decides what is to be done with which segment: which one is appended to, which gives way when the
// spool is full, which Kafka has whole. The caller does it, and tells the List that it is done.
//
//	acked <= taken < next; entries up to acked are in Kafka, those up to taken are on their way
type List struct {
	limits   Limits
	segments []Info // in order; the last is the one that is appended to
	flight   []flying
	acked    uint64
	taken    uint64
	next     uint64
}

// flying is an entry that was taken and not acked.
type flying struct {
	number uint64
	bytes  int64
}

// NewList begins with the segments that were found, in order of their numbers, of which the last tells its
// Last itself. Stale are those that Kafka has or that others replace: they are to be removed.
func NewList(limits Limits, found []Info, acked uint64) (l *List, stale []Info) {
	l = &List{limits: limits, acked: acked, taken: acked, next: acked + 1}
	for i, s := range found {
		if i+1 < len(found) {
			s.Last = found[i+1].First - 1
		}
		// Any later one may replace it, but in practice the next does.
		if slices.ContainsFunc(found[i+1:], func(t Info) bool { return t.Replaces <= s.Number }) {
			stale = append(stale, s)
			continue
		}
		l.segments = append(l.segments, s)
		l.next = max(l.next, s.Last+1)
	}
	return l, append(stale, l.dropAcked()...)
}

// Next returns the number that the next entry gets.
func (l *List) Next() uint64 { return l.next }

// Taken returns the number of the last entry that was handed out, or that Kafka has.
func (l *List) Taken() uint64 { return l.taken }

// Acked returns the number up to which Kafka has all entries.
func (l *List) Acked() uint64 { return l.acked }

// Active returns the segment that is appended to.
func (l *List) Active() (Info, bool) {
	if len(l.segments) == 0 {
		return Info{}, false
	}
	return l.segments[len(l.segments)-1], true
}

// Get returns a segment by its number.
func (l *List) Get(number uint64) (Info, bool) {
	for _, s := range l.segments {
		if s.Number == number {
			return s, true
		}
	}
	return Info{}, false
}

// After returns the segment that holds the first entry above number.
func (l *List) After(number uint64) (Info, bool) {
	for _, s := range l.segments {
		if s.Last > number {
			return s, true
		}
	}
	return Info{}, false
}

// Step says what is to be done next to append an entry of size bytes.
func (l *List) Step(size int64) Step {
	active, ok := l.Active()
	roll := !ok || active.Evicted || active.Last >= active.First && active.Bytes+size > l.limits.Segment
	total := l.Bytes() + size
	if roll {
		total += HeaderSize
	}
	if _, _, ok := l.Victim(); ok && total > l.limits.Total {
		return Evict
	}
	if roll {
		return Roll
	}
	return Write
}

// Victim returns the segment that is to give way: the oldest that was not evicted and of which nothing is
// on its way to Kafka, since what is on its way cannot be called lost. With it comes the segment before it
// where that one was evicted: then the two become one.
func (l *List) Victim() (victim Info, before []Info, ok bool) {
	for i, s := range l.segments {
		if i == len(l.segments)-1 || s.Evicted || l.flies(s) {
			continue
		}
		if i > 0 && l.segments[i-1].Evicted && !l.flies(l.segments[i-1]) {
			before = l.segments[i-1 : i]
		}
		return s, before, true
	}
	return Info{}, nil, false
}

func (l *List) flies(s Info) bool {
	return l.taken > l.acked && s.First <= l.taken && s.Last > l.acked
}

// Rolled adds a new segment, which holds nothing but its header.
func (l *List) Rolled() Info {
	s := Info{Number: 1, First: l.next, Last: l.next - 1, Bytes: HeaderSize}
	if active, ok := l.Active(); ok {
		s.Number = active.Number + 1
	}
	s.Replaces = s.Number
	l.segments = append(l.segments, s)
	return s
}

// Unrolled takes back a segment that could not be made.
func (l *List) Unrolled() { l.segments = l.segments[:len(l.segments)-1] }

// Written adds the entry that was appended.
func (l *List) Written(size int64) {
	active := &l.segments[len(l.segments)-1]
	active.Last = l.next
	active.Bytes += size
	l.next++
}

// Evicted puts s in the place of the victim and of the segment that became one with it.
func (l *List) Evicted(s Info) {
	l.segments = slices.DeleteFunc(l.segments, func(t Info) bool { return t.Number >= s.Replaces && t.Number < s.Number })
	i := slices.IndexFunc(l.segments, func(t Info) bool { return t.Number == s.Number })
	l.segments[i] = s
}

// Take notes that the entry was handed out or passed over, and with it those before.
func (l *List) Take(number uint64, bytes int64) {
	l.taken = max(l.taken, number)
	l.flight = append(l.flight, flying{number, bytes})
}

// Ack notes that Kafka has all entries up to number, and returns the segments that are to be removed for it.
func (l *List) Ack(number uint64) []Info {
	l.acked = max(l.acked, min(number, l.taken))
	for len(l.flight) > 0 && l.flight[0].number <= l.acked {
		l.credit(l.flight[0])
		l.flight = l.flight[1:]
	}
	return l.dropAcked()
}

func (l *List) credit(f flying) {
	for i := range l.segments {
		if s := &l.segments[i]; s.First <= f.number && f.number <= s.Last {
			s.Acked += f.bytes
		}
	}
}

// dropAcked takes out the segments that Kafka has whole. The last stays, for its last entry says where the
// run ended and which samples it had.
func (l *List) dropAcked() (gone []Info) {
	for len(l.segments) > 1 && l.segments[0].Last <= l.acked {
		gone = append(gone, l.segments[0])
		l.segments = l.segments[1:]
	}
	return gone
}

// Bytes returns the size of all segments.
func (l *List) Bytes() (sum int64) {
	for _, s := range l.segments {
		sum += s.Bytes
	}
	return sum
}

// Waiting returns how many batches are in the spool that Kafka does not have, and their bytes; evicted ones
// are not among them.
func (l *List) Waiting() (batches uint64, bytes int64) {
	for _, s := range l.segments {
		if first := max(s.First, l.acked+1); !s.Evicted && s.Last >= first {
			batches += s.Last + 1 - first
			bytes += s.Bytes - HeaderSize - s.Acked
		}
	}
	return batches, bytes
}
