package stream_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/schema"
)

// networkWord is the first argument of a test binary that is to talk to itself.
const networkWord = "weir-workload-network"

// talk talks to itself by plain system calls, so often, and writes the facts to standard output. What it does is
// known to the byte: no resolver, no runtime and no second thread has a part in it.
func talk(rounds string) (exitCode int) {
	n, err := strconv.Atoi(rounds)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var talker talker
	for range n {
		for _, address := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1"} {
			talker.talk(netip.MustParseAddr(address))
		}
	}
	if talker.err == nil {
		talker.err = json.NewEncoder(os.Stdout).Encode(talker.facts)
	}
	if talker.err != nil {
		fmt.Fprintln(os.Stderr, talker.err)
		return 1
	}
	return 0
}

// talker is one process's talk. After its first error it does nothing.
type talker struct {
	facts []fact
	err   error
}

// Bytes that the two ends send.
const request, reply = 517, 70_001

func (k *talker) talk(loopback netip.Addr) {
	listener := k.socket(loopback)
	k.do(unix.Listen(listener, 4)) // without bind: the kernel chooses the port
	listening := k.local(listener)
	k.note(fact{Kind: schema.NetworkListen.Name, Server: listening})

	client := k.bound(loopback)
	to := netip.AddrPortFrom(loopback, listening.Port())
	k.do(unix.Connect(client, sockaddr(to)))
	server, _, err := unix.Accept(listener)
	k.do(err)
	k.send(client, server, request)
	k.send(server, client, reply)
	connection := fact{Kind: schema.NetworkConnect.Name, Source: k.local(client), Destination: to}
	k.note(connection)
	connection.Kind, connection.Direction = schema.NetworkAccept.Name, "ingress"
	k.note(connection)
	k.do(unix.Close(client))
	k.expect(server, 0)
	k.do(unix.Close(server))

	connection.Kind = schema.NetworkClose.Name
	out, in := connection, connection
	out.Direction, out.Sent, out.Received = "egress", request, reply
	in.Direction, in.Sent, in.Received = "ingress", reply, request
	k.note(out, in)
	k.refused(loopback)
	k.do(unix.Close(listener))
}

// refused connects to a port that is taken, and that nobody listens on.
func (k *talker) refused(loopback netip.Addr) {
	deaf, client := k.bound(loopback), k.bound(loopback)
	failed := fact{Kind: schema.NetworkConnect.Name, Source: k.local(client), Destination: k.local(deaf), Errno: "ECONNREFUSED"}
	if err := unix.Connect(client, sockaddr(failed.Destination)); err != unix.ECONNREFUSED && k.err == nil {
		k.err = fmt.Errorf("connect to %s: %v", failed.Destination, err)
	}
	k.note(failed)
	k.do(unix.Close(client))
	k.do(unix.Close(deaf))
}

// note adds facts, with the addresses as weir tells them.
func (k *talker) note(facts ...fact) {
	for _, f := range facts {
		f.PID = os.Getpid()
		f.Mapped = f.Source.Addr().Is4In6()
		f.Source, f.Destination = unmapped(f.Source), unmapped(f.Destination)
		k.facts = append(k.facts, f)
	}
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

func (k *talker) do(err error) {
	if k.err == nil {
		k.err = err
	}
}

func (k *talker) socket(of netip.Addr) int {
	family := unix.AF_INET6
	if of.Is4() {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	k.do(err)
	return fd
}

func (k *talker) bound(to netip.Addr) int {
	fd := k.socket(to)
	k.do(unix.Bind(fd, sockaddr(netip.AddrPortFrom(to, 0))))
	return fd
}

func (k *talker) local(fd int) netip.AddrPort {
	address, err := unix.Getsockname(fd)
	k.do(err)
	switch a := address.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr), uint16(a.Port))
	}
	return netip.AddrPort{}
}

func sockaddr(a netip.AddrPort) unix.Sockaddr {
	if a.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// send sends n bytes, which fit into the sockets' buffers, and reads them at the other end.
func (k *talker) send(from, to, n int) {
	if k.err != nil {
		return
	}
	_, err := unix.Write(from, make([]byte, n))
	k.do(err)
	k.expect(to, n)
}

// expect reads n bytes; 0 is the end.
func (k *talker) expect(fd, n int) {
	for left := max(n, 1); left > 0 && k.err == nil; {
		got, err := unix.Read(fd, make([]byte, left))
		k.do(err)
		if got == 0 {
			if n != 0 {
				k.do(fmt.Errorf("the connection ended %d bytes early", left))
			}
			return
		}
		left -= got
	}
}
