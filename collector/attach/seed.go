package attach

import (
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/weirproject/weir/bpf"
)

// seeds are the iterators over what was there before the hooks.
type seeds struct {
	processes *ebpf.Program
	sockets   *ebpf.Program
}

func (l *loader) loadSeeds() (s seeds, err error) {
	if s.processes, err = l.load(bpf.ProgramSeed); err != nil {
		return s, fmt.Errorf("load the task iterator: %w", need(bpf.ProgramSeed, err))
	}
	if s.sockets, err = l.load(bpf.ProgramSeedSockets); err != nil {
		return s, fmt.Errorf("load the iterator of files: %w", need(bpf.ProgramSeedSockets, err))
	}
	return s, nil
}

func (s seeds) close() error { return errors.Join(s.processes.Close(), s.sockets.Close()) }

// Seed hands every process that lives now to h.Process, and lets the hooks know whose the connections are that are
// established now. Processes that begin or end meanwhile may be among them; as the hooks tell of those, call it
// after New, and let what the hooks tell win.
func (a *Attachment) Seed(h bpf.Handler) error {
	if _, err := iterate(a.seed.sockets); err != nil {
		return fmt.Errorf("seed connections: %w", err)
	}
	raw, err := iterate(a.seed.processes)
	if err != nil {
		return fmt.Errorf("seed processes: %w", err)
	}
	if err := dispatchAll(raw, h); err != nil {
		return fmt.Errorf("seed processes: %w", err)
	}
	return nil
}

// iterate runs an iterator to its end, and returns what it has written: one sample behind the other.
func iterate(p *ebpf.Program) (raw []byte, err error) {
	iterator, err := link.AttachIter(link.IterOptions{Program: p})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, iterator.Close()) }()
	r, err := iterator.Open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(r)
}

func dispatchAll(raw []byte, h bpf.Handler) error {
	for len(raw) > 0 {
		size := len(raw)
		if size >= int(unsafe.Sizeof(bpf.Head{})) {
			size = min(size, int((*bpf.Head)(unsafe.Pointer(&raw[0])).Size))
		}
		if err := bpf.Dispatch(raw[:size], h); err != nil {
			return err
		}
		raw = raw[size:]
	}
	return nil
}
