package host

import (
	"fmt"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Capability is a Linux capability by the kernel's number: capabilities(7).
type Capability uint

// DropCapabilities leaves the process no capability but keep and spare, for good: the others leave the effective,
// permitted, inheritable and ambient sets of every thread, and the bounding set, so that nothing that the
// process may ever exec gets them back. Spare ones are permitted, and not effective before a thread raises them.
// What the process does not have in the first place is not given to it. A program with cgo cannot do this
// (syscall.AllThreadsSyscall): it gets ENOTSUP.
func DropCapabilities(keep, spare []Capability) error {
	both := slices.Concat(keep, spare)
	if err := dropBounding(both); err != nil {
		return err
	}
	return limitSets(setOf(keep), setOf(both))
}

// RaiseCapabilities makes capabilities effective in the calling thread, which has to be locked to its goroutine.
// Those that the process does not have it leaves out, and names in its error.
func RaiseCapabilities(wanted ...Capability) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	raise := setOf(wanted)
	missing := raise
	for i := range sets {
		can := uint32(raise>>(32*i)) & sets[i].Permitted
		sets[i].Effective |= can
		missing &^= uint64(can) << (32 * i)
	}
	if err := unix.Capset(&header, &sets[0]); err != nil {
		return fmt.Errorf("raise capabilities %#x: %w", raise, err)
	}
	if missing != 0 {
		return fmt.Errorf("raise capabilities %#x: %w", missing, unix.EPERM)
	}
	return nil
}

func setOf(capabilities []Capability) (set uint64) {
	for _, c := range capabilities {
		set |= 1 << c
	}
	return set
}

// dropBounding needs CAP_SETPCAP, so it comes before the sets are limited. A process without it cannot have
// its bounding set made smaller, and has little to lose by it: that is no error.
func dropBounding(keep []Capability) error {
	for c := Capability(0); ; c++ {
		held, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err != nil {
			return nil // past the last capability that this kernel has
		}
		if held == 0 || slices.Contains(keep, c) {
			continue
		}
		_, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0, 0)
		if errno == syscall.EPERM {
			return nil
		}
		if errno != 0 {
			return fmt.Errorf("drop capability %d from the bounding set: %w", c, errno)
		}
	}
}

func limitSets(effective, permitted uint64) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData // the low 32 capabilities, and the high ones
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("read capabilities: %w", err)
	}
	for i := range sets {
		sets[i].Effective &= uint32(effective >> (32 * i))
		sets[i].Permitted &= uint32(permitted >> (32 * i))
		sets[i].Inheritable = 0 // ambient ones go with it
	}
	_, _, errno := syscall.AllThreadsSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&sets[0])), 0)
	if errno != 0 {
		return fmt.Errorf("limit capabilities to %#x: %w", permitted, errno)
	}
	return nil
}
