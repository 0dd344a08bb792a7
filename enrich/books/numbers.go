package books

import "slices"

// Range is consecutive batch numbers, both ends included. The zero Range holds none.
type Range struct{ First, Last uint64 }

// IsZero reports whether the range holds no number.
func (r Range) IsZero() bool { return r == Range{} }

// maxMissing bounds the holes that are remembered of one run.
const maxMissing = 64

// Numbers is which batch numbers of one run have come: all from 1 to Last, but for Missing.
type Numbers struct {
	Last uint64
	// Missing is in order, disjoint, and below Last. Beyond maxMissing the oldest are forgotten: a batch
	// of theirs that comes after all is taken for a duplicate.
	Missing []Range
}

// Has reports whether the number has come, or is too old to tell.
func (n *Numbers) Has(number uint64) bool {
	return number <= n.Last && !slices.ContainsFunc(n.Missing, func(r Range) bool {
		return r.First <= number && number <= r.Last
	})
}

// Add notes that the numbers of r have come. It returns how many of them are new, and the numbers before
// r that are missing now.
func (n *Numbers) Add(r Range) (fresh uint64, gap Range) {
	fresh = n.fill(r)
	if r.Last <= n.Last {
		return fresh, Range{}
	}
	if r.First > n.Last+1 {
		gap = Range{First: n.Last + 1, Last: r.First - 1}
		n.miss(append(n.Missing, gap))
	}
	fresh += r.Last - max(n.Last, r.First-1)
	n.Last = r.Last
	return fresh, gap
}

// fill takes r out of Missing and returns how many numbers that were.
func (n *Numbers) fill(r Range) (filled uint64) {
	var rest []Range
	for _, m := range n.Missing {
		first, last := max(m.First, r.First), min(m.Last, r.Last)
		if first > last {
			rest = append(rest, m)
			continue
		}
		filled += last - first + 1
		if m.First < first {
			rest = append(rest, Range{m.First, first - 1})
		}
		if last < m.Last {
			rest = append(rest, Range{last + 1, m.Last})
		}
	}
	n.miss(rest)
	return filled
}

// miss makes the last ranges what is missing.
func (n *Numbers) miss(ranges []Range) {
	n.Missing = ranges[max(0, len(ranges)-maxMissing):]
}

// hasAll reports whether every number of the range has come.
func (n *Numbers) hasAll(r Range) bool {
	return r.Last <= n.Last && !slices.ContainsFunc(n.Missing, func(m Range) bool {
		return m.First <= r.Last && r.First <= m.Last
	})
}
