package fill

import (
	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/schema"
)

// Summary appends a row that tells what was counted until now by one key, or by the keys of one histogram. It has
// no sequence number, as it never was in the ring.
func (f *Filler) Summary(series []bpf.Counted, now schema.BootTime) error {
	first := &series[0]
	head := bpf.Head{Kind: first.Key.Kind, TimeNs: uint64(now) * 1000, Actor: first.Count.Actor}
	kind := f.kinds[head.Kind]
	for i := range series {
		kind.counts.Summarised += series[i].Count.Count
	}
	if !kind.event { // as configured now; an attachment of before may have counted it
		return nil
	}
	kind.counts.Summaries++
	f.For(ForRows)
	if bpf.Kind(head.Kind) == bpf.KindBlockIO {
		f.io(&head, series)
		return nil
	}
	s := bpf.CountSample{Head: head, Key: first.Key, Count: first.Count}
	return bpf.Dispatch(s.Raw(), f)
}
