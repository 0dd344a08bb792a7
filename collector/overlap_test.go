package collector

import (
	"testing"
	"unsafe"

	"github.com/weirproject/weir/bpf"
)

func TestWhatTwoAttachmentsHaveToldIsLeftOutOnce(t *testing.T) {
	const second = 1e9
	o := newForeign(bpf.NewConverter(bpf.Forms())).overlap
	for _, at := range []uint64{10 * second, 20 * second, 20*second + 1000} {
		o.add(exitAt(7, at))
	}
	for _, c := range []struct {
		what string
		tgid uint32
		at   uint64
		want bool
	}{
		{"another process's", 8, 10 * second, false},
		{"one of long before", 7, 9 * second, false},
		{"the same, a little earlier", 7, 10*second - 5000, true},
		{"the same again", 7, 10*second - 4000, false},
		{"two that are told twice: the second", 7, 20*second + 900, true},
		{"two that are told twice: the first", 7, 20*second - 100, true},
		{"a third that is told once", 7, 20*second + 2000, false},
	} {
		if got := o.take(exitAt(c.tgid, c.at)); got != c.want {
			t.Errorf("%s: left out %v, want %v", c.what, got, c.want)
		}
	}
}

func exitAt(tgid uint32, ns uint64) []byte {
	s := &bpf.ExitSample{Head: bpf.Head{Kind: uint16(bpf.KindProcessExit), TimeNs: ns}}
	s.Head.Size = uint32(unsafe.Sizeof(*s))
	s.Head.Actor.Key.Tgid = tgid
	return unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s))
}
