package fill

import (
	"github.com/weirproject/weir/bpf"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Create implements bpf.Handler.
func (f *Filler) Create(s *bpf.CountSample) {
	if !f.begin(&s.Head) {
		return
	}
	g, by := f.draft.Columns().SocketCreate, s.Key.Socket()
	g.Family = append(g.Family, weirv1.SocketFamily(by.Family))
	g.Type = append(g.Type, weirv1.SocketType(by.Type))
	g.Protocol = append(g.Protocol, by.Protocol)
	g.Errno = append(g.Errno, by.Error)
	g.Count = append(g.Count, s.Count.Count)
	g.FirstUs = append(g.FirstUs, int64(bootTime(s.Count.FirstNs)))
}
