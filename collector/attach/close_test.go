package attach

import (
	"fmt"
	"io"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// A reset comes in softirq, while the client is current: it did not close this end, and nobody here did.
func TestCloseByTheOtherEndsResetHasNoActor(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	cmd := child(t, fmt.Sprintf("reset %d", end(l.Addr()).Port()))
	pid, status := ended(t, cmd)
	if status.ExitStatus() != 0 {
		t.Fatal("the client failed")
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	local, remote := end(server.LocalAddr()), end(server.RemoteAddr())
	passive, active := w.closeOf(local, remote), w.closeOf(remote, local)
	if passive.Head.Actor.Key != (bpf.ProcessKey{}) || passive.Head.Actor.Uid != ^uint32(0) || passive.Error != uint32(unix.ECONNRESET) || passive.ActorIsCloser != 0 {
		t.Errorf("%+v", passive)
	}
	if active.Head.Actor.Key.Tgid != uint32(pid) || active.ActorIsCloser != 0 {
		t.Errorf("%+v", active)
	}
}

// Closing with unread data resets: ESTABLISHED goes to CLOSE at once, in the closer's context.
func TestCloseWithUnreadDataNamesTheCloser(t *testing.T) {
	w := watchShared(t)
	l := listen(t, "tcp4", "127.0.0.1:0")
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(client, "unread"); err != nil {
		t.Fatal(err)
	}
	server.Close()
	got := w.closeOf(end(server.LocalAddr()), end(server.RemoteAddr()))
	if !byMe(got.Head.Actor) || got.ActorIsCloser != 0 || got.ResetBy != uint8(bpf.ResetByLocal) || got.ReceivedBytes != 6 {
		t.Errorf("%+v", got)
	}
}
