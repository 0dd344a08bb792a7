package ring

import (
	"errors"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// waiter waits for the kernel's wakeups in one system call. The runtime's own poller would do, but its timers wake
// other threads around ours: nineteen switches of context for a wait of 100 ms, where this takes a few.
type waiter struct {
	epoll, event int

	mu     sync.Mutex // guards the descriptors against interrupt after close
	closed bool
}

// newWaiter waits for ring, edge-triggered: to a level-triggered one a ring is ready for as long as anything is
// unreleased.
func newWaiter(ring int) (*waiter, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(err, unix.Close(epoll))
	}
	w := &waiter{epoll: epoll, event: event}
	for _, fd := range []int{ring, event} {
		edge := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET&(1<<32-1), Fd: int32(fd)}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &edge); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	return w, nil
}

// wait returns after a wakeup or an interrupt, also one that came before it, or when d has passed: then it was not
// woken.
func (w *waiter) wait(d time.Duration) (woken bool, err error) {
	var events [2]unix.EpollEvent
	for end := time.Now().Add(d); ; {
		left := max(0, time.Until(end)+time.Millisecond-1)
		n, err := unix.EpollWait(w.epoll, events[:], int(left/time.Millisecond))
		if !errors.Is(err, unix.EINTR) {
			return n > 0, err
		}
	}
}

// interrupt ends a wait, or the next one.
func (w *waiter) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		one := [8]byte{1}
		_, _ = unix.Write(w.event, one[:]) // fails where so many interrupts wait that one more is none
	}
}

func (w *waiter) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return errors.Join(unix.Close(w.epoll), unix.Close(w.event))
}
