package ring

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapping is a ring in this process's memory: kernel/bpf/ringbuf.c, struct bpf_ringbuf.
type mapping struct {
	window
	consumer *atomic.Uint64
	producer *atomic.Uint64

	consumerPage []byte
	producerPage []byte // with the data pages behind it
}

func mapRing(fd, size int) (*mapping, error) {
	page := os.Getpagesize()
	if size < page || size&(size-1) != 0 {
		return nil, fmt.Errorf("size %d is no power of two of at least a page", size)
	}
	consumer, err := unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map consumer page: %w", err)
	}
	producer, err := unix.Mmap(fd, int64(page), page+size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map producer and data pages: %w", err), unix.Munmap(consumer))
	}
	return &mapping{
		window:       window{data: producer[page:]},
		consumer:     (*atomic.Uint64)(unsafe.Pointer(&consumer[0])),
		producer:     (*atomic.Uint64)(unsafe.Pointer(&producer[0])),
		consumerPage: consumer,
		producerPage: producer,
	}, nil
}

func (m *mapping) unmap() error {
	return errors.Join(unix.Munmap(m.producerPage), unix.Munmap(m.consumerPage))
}
