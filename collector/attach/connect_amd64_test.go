package attach

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A program of 64 bits may make system calls of 32 bits too, which named tracepoints do not see.
func TestConnectByA32BitCallIsAConnect(t *testing.T) {
	w := watchShared(t)
	remote := end(listen(t, "tcp4", "127.0.0.1:0").Addr())
	fd := stream(t, unix.AF_INET)
	if errno := connect32(t, fd, rawIPv4(remote)); errno != 0 {
		t.Fatalf("connect = %v", unix.Errno(errno))
	}
	w.onlyConnect(localEnd(t, fd), remote)
}

// connect32 calls connect by int 0x80, whose arguments are of 32 bits.
func connect32(t *testing.T, fd int, to unix.RawSockaddrInet4) (errno int32) {
	t.Helper()
	const connect = 362
	page, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_32BIT)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(page)
	// The first four integers of a Go function come in AX, BX, CX, DI, and its result goes out in AX.
	code := page[64:]
	copy(code, []byte{
		0x89, 0xfa, // mov %edi, %edx
		0xcd, 0x80, // int $0x80
		0xc3, // ret
	})
	address := (*unix.RawSockaddrInet4)(unsafe.Pointer(&page[0]))
	*address = to
	entry := unsafe.Pointer(&code[0])
	function := unsafe.Pointer(&entry)
	call := *(*func(number, fd, address, length uintptr) int32)(unsafe.Pointer(&function))
	return -call(connect, uintptr(fd), uintptr(unsafe.Pointer(address)), unix.SizeofSockaddrInet4)
}
