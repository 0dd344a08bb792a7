package attach

import (
	"testing"

	"golang.org/x/sys/unix"

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

func TestListenWithoutBindTellsItsPortWhereTheRungCan(t *testing.T) {
	w := watchShared(t)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Listen(fd, 77); err != nil {
		t.Fatal(err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	want := uint16(bound.(*unix.SockaddrInet4).Port)
	if w.rungOf(bpf.KindNetworkListen).Lacks != "" {
		want = 0
	}
	got := until(w, "network.listen", func(e *events) *bpf.ListenSample {
		return one(e.listens, func(s *bpf.ListenSample) bool { return s.Backlog == 77 })
	})
	if got.Port != want || !byMe(got.Head.Actor) {
		t.Errorf("%+v; want port %d", got, want)
	}
}
