package host

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"golang.org/x/sys/unix"
)

// Describe returns what the header of every batch says of this host; whoever makes batches adds the run, the
// attachment, the version, and what differs from batch to batch. It fails where the host cannot be told
// from others. Attributes that the machine does not give are left empty.
func Describe(key ed25519.PublicKey) (*weirv1.Header, error) {
	boot, err := Boot()
	if err != nil {
		return nil, err
	}
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		return nil, fmt.Errorf("describe host: uname: %w", err)
	}
	addresses, err := Addresses()
	if err != nil {
		return nil, err
	}
	release := readOSRelease()
	id := schema.NewHostID(key)
	header := &weirv1.Header{
		HostId:       id[:],
		BootId:       boot[:],
		BootTimeUs:   BootedAt().UnixMicro(),
		MachineId:    MachineID(),
		Hostname:     unix.ByteSliceToString(uts.Nodename[:]),
		Architecture: unix.ByteSliceToString(uts.Machine[:]),
		Kernel:       unix.ByteSliceToString(uts.Release[:]),
		OsId:         release.ID,
		OsVersion:    release.Version,
		OsName:       release.Name,
	}
	for _, a := range addresses {
		header.Addresses = append(header.Addresses, a.AsSlice())
	}
	return header, nil
}

// Boot returns the id of this boot.
func Boot() (schema.BootID, error) {
	const path = "/proc/sys/kernel/random/boot_id"
	text, err := os.ReadFile(path)
	if err != nil {
		return schema.BootID{}, fmt.Errorf("boot id: %w", err)
	}
	id, err := parseID(string(text))
	if err != nil {
		return schema.BootID{}, fmt.Errorf("boot id: %s: %w", path, err)
	}
	return schema.BootID(id), nil
}

// MachineID returns machine-id(5), or "" where the machine has none. Machines made from one image may
// share it.
func MachineID() string {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if _, err := parseID(string(text)); err == nil {
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}

// Addresses returns the addresses of the machine's interfaces in this network namespace, without loopback
// and link-local ones, sorted.
func Addresses() ([]netip.Addr, error) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("addresses of the interfaces: %w", err)
	}
	addresses := make([]netip.Addr, 0, len(all))
	for _, a := range all {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil {
			addresses = append(addresses, prefix.Addr())
		}
	}
	return outward(addresses), nil
}

// readOSRelease follows os-release(5): the file in /etc wins.
func readOSRelease() OSRelease {
	text, err := os.ReadFile("/etc/os-release")
	if errors.Is(err, fs.ErrNotExist) {
		text, err = os.ReadFile("/usr/lib/os-release")
	}
	if err != nil {
		return OSRelease{}
	}
	return parseOSRelease(string(text))
}

// Now returns the time on CLOCK_BOOTTIME, which goes on while the machine sleeps: the clock of samples.
func Now() schema.BootTime {
	return schema.BootTime(clock(unix.CLOCK_BOOTTIME).Microseconds())
}

// BootedAt returns the moment at which CLOCK_BOOTTIME was 0, by CLOCK_REALTIME as it stands now: it moves
// when the machine's clock is set.
func BootedAt() time.Time {
	// Of a few readings the one in which least time passed between the clocks is the truest: a process
	// that lost the CPU in between would be off by as much.
	best, least := time.Time{}, time.Duration(1<<62)
	for range 5 {
		before := clock(unix.CLOCK_BOOTTIME)
		now := time.Now()
		after := clock(unix.CLOCK_BOOTTIME)
		if after-before < least {
			best, least = now.Add(-(before+after)/2), after-before
		}
	}
	return best.Round(0)
}

// clock reads a clock that every kernel has: it cannot fail.
func clock(id int32) time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(id, &ts); err != nil {
		panic(fmt.Sprintf("host: clock %d: %v", id, err))
	}
	return time.Duration(ts.Nano())
}
