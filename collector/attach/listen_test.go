package attach

import (
	"testing"

	"github.com/weirproject/weir/bpf"
)

func TestListenTellsItsEnd(t *testing.T) {
	w := watchShared(t)
	for _, c := range []struct {
		address string
		dual    uint16
	}{{"127.0.0.1:0", 0}, {"[::1]:0", 0}, {"[::]:0", 1}} {
		l := listen(t, "tcp", c.address)
		want := end(l.Addr())
		got := until(w, "network.listen", func(e *events) *bpf.ListenSample {
			return one(e.listens, func(s *bpf.ListenSample) bool { return s.End() == want })
		})
		if !byMe(got.Head.Actor) || got.DualStack != c.dual || got.Backlog == 0 || got.NetworkNamespace == 0 {
			t.Errorf("%s: %+v", c.address, got)
		}
	}
}
