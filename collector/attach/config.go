package attach

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/weirproject/weir/bpf"
)

// Config says what to attach and where to find what it takes.
type Config struct {
	// Kinds that are wanted.
	Kinds []bpf.Kind
	// Bought are the kinds for which a rung that has a price may be taken, where no other holds.
	Bought []bpf.Kind
	// RingBytes is the size of the ring buffer: a power of two, and a multiple of the page size.
	RingBytes uint32
	// Sockets is how many TCP sockets are remembered, from their opening to their end, in a table that all share.
	// Those beyond cost more, and on 5.10 their events lack their process.
	Sockets uint32
	// Environment says that exec samples hold the environment.
	Environment bool
	// BTF is the file of the kernel's types, MountInfo the table in which the cgroup2 tree is found.
	BTF       string
	MountInfo string
	// Name is that of the attachment, which then outlives this process: docs/decisions/0015-pins.md. Without
	// one it ends with the process.
	Name string
	// BPFFS is where the file system of pins is mounted, or is to be.
	BPFFS string
	// Log is told where pins are not as they should be.
	Log *slog.Logger

	// ladders are tests' own, for rungs that this kernel does not need; nil: the object's.
	ladders bpf.Ladders
}

// Default wants every kind.
func Default() Config {
	return Config{
		Kinds:     bpf.Kinds(),
		RingBytes: 4 << 20,
		Sockets:   1 << 16,
		BTF:       "/sys/kernel/btf/vmlinux",
		MountInfo: "/proc/self/mountinfo",
		BPFFS:     "/sys/fs/bpf",
		Log:       slog.New(slog.DiscardHandler),
	}
}

// pins is the directory of everything that goes by the attachment's name.
func (c Config) pins() string { return filepath.Join(c.BPFFS, "weir", c.Name) }

// Validate joins all faults.
func (c Config) Validate() error {
	var errs []error
	if len(c.Kinds) == 0 {
		errs = append(errs, errors.New("no kind is wanted"))
	}
	if page := uint32(os.Getpagesize()); c.RingBytes < page || c.RingBytes&(c.RingBytes-1) != 0 {
		errs = append(errs, fmt.Errorf("ring of %d bytes: has to be a power of two and at least %d", c.RingBytes, page))
	}
	if c.Sockets == 0 {
		errs = append(errs, errors.New("0 sockets to remember: has to be at least 1"))
	}
	return errors.Join(errs...)
}
