package attach

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// hook attaches a loaded program where its section says.
func (l *loader) hook(p *ebpf.Program, section string) (link.Link, error) {
	kind, target, _ := strings.Cut(section, "/")
	switch kind {
	case "tp_btf", "fexit":
		return link.AttachTracing(link.TracingOptions{Program: p})
	case "raw_tp":
		return link.AttachRawTracepoint(link.RawTracepointOptions{Name: target, Program: p})
	case "sockops", "cgroup":
		return l.hookCgroup(p, section)
	case "tracepoint":
		group, name, _ := strings.Cut(target, "/")
		return link.Tracepoint(group, name, p, nil)
	}
	return nil, fmt.Errorf("section %s: nothing attaches such programs", section)
}

// cgroupHooks are the sections of programs that attach to a cgroup.
var cgroupHooks = map[string]ebpf.AttachType{
	"sockops":             ebpf.AttachCGroupSockOps,
	"cgroup/connect4":     ebpf.AttachCGroupInet4Connect,
	"cgroup/connect6":     ebpf.AttachCGroupInet6Connect,
	"cgroup/sock_release": ebpf.AttachCgroupInetSockRelease,
	"cgroup/getpeername4": ebpf.AttachCgroupInet4GetPeername,
	"cgroup/getpeername6": ebpf.AttachCgroupInet6GetPeername,
	"cgroup/sock_create":  ebpf.AttachCGroupInetSockCreate,
}

// hookCgroup attaches to the root of the cgroup2 tree, and so to every process of the machine.
func (l *loader) hookCgroup(p *ebpf.Program, section string) (link.Link, error) {
	hook, ok := cgroupHooks[section]
	if !ok {
		return nil, fmt.Errorf("section %s: nothing attaches such programs", section)
	}
	root, err := cgroupRoot(l.mountInfo)
	if err != nil {
		return nil, err
	}
	return link.AttachCgroup(link.CgroupOptions{Path: root, Attach: hook, Program: p})
}

// errNoCgroup2 says that no cgroup2 tree is mounted. weir mounts nothing.
var errNoCgroup2 = errors.New("no cgroup2 file system is mounted")

// errPartOfCgroup2 says that what is mounted is not the whole tree: programs there would see the processes of the
// container alone.
var errPartOfCgroup2 = errors.New("the cgroup2 tree that is mounted is a part of it (a cgroup namespace)")

// cgroupRoot finds where the whole cgroup2 tree is mounted: at /sys/fs/cgroup, or beneath it where v1
// controllers are in use.
func cgroupRoot(mountInfo string) (string, error) {
	f, err := os.Open(mountInfo)
	if err != nil {
		return "", err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if at, ok := cgroup2Mount(lines.Text()); ok {
			return at, isWholeTree(at)
		}
	}
	return "", errNoCgroup2
}

// isWholeTree asks for the inode, which is 1 of the tree's root alone: in a cgroup namespace mountinfo calls that
// one's root "/" too.
func isWholeTree(root string) error {
	var info unix.Stat_t
	if err := unix.Stat(root, &info); err != nil {
		return fmt.Errorf("stat %s: %w", root, err)
	}
	if info.Ino != 1 {
		return errPartOfCgroup2
	}
	return nil
}

// cgroup2Mount reads one line of mountinfo: id, parent, device, root, mount point, options, optional fields,
// a dash, and the type.
func cgroup2Mount(line string) (string, bool) {
	mount, rest, ok := strings.Cut(line, " - ")
	fields := strings.Fields(mount)
	if !ok || len(fields) < 5 || !strings.HasPrefix(rest, "cgroup2 ") || fields[3] != "/" {
		return "", false
	}
	return unescape.Replace(fields[4]), true
}

// unescape undoes what the kernel does to the bytes that would end a field.
var unescape = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// waitForPrograms returns when no program runs that was attached before: they run within RCU's read side, and the
// kernel waits until all of those that have begun are over before it returns from an update of a map of maps
// (maybe_wait_bpf_programs). membarrier would do it too, but not where CPUs run without a tick (nohz_full).
func waitForPrograms() error {
	inner := &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1}
	in, err := ebpf.NewMap(inner)
	if err != nil {
		return fmt.Errorf("wait for programs to end: %w", err)
	}
	defer in.Close()
	out, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1, InnerMap: inner})
	if err != nil {
		return fmt.Errorf("wait for programs to end: %w", err)
	}
	defer out.Close()
	if err := out.Put(uint32(0), in); err != nil {
		return fmt.Errorf("wait for programs to end: %w", err)
	}
	return nil
}
