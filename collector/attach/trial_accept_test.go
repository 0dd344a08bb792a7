package attach

import (
	"net"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// What some rungs of network.accept do not tell.
const (
	lacksQueue   = "listener's port and queue"
	lacksTime    = "time and thread where accept asks for no address"
	lacksProcess = "process where it asks for no address and the other end resets first"
	missesEnded  = "accept that asks for no address, of a connection that is over"
)

// incoming is a connection that nobody has accepted yet.
type incoming struct {
	*watcher
	listener      *net.TCPListener
	client        *net.TCPConn
	local, remote netip.AddrPort // as the acceptor has them
}

func (w *watcher) incoming() incoming {
	w.Helper()
	return incomingTo(w, listen(w.T, "tcp4", "127.0.0.1:0"))
}

func incomingTo(w *watcher, l *net.TCPListener) incoming {
	w.Helper()
	c, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		w.Fatal(err)
	}
	return incoming{w, l, c.(*net.TCPConn), end(c.RemoteAddr()), end(c.LocalAddr())}
}

// reset has the client reset the connection.
func (i incoming) reset() {
	i.Helper()
	if err := i.client.SetLinger(0); err != nil {
		i.Fatal(err)
	}
	if err := i.client.Close(); err != nil {
		i.Fatal(err)
	}
}

// acceptedNull accepts without asking for the address.
func (i incoming) acceptedNull() (fd int) {
	i.Helper()
	fd, err := acceptNull(int(file(i.T, i.listener).Fd()))
	if err != nil {
		i.Fatal(err)
	}
	return fd
}

// told finds the accept.
func (i incoming) told(e *events) *bpf.AcceptSample {
	return one(e.accepts, func(s *bpf.AcceptSample) bool {
		return s.Connection.LocalEnd() == i.local && s.Connection.RemoteEnd() == i.remote
	})
}

// tells returns what asks one thing of the accept, which has to be there.
func (i incoming) tells(one func(*bpf.AcceptSample) bool) func(*events) bool {
	return func(e *events) bool {
		s := i.told(e)
		if s == nil {
			i.Error("it was not told at all")
			return false
		}
		return one(s)
	}
}

func tryAccept(w *watcher) func(*events) bool {
	i := w.accepted()
	return func(e *events) bool {
		s := i.told(e)
		return s != nil && byMe(s.Head.Actor) && s.Late == 0 && s.LatencyNs > 0
	}
}

func tryAcceptTellsTheQueue(w *watcher) func(*events) bool {
	i := w.accepted()
	return i.tells(func(s *bpf.AcceptSample) bool { return s.ListenerPort == i.local.Port() && s.Backlog > 0 })
}

func (w *watcher) accepted() incoming {
	w.Helper()
	i := w.incoming()
	c, err := i.listener.Accept()
	if err != nil {
		w.Fatal(err)
	}
	i.client.Close()
	c.Close()
	return i
}

func tryAcceptWithoutAddress(w *watcher) func(*events) bool {
	i := w.incoming()
	unix.Close(i.acceptedNull())
	i.client.Close()
	return i.tells(func(s *bpf.AcceptSample) bool { return byMe(s.Head.Actor) && s.Late == 0 && s.LatencyNs > 0 })
}

func tryAcceptWithoutAddressThenReset(w *watcher) func(*events) bool {
	i := w.incoming()
	fd := i.acceptedNull()
	i.reset()
	unix.Close(fd)
	return i.tells(func(s *bpf.AcceptSample) bool { return byMe(s.Head.Actor) })
}

func tryAcceptWithoutAddressOfADeadConnection(w *watcher) func(*events) bool {
	i := w.incoming()
	i.reset()
	unix.Close(i.acceptedNull())
	return func(e *events) bool { return i.told(e) != nil }
}
