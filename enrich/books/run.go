package books

import (
	"bytes"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

const (
	// shortHash is how many bytes of a hash are remembered of a batch that is not the last.
	shortHash = 8
	// maxRecent is how many batches' short hashes a run remembers. What comes again from before that is
	// taken for a duplicate unseen.
	maxRecent = 32
)

// run is the books of one run.
type run struct {
	id      schema.RunID
	boot    schema.BootID
	numbers Numbers
	// hash is the chain hash of batch numbers.Last; zero where it is not known.
	hash [32]byte
	// recent holds short hashes of the batches up to numbers.Last, the oldest first; zero where the
	// number did not come.
	recent   [][shortHash]byte
	received Counts
	evicted  Counts
	// lost is rows of missing batches that have been told as lost.
	lost Counts
	// surplus is by how much more came than the run's ledger told, as last told.
	surplus     Counts
	stopped     bool
	interleaved bool
	sealedAt    time.Time
}

// Counts is rows by kind.
type Counts map[string]uint64

func (c Counts) add(groups []*weirv1.Group) {
	for _, g := range groups {
		c[g.GetKind()] += uint64(g.GetRows())
	}
}

func newRun(id schema.RunID, boot schema.BootID) *run {
	return &run{id: id, boot: boot, received: Counts{}, evicted: Counts{}, lost: Counts{}, surplus: Counts{}}
}

// same reports whether hash may be that of the batch with this number, which has come.
func (r *run) same(number uint64, hash [32]byte) bool {
	known := r.short(number)
	return known == nil || *known == [shortHash]byte{} || bytes.Equal(known[:], hash[:shortHash])
}

// short returns where the number's short hash is kept, or nil where it is no more.
func (r *run) short(number uint64) *[shortHash]byte {
	back := r.numbers.Last - number
	if number > r.numbers.Last || back >= uint64(len(r.recent)) {
		return nil
	}
	return &r.recent[len(r.recent)-1-int(back)]
}

// follows reports whether a batch with this number may have previous as the hash before its own.
func (r *run) follows(number uint64, previous [32]byte) bool {
	switch {
	case number == 1:
		return previous == [32]byte{}
	case number == r.numbers.Last+1 && r.hash != [32]byte{}:
		return previous == r.hash
	case number <= r.numbers.Last:
		return r.same(number-1, previous)
	}
	return true
}

// add enters the numbers of one batch or tombstone, of which hash is the last one's.
func (r *run) add(numbers Range, hash [32]byte) (gap Range) {
	last := r.numbers.Last
	_, gap = r.numbers.Add(numbers)
	if numbers.Last > last {
		r.hash = hash
		r.extend(min(numbers.Last-last, maxRecent))
	}
	if known := r.short(numbers.Last); known != nil {
		copy(known[:], hash[:shortHash])
	}
	return gap
}

// extend makes room for n more numbers in recent.
func (r *run) extend(n uint64) {
	r.recent = append(r.recent, make([][shortHash]byte, n)...)
	r.recent = r.recent[max(0, len(r.recent)-maxRecent):]
}
