package attach

import (
	"runtime"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// capSysTTYConfig is what vhangup asks for and nothing else on a machine at rest.
const capSysTTYConfig = 26

// refusedHere reports whether the key is of checks that this test's program caused.
func refusedHere(t *testing.T, key *bpf.CountKey) bool {
	t.Helper()
	by := key.Capability()
	return bpf.Kind(key.Kind) == bpf.KindCapabilityCheck && by.Capability == capSysTTYConfig && ofThisProgram(t, &by.Program)
}

// refusedChecks asks n times, on two threads at once, for a capability that they do not have.
func refusedChecks(n int) {
	var asked sync.WaitGroup
	for range 2 {
		asked.Go(func() {
			runtime.LockOSThread() // and ends with it
			drop := unix.CapUserData{}
			data := [2]unix.CapUserData{drop, drop}
			unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
			for range n / 2 {
				syscall.Syscall(unix.SYS_VHANGUP, 0, 0, 0)
			}
		})
	}
	asked.Wait()
}

func TestCountsAreExactWhileEpochsChange(t *testing.T) {
	const checks = 200_000
	cfg := Default()
	cfg.Kinds = []bpf.Kind{bpf.KindCapabilityCheck}
	w := watch(t, cfg)
	done := make(chan struct{})
	go func() { defer close(done); refusedChecks(checks) }()
	var counted, told uint64
	for more := true; more; {
		select {
		case <-done:
			more = false // and once again, for what came last
		default:
		}
		all, err := w.Counts()
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range all {
			if refusedHere(t, &c.Key) {
				counted += c.Count.Count
			}
		}
		if err := w.DropCounts(all); err != nil {
			t.Fatal(err)
		}
	}
	w.drain()
	for _, s := range w.seen.counted {
		if refusedHere(t, &s.Key) {
			told++
		}
	}
	c, err := w.Counters()
	if err != nil {
		t.Fatal(err)
	}
	missed := c.Programs[0].Missed // of whoever asked
	if sum := counted + told; told != 1 || sum > checks || sum+missed < checks {
		t.Errorf("%d told at once, %d counted and at most %d missed, of %d", told, counted, missed, checks)
	}
}
