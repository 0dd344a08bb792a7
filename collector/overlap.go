package collector

import (
	"slices"

	"github.com/weirproject/weir/bpf"
)

// overlap recognises events that two attachments have told: while the former one's hooks are taken off, those of the
// next are on already. The next one's ring is left as it is, so that after a kill all of this can be done again.
type overlap struct {
	identity func(sample []byte) uint64
	times    map[uint64][]uint64 // when the next attachment told, by identity
}

// apart is how far from each other two programs on one hook can be, in ns: as far as a task that is preempted.
const apart = 10e6

// add notes a sample of the next attachment.
func (o *overlap) add(sample []byte) {
	head, err := bpf.HeadOf(sample)
	if err != nil || bpf.Kind(head.Kind) == bpf.KindNone || int(head.Kind) > len(bpf.Kinds()) {
		return // whoever reads that ring says so
	}
	id := o.identity(sample)
	o.times[id] = append(o.times[id], head.TimeNs)
}

// take reports whether the next attachment tells this event of the former one too. It does so once for each time that
// it was told.
func (o *overlap) take(sample []byte) bool {
	if len(o.times) == 0 {
		return false
	}
	head, err := bpf.HeadOf(sample)
	if err != nil {
		return false
	}
	id := o.identity(sample)
	nearest := -1
	for i, t := range o.times[id] {
		if d := distance(t, head.TimeNs); d <= apart && (nearest < 0 || d < distance(o.times[id][nearest], head.TimeNs)) {
			nearest = i
		}
	}
	if nearest < 0 {
		return false
	}
	o.times[id] = slices.Delete(o.times[id], nearest, nearest+1)
	return true
}

func distance(a, b uint64) uint64 { return max(a, b) - min(a, b) }
