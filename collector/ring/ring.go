// Package ring reads a BPF ring buffer of the kernel and keeps two positions in it:
//
//	 released            read              produced
//	    │ handed out,      │ not yet read     │
//	────┴──────────────────┴──────────────────┴────── free: the kernel writes here
//
// What is read stays in the ring until Release says that it is safe elsewhere; until then the kernel
// cannot overwrite it, and a reader that is killed finds it again at its next start. So the ring is the
// write-ahead log of the spool. (The library's reader gives each sample up as it hands it out.)
//
// A wakeup is the dearest part of an event, so the kernel side asks for none until a quarter of the ring
// is filled, and the reader looks for itself at a deadline.
//
// window.go is the core: positions and bytes. This file and mapping.go are the shell around it. A Reader
// starts no goroutine. It knows nothing of what is in a sample.
package ring

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// pause is the least time between two wakeups. The kernel judges how full the ring is by what is not
// released, so that while the spool is stuck it would wake the reader for each sample.
const pause = time.Millisecond

// Reader reads one ring buffer. Read is for one goroutine; Release, Pending and Close may be called by
// others at the same time.
type Reader struct {
	fd     int // a duplicate of the map's descriptor
	waiter *waiter
	woke   time.Time // when Read was last woken

	read     atomic.Uint64 // released <= read <= produced
	released atomic.Uint64 // what the kernel sees as the consumer's position

	closing atomic.Bool // Close was called
	reading sync.Mutex  // held by Read, so that Close unmaps behind it
	mapped  sync.Mutex  // guards the mapping against Release and Pending after Close
	ring    *mapping    // nil once closed
}

// Open maps the ring buffer m, which stays the caller's, and begins at the position that the reader before
// released last. There must be no other reader.
func Open(m *ebpf.Map) (*Reader, error) {
	if m.Type() != ebpf.RingBuf {
		return nil, fmt.Errorf("open ring %s: is a map of type %s", m, m.Type())
	}
	fd, err := unix.FcntlInt(uintptr(m.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open ring %s: duplicate descriptor: %w", m, err)
	}
	r, err := open(fd, int(m.MaxEntries()))
	if err != nil {
		return nil, fmt.Errorf("open ring %s: %w", m, err)
	}
	return r, nil
}

// open takes fd over.
func open(fd, size int) (*Reader, error) {
	waiter, err := newWaiter(fd)
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	ring, err := mapRing(fd, size)
	if err != nil {
		return nil, errors.Join(err, waiter.close(), unix.Close(fd))
	}
	r := &Reader{fd: fd, waiter: waiter, ring: ring}
	start := ring.consumer.Load()
	if err := ring.check(start, ring.producer.Load()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.read.Store(start)
	r.released.Store(start)
	return r, nil
}

// Read waits until the kernel wakes it, a quarter of the ring is unread, wait has passed or ctx has ended,
// and then calls each for every sample that is complete, in the order in which the kernel reserved them, until it takes
// no more: the next Read begins there. It returns how many there were and the position behind the last. A sample is
// valid until it is released or the reader is closed, and must not be written to; each may call Release with
// any position that it was given so far, and must not call Close.
//
// Read stops before a sample that a program is still writing. That ctx has ended is no error: a shutdown
// reads on with a wait of 0. The errors are os.ErrClosed and *DamagedError.
func (r *Reader) Read(ctx context.Context, wait time.Duration, each Each) (n int, pos uint64, err error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	if wait > 0 {
		err = r.await(ctx, wait)
	}
	if r.ring == nil || r.closing.Load() {
		return 0, r.read.Load(), os.ErrClosed
	}
	if err != nil {
		return 0, r.read.Load(), fmt.Errorf("wait for ring: %w", err)
	}
	pos = r.read.Load()
	n, pos, err = r.ring.walk(pos, r.ring.producer.Load(), func(sample []byte, end uint64) bool {
		r.read.Store(end)
		return each(sample, end)
	})
	r.read.Store(pos)
	return n, pos, err
}

func (r *Reader) await(ctx context.Context, wait time.Duration) error {
	if left := min(wait, pause-time.Since(r.woke)); left > 0 {
		time.Sleep(left)
	}
	if r.waitsForNothing() {
		return nil
	}
	stop := context.AfterFunc(ctx, r.waiter.interrupt)
	defer stop()
	woken, err := r.waiter.wait(wait)
	if woken {
		r.woke = time.Now()
	}
	return err
}

// waitsForNothing reports whether so much is unread that the kernel has asked for a wakeup already, or that the
// reader is closed.
func (r *Reader) waitsForNothing() bool {
	r.mapped.Lock()
	defer r.mapped.Unlock()
	return r.ring == nil || r.ring.producer.Load()-r.read.Load() >= r.ring.size()/4
}

// Release gives what lies before pos back to the kernel. A position that was released before changes
// nothing; to release what was not read is a mistake in the program, and panics. After Close nothing is
// released any more.
func (r *Reader) Release(pos uint64) {
	r.mapped.Lock()
	defer r.mapped.Unlock()
	if pos > r.read.Load() {
		panic(fmt.Sprintf("ring: release of position %d, read is %d", pos, r.read.Load()))
	}
	if r.ring == nil || pos <= r.released.Load() {
		return
	}
	r.released.Store(pos)
	r.ring.consumer.Store(pos)
}

// Released returns the position that was released last, by this reader or the one before.
func (r *Reader) Released() uint64 { return r.released.Load() }

// Pending returns the bytes of the ring that the kernel cannot use: unread, or read and not released.
func (r *Reader) Pending() uint64 {
	r.mapped.Lock()
	defer r.mapped.Unlock()
	if r.ring == nil {
		return 0
	}
	return r.ring.producer.Load() - r.released.Load()
}

// Close ends a Read that waits, and unmaps the ring: no sample is valid any more. What was not released
// stays in the ring for the next reader, for as long as the map lives.
func (r *Reader) Close() error {
	if r.closing.Swap(true) {
		return nil
	}
	r.waiter.interrupt()
	r.reading.Lock()
	defer r.reading.Unlock()
	r.mapped.Lock()
	defer r.mapped.Unlock()
	err := errors.Join(r.waiter.close(), r.ring.unmap(), unix.Close(r.fd))
	r.ring = nil
	return err
}
