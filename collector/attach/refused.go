package attach

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// Refused says that a rung did not hold on this kernel, and what it would have needed.
type Refused struct {
	Rung string // its hooks, or "every rung"
	Need string // for people: what to do, or what this kernel has not
	Err  error
	// Price is set where the rung was not tried, as nobody has bought it: what it costs.
	Price string
}

func (r *Refused) Error() string { return fmt.Sprintf("%s: %v; it needs %s", r.Rung, r.Err, r.Need) }
func (r *Refused) Unwrap() error { return r.Err }

// errPrice is why a rung is not tried that costs those whom no event is about.
var errPrice = errors.New("has a price")

func forSale(r bpf.Rung) *Refused {
	return &Refused{Rung: r.String(), Need: fmt.Sprintf("to be bought (buy: [%s]): %s", r.Kind, r.Price), Err: errPrice, Price: r.Price}
}

const needRoot = "CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (run as root)"

// otherKernel is what is needed where nothing better is known, as where the verifier refuses a program.
const otherKernel = "another kernel"

// notSupported is the kernel's own ENOTSUPP, which user space has no name for.
const notSupported = unix.Errno(524)

// need makes a Refused of what loading or attaching the rung said.
func need(rung string, err error) *Refused {
	return &Refused{Rung: rung, Need: needed(rung, err), Err: short(err)}
}

func needed(rung string, err error) string {
	if e, ok := errors.AsType[*bpf.SignatureError](err); ok {
		return fmt.Sprintf("a kernel whose %s takes %d arguments", e.Hook, e.Arguments)
	}
	switch {
	case errors.Is(err, errNoCgroup2):
		return "a cgroup2 tree: mount -t cgroup2 none /sys/fs/cgroup"
	case errors.Is(err, errPartOfCgroup2):
		return "the host's cgroup namespace: run the container with --cgroupns=host"
	case errors.Is(err, notSupported):
		return "fentry and fexit (on arm64 from Linux 6.4 on)"
	case errors.Is(err, unix.EPERM) && os.Geteuid() != 0:
		return needRoot
	case lockedDown(): // to some programs the verifier says so itself, in its own words
		return "a kernel without lockdown=confidentiality"
	case errors.Is(err, unix.EPERM) && strings.Contains(rung, "fexit/"):
		return "fentry and fexit: this kernel refuses them to everyone (EPERM)"
	case errors.Is(err, unix.EPERM):
		return needRoot
	case errors.Is(err, os.ErrNotExist):
		return "a kernel that has this hook"
	}
	return otherKernel
}

// lockedDown reports whether the kernel keeps its memory from everyone, and so from programs.
func lockedDown() bool {
	state, err := os.ReadFile("/sys/kernel/security/lockdown")
	return err == nil && strings.Contains(string(state), "[confidentiality]")
}

// short leaves out what helps nobody who reads it: the verifier's log but for its last line, and the advice to
// raise a limit that weir has raised already.
func short(err error) error {
	if e, ok := errors.AsType[*ebpf.VerifierError](err); ok {
		return e
	}
	if errors.Is(err, unix.EPERM) {
		return unix.EPERM
	}
	return err
}
