package attach

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// inherited is the descriptor of the first file that a child is given beside its standard ones.
const inherited = 3

// serve accepts one connection in the way that how says, writes to it who accepted it, and closes it after the
// client. The listener is inherited. It says on standard output when it is about to accept.
func serve(how string) error {
	listener := inherited
	if how == "passed" {
		var err error
		if listener, err = receive(inherited); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	connection, tid, err := acceptBy(how, listener)
	if err != nil {
		return err
	}
	return serveOne(connection, tid)
}

func serveOne(connection, tid int) error {
	if _, err := unix.Write(connection, signature(os.Getpid(), tid)); err != nil {
		return err
	}
	if _, err := unix.Read(connection, make([]byte, 1)); err != nil {
		return err
	}
	return unix.Close(connection)
}

// signature is what an acceptor writes.
func signature(pid, tid int) []byte {
	return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, uint32(pid)), uint32(tid))
}

func acceptBy(how string, listener int) (connection, tid int, err error) {
	runtime.LockOSThread()
	switch how {
	case "null":
		connection, err = acceptNull(listener)
	case "accept4":
		connection, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC)
	case "nonblocking":
		connection, err = acceptAfterPoll(listener)
	case "epoll":
		connection, err = acceptAfterEpoll(listener)
	case "thread":
		return acceptInThread(listener)
	default:
		connection, _, err = unix.Accept(listener)
	}
	return connection, unix.Gettid(), err
}

// acceptNull does not ask for the other end's address.
func acceptNull(listener int) (int, error) {
	for {
		connection, _, errno := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(listener), 0, 0, 0, 0, 0)
		switch errno {
		case 0:
			return int(connection), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

func acceptAfterPoll(listener int) (int, error) {
	if err := unix.SetNonblock(listener, true); err != nil {
		return 0, err
	}
	for {
		connection, _, err := unix.Accept(listener)
		if err != unix.EAGAIN {
			return connection, err
		}
		if _, err := unix.Poll([]unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}, -1); err != nil && err != unix.EINTR {
			return 0, err
		}
	}
}

func acceptAfterEpoll(listener int) (int, error) {
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		return 0, err
	}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, listener, &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		return 0, err
	}
	for {
		if _, err := unix.EpollWait(epoll, make([]unix.EpollEvent, 1), -1); err != unix.EINTR {
			break
		}
	}
	connection, _, err := unix.Accept4(listener, unix.SOCK_NONBLOCK)
	if err != nil {
		return 0, err
	}
	return connection, unix.SetNonblock(connection, false)
}

// acceptInThread accepts in another thread than the process's first, which then ends.
func acceptInThread(listener int) (connection, tid int, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		tid = unix.Gettid()
		connection, _, err = unix.Accept(listener)
	}()
	<-done
	return connection, tid, err
}

// receive takes a descriptor that another process passes through a unix socket; send passes one.
func receive(socket int) (int, error) {
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), control, 0)
	if err != nil {
		return 0, err
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) == 0 {
		return 0, fmt.Errorf("no descriptor came: %w", err)
	}
	rights, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return 0, err
	}
	return rights[0], nil
}

func send(socket, fd int) error {
	return unix.Sendmsg(socket, []byte{0}, unix.UnixRights(fd), nil, 0)
}

// passOn accepts without asking for the address, passes the connection to whoever has the other end of the unix
// socket that is inherited too, and lets go of it.
func passOn() error {
	fmt.Println("ready")
	connection, err := acceptNull(inherited)
	if err != nil {
		return err
	}
	if _, err := unix.Write(connection, signature(os.Getpid(), unix.Gettid())); err != nil {
		return err
	}
	if err := send(inherited+1, connection); err != nil {
		return err
	}
	return unix.Close(connection)
}

// changeUser accepts without asking for the address, and is another user when it closes.
func changeUser() error {
	fmt.Println("ready")
	connection, err := acceptNull(inherited)
	if err != nil {
		return err
	}
	if err := syscall.Setresuid(1234, 1234, 1234); err != nil {
		return err
	}
	return serveOne(connection, unix.Gettid())
}

// forkedWorker is a fork of this process as a server makes it, not as Go does: it accepts one connection, without
// asking for its address where length is 0, writes to it who it is, and closes it after the client. A process that
// was forked has one thread of Go's many, so that nothing in it may want more stack or another thread.
//
//go:nosplit
func forkedWorker(listener uintptr, length uint32) (pid int, errno syscall.Errno) {
	child, _, errno := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if child != 0 || errno != 0 {
		return int(child), errno
	}
	var address [unix.SizeofSockaddrInet6]byte
	var who [2]uint32
	at, size := unsafe.Pointer(&address), unsafe.Pointer(&length)
	if length == 0 {
		at, size = nil, nil
	}
	connection, _, errno := syscall.RawSyscall6(unix.SYS_ACCEPT4, listener, uintptr(at), uintptr(size), 0, 0, 0)
	if errno == 0 {
		own, _, _ := syscall.RawSyscall(unix.SYS_GETPID, 0, 0, 0)
		who = [2]uint32{uint32(own), uint32(own)}
		syscall.RawSyscall(unix.SYS_WRITE, connection, uintptr(unsafe.Pointer(&who)), unsafe.Sizeof(who))
		syscall.RawSyscall(unix.SYS_READ, connection, uintptr(unsafe.Pointer(&who)), 1)
		syscall.RawSyscall(unix.SYS_CLOSE, connection, 0, 0)
	}
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
	}
}
