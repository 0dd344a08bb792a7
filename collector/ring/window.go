package ring

import (
	"fmt"
	"sync/atomic"
	"unsafe"
)

// A record is a header of 8 bytes (length and two flags, then a page offset that only the kernel uses)
// and the sample, padded to a multiple of 8: include/uapi/linux/bpf.h, kernel/bpf/ringbuf.c.
const (
	headerSize = 8
	busyBit    = 1 << 31 // BPF_RINGBUF_BUSY_BIT: a program is still writing
	discardBit = 1 << 30 // BPF_RINGBUF_DISCARD_BIT: the program thought better of it
)

// DamagedError says that the ring does not hold what the kernel writes. Nothing behind Pos can be read.
type DamagedError struct {
	Pos   uint64
	Cause string
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("ring: position %d: %s", e.Pos, e.Cause)
}

// window is the ring's data. It is the core of the reader: it only reads its bytes, and trusts none of them.
//
// The kernel would map the data twice in a row, so that a sample that wraps around is one slice: then a ring of 4 MiB
// is 8 MiB of the process's resident memory. That one sample a turn is copied instead.
type window struct {
	data    []byte   // its size is a power of two; 8-byte aligned
	wrapped []uint64 // the sample that wraps around: there is one at most that is not released
}

func (w *window) size() uint64 { return uint64(len(w.data)) }

// check reports positions that no kernel would give.
func (w *window) check(pos, produced uint64) error {
	switch {
	case pos%8 != 0 || produced%8 != 0:
		return &DamagedError{Pos: pos, Cause: fmt.Sprintf("positions %d and %d are not aligned", pos, produced)}
	case produced-pos > w.size(): // also where produced < pos
		return &DamagedError{Pos: pos, Cause: fmt.Sprintf("the producer is at %d, further than the ring's %d bytes", produced, w.size())}
	}
	return nil
}

// Each takes a sample and the position behind it, and reports whether it takes more.
type Each func(sample []byte, end uint64) (more bool)

// walk calls each for the samples between pos and produced, up to the first that is still being written, or that is
// not wanted any more. It returns how many there were and the position behind the last record.
func (w *window) walk(pos, produced uint64, each Each) (n int, next uint64, err error) {
	if err := w.check(pos, produced); err != nil {
		return 0, pos, err
	}
	for pos < produced {
		start := pos & (w.size() - 1)
		// Atomic, as the kernel clears the busy bit with xchg: the sample's bytes are visible after it.
		header := atomic.LoadUint32((*uint32)(unsafe.Pointer(&w.data[start])))
		if header&busyBit != 0 {
			break
		}
		length := uint64(header &^ discardBit)
		record := headerSize + (length+7)&^7
		if record > produced-pos {
			return n, pos, &DamagedError{Pos: pos, Cause: fmt.Sprintf("a sample of %d bytes, %d were produced", length, produced-pos)}
		}
		sample := w.sample(start+headerSize, length)
		pos += record
		if header&discardBit != 0 {
			continue
		}
		n++
		if !each(sample, pos) {
			break
		}
	}
	return n, pos, nil
}

// sample returns the bytes of a sample that begins at start, which may be the ring's end.
func (w *window) sample(start, length uint64) []byte {
	if end := start + length; end <= w.size() {
		return w.data[start:end:end]
	}
	if words := int(length+7) / 8; len(w.wrapped) < words {
		w.wrapped = make([]uint64, words)
	}
	whole := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(w.wrapped))), length)
	copy(whole[copy(whole, w.data[min(start, w.size()):]):], w.data)
	return whole
}
