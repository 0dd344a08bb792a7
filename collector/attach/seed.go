package attach

import (
	"errors"
	"fmt"
	"io"
	"unsafe"

	"github.com/cilium/ebpf/link"

	"github.com/weirproject/weir/bpf"
)

// Seed hands every process that lives now to h.Process. Processes that begin or end meanwhile may be among
// them; as the hooks tell of those, call it after New, and let what the hooks tell win.
func (a *Attachment) Seed(h bpf.Handler) error {
	raw, err := a.processes()
	if err != nil {
		return fmt.Errorf("seed processes: %w", err)
	}
	if err := dispatchAll(raw, h); err != nil {
		return fmt.Errorf("seed processes: %w", err)
	}
	return nil
}

// processes reads the iterator to its end: one sample a process, one behind the other.
func (a *Attachment) processes() (raw []byte, err error) {
	iterator, err := link.AttachIter(link.IterOptions{Program: a.seed})
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
