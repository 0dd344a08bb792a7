package fill

import (
	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/schema"
)

// Summary appends a row that tells what was counted by a key until now. It has no sequence number, as it never was
// in the ring.
func (f *Filler) Summary(key bpf.CountKey, count bpf.Count, now schema.BootTime) error {
	s := bpf.CountSample{Head: bpf.Head{Kind: key.Kind, TimeNs: uint64(now) * 1000, Actor: count.Actor}, Key: key, Count: count}
	counts := f.kinds[key.Kind].counts
	counts.Summaries++
	counts.Summarised += count.Count
	return bpf.Dispatch(s.Raw(), f.For(ForRows))
}
