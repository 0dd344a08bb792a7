package attach

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// pair is one connection of this process, both ends by their descriptors.
type pair struct {
	incoming
	server, peer int
}

func (w *watcher) pair() pair {
	w.Helper()
	i := w.incoming()
	server, _, err := unix.Accept(int(file(w.T, i.listener).Fd()))
	if err != nil {
		w.Fatal(err)
	}
	f, err := i.client.File()
	if err != nil {
		w.Fatal(err)
	}
	peer, err := unix.Dup(int(f.Fd()))
	if err != nil {
		w.Fatal(err)
	}
	f.Close()
	i.client.Close()
	return pair{i, server, peer}
}

func (p pair) check(errs ...error) {
	p.Helper()
	for _, err := range errs {
		if err != nil {
			p.Fatal(err)
		}
	}
}

func linger(fd int) error {
	return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
}

func write(fd int) error { _, err := unix.Write(fd, []byte("data")); return err }

func readEnd(fd int) error {
	_, err := unix.Read(fd, make([]byte, 64))
	return err
}

// keepalive gives a connection up when it has not been answered for three seconds at most.
func keepalive(fd int) error {
	for _, o := range [][3]int{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}, {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1}, {unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 1},
	} {
		if err := unix.SetsockoptInt(fd, o[0], o[1], o[2]); err != nil {
			return err
		}
	}
	return nil
}

// deaf has the socket take nothing any more.
func deaf(fd int) error {
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]})
}

// ending is what network.close says of how an end came about.
type ending struct {
	first bpf.FirstCloser
	reset bpf.ResetBy
	errno syscall.Errno
}

func TestCloseTellsWhoWasFirstAndWhoReset(t *testing.T) {
	const local, remote = bpf.FirstCloserLocal, bpf.FirstCloserRemote
	for name, c := range map[string]struct {
		end          func(p pair) // of the server's end first
		server, peer ending
	}{
		"closed": {func(p pair) { p.check(unix.Close(p.server), readEnd(p.peer), unix.Close(p.peer)) }, ending{first: local}, ending{first: remote}},
		"half closed": {func(p pair) {
			p.check(unix.Shutdown(p.server, unix.SHUT_WR), readEnd(p.peer), write(p.peer), readEnd(p.server), unix.Close(p.peer), unix.Close(p.server))
		}, ending{first: local}, ending{first: remote}},
		"shut and left open": {func(p pair) {
			p.check(unix.Shutdown(p.server, unix.SHUT_RDWR), readEnd(p.peer), unix.Shutdown(p.peer, unix.SHUT_RDWR))
		}, ending{first: local}, ending{first: remote}},
		"unread data": {func(p pair) { p.check(write(p.peer), unix.Close(p.server), unix.Close(p.peer)) },
			ending{local, bpf.ResetByLocal, 0}, ending{remote, bpf.ResetByRemote, unix.ECONNRESET}},
		"lingers for no time": {func(p pair) { p.check(linger(p.server), unix.Close(p.server), unix.Close(p.peer)) },
			ending{local, bpf.ResetByLocal, 0}, ending{remote, bpf.ResetByRemote, unix.ECONNRESET}},
		"disconnected": {func(p pair) { disconnect(p.T, p.server); p.check(unix.Close(p.server), unix.Close(p.peer)) },
			ending{local, bpf.ResetByLocal, 0}, ending{remote, bpf.ResetByRemote, unix.ECONNRESET}},
		// The server's end is in TIME_WAIT by then, which is over the connection, and answers with a reset.
		"data after close": {func(p pair) { p.check(unix.Close(p.server), write(p.peer), unix.Close(p.peer)) },
			ending{first: local}, ending{remote, bpf.ResetByRemote, unix.EPIPE}},
		"not answered": {func(p pair) { p.check(keepalive(p.server), deaf(p.server)) },
			ending{bpf.FirstCloserNeither, bpf.ResetByNobody, unix.ETIMEDOUT}, ending{remote, bpf.ResetByRemote, unix.ECONNRESET}},
	} {
		t.Run(name, func(t *testing.T) {
			w := watchShared(t)
			p := w.pair()
			c.end(p)
			server, peer := w.closeOf(p.local, p.remote), w.closeOf(p.remote, p.local)
			for _, end := range []struct {
				s    *bpf.CloseSample
				want ending
			}{{server, c.server}, {peer, c.peer}} {
				got := ending{bpf.FirstCloser(end.s.FirstCloser), bpf.ResetBy(end.s.ResetBy), syscall.Errno(end.s.Error)}
				if got != end.want || !byMe(end.s.Head.Actor) || end.s.ActorIsCloser != 0 || end.s.DurationNs == 0 {
					t.Errorf("%+v, want %+v: %+v", got, end.want, end.s)
				}
			}
		})
	}
}

func TestCloseByAKilledProcessIsItsOwn(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	a := starts(t, "serve address", file(t, l))
	i := incomingTo(w, l)
	v := asks(t, i.client)
	a.cmd.Process.Kill()
	a.cmd.Wait()
	i.client.Close()
	got := w.closeOf(v.local, v.remote)
	if got.Head.Actor.Key.Tgid != v.pid || !got.Closer.IsZero() || got.FirstCloser != uint8(bpf.FirstCloserLocal) {
		t.Errorf("%+v", got)
	}
}

// What was established before the hooks were there is its opener's, which need not be who holds it now.
func TestCloseOfAnOlderConnectionNamesItsOwner(t *testing.T) {
	l := listen(t, "tcp4", "127.0.0.1:0")
	a := starts(t, "serve address", file(t, l))
	before := &watcher{T: t}
	i := incomingTo(before, l)
	v := asks(t, i.client)
	w := watch(t, Default())
	if err := w.Seed(&w.seen); err != nil {
		t.Fatal(err)
	}
	i.client.Close()
	a.ends()
	server, client := w.closeOf(v.local, v.remote), w.closeOf(v.remote, v.local)
	if server.Head.Actor.Key.Tgid != v.pid || server.ActorIsCloser != 0 || server.Direction != uint8(bpf.DirectionUnknown) || server.NeverAccepted != 0 {
		t.Errorf("%+v", server)
	}
	if client.Head.Actor.Key.Tgid != uint32(os.Getpid()) || client.ActorIsCloser != 0 || client.Connection.Socket == 0 {
		t.Errorf("%+v", client)
	}
	accepted := one(w.seen.accepts, func(s *bpf.AcceptSample) bool { return s.Connection.RemoteEnd() == v.remote })
	if accepted != nil {
		t.Errorf("%+v", accepted)
	}
}
