package digest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/collector/executable"
	"github.com/weirproject/weir/internal/host"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// lane reads files one after the other.
type lane struct {
	maxBytes uint64
	results  chan<- result
	wake     chan struct{} // something was pushed

	mu      sync.Mutex
	waiting *executable.Queue[job] // guarded by mu

	// Of the goroutine alone.
	bytes, cpu *executable.Budget
	used       time.Duration // of CPU time, when it was spent last
	buffer     []byte
}

const (
	// chunkBytes is read at once.
	chunkBytes = 256 << 10
	// openBytes is what a file costs beside its contents, measured in them.
	openBytes = 64 << 10
	// cpuPerSecond is what all lanes may use: 5 % of a core.
	cpuPerSecond = 50 * time.Millisecond
)

// newLane returns a lane that has this part of the budgets.
func newLane(cfg Config, part float64, results chan<- result) *lane {
	now := time.Now()
	return &lane{
		maxBytes: uint64(cfg.MaxBytes),
		results:  results,
		wake:     make(chan struct{}, 1), // that there is something needs to be known once
		waiting:  executable.NewQueue[job](queued, share),
		bytes:    executable.NewBudget(part*float64(cfg.BytesPerSecond), now),
		cpu:      executable.NewBudget(part*float64(cpuPerSecond), now),
	}
}

func (l *lane) push(j job) bool {
	l.mu.Lock()
	ok := l.waiting.Push(j.sighting.Owner, j)
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return ok
}

func (l *lane) pop() (job, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting.Pop()
}

// Capabilities are those that reading takes: to follow /proc/PID/exe, and to read what only its owner may.
func Capabilities() []host.Capability {
	return []host.Capability{unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH}
}

// run ends with ctx, and with it ends its thread, which alone has the privileges. It tells
// raised at once which it could not get: that is no reason to stop.
func (l *lane) run(ctx context.Context, raised func(error)) {
	runtime.LockOSThread()
	raised(host.RaiseCapabilities(Capabilities()...))
	l.buffer = make([]byte, chunkBytes)
	l.used = threadTime() // the thread may have done other things before
	for {
		j, ok := l.pop()
		if !ok {
			select {
			case <-l.wake:
				continue
			case <-ctx.Done():
				return
			}
		}
		select {
		case l.results <- result{j, l.read(ctx, &j.sighting)}:
		case <-ctx.Done():
			return
		}
	}
}

// spend waits until the budgets allow n bytes.
func (l *lane) spend(ctx context.Context, n int) error {
	now, cpu := time.Now(), threadTime()
	wait := max(l.bytes.Spend(n, now), l.cpu.Spend(int(cpu-l.used), now))
	l.used = cpu
	if wait == 0 {
		return ctx.Err()
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// threadTime is the CPU time of the calling thread, which is locked to the lane's goroutine.
func threadTime() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t) // fails on no kernel that has the clock, and all have
	return time.Duration(t.Nano())
}

// read finds out what there is to know of the file.
func (l *lane) read(ctx context.Context, s *executable.Sighting) (found executable.File) {
	file, err := open(s)
	if err != nil {
		found.State = stateOf(err)
		_ = l.spend(ctx, openBytes)
		return found
	}
	defer file.Close()
	if found.Capabilities, err = capabilitiesOf(int(file.Fd())); err != nil {
		found.State = weirv1.HashState_HASH_STATE_UNREADABLE
		return found
	}
	if s.Size > l.maxBytes {
		found.State = weirv1.HashState_HASH_STATE_TOO_LARGE
		return found
	}
	certain := false
	if found.SHA256, certain, err = l.hash(ctx, file, s); err != nil {
		found.State = stateOf(err)
	} else if !certain {
		found.State = weirv1.HashState_HASH_STATE_UNSETTLED
	}
	return found
}

// errChanged says that a file is not the one that was executed, or not any more.
var errChanged = errors.New("changed")

func stateOf(err error) weirv1.HashState {
	switch {
	case errors.Is(err, errChanged):
		return weirv1.HashState_HASH_STATE_CHANGED
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ESRCH):
		return weirv1.HashState_HASH_STATE_GONE
	case errors.Is(err, context.Canceled):
		return weirv1.HashState_HASH_STATE_PENDING
	default:
		return weirv1.HashState_HASH_STATE_UNREADABLE
	}
}
