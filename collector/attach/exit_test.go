package attach

import (
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/bpf"
)

func TestExitTellsWhatWaitDoes(t *testing.T) {
	w := watchShared(t)
	for _, what := range []string{"exit 0", "exit 7", "exit 255", "signal 9", "signal 11", "signal 15"} {
		pid, status := ended(t, child(t, what))
		got := w.exitOf(pid)
		core := uint8(0)
		if status.CoreDump() {
			core = 1
		}
		want := *got
		want.ExitCode, want.Signal, want.CoreDumped = 0, 0, core
		if status.Signaled() {
			want.Signal = uint8(status.Signal())
		} else {
			want.ExitCode = uint32(status.ExitStatus())
		}
		if diff := cmp.Diff(want, *got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

func TestExitComesOnceForThreadsThatLeaveTogether(t *testing.T) {
	w := watchShared(t)
	const processes = 40
	for range processes {
		pid, _ := ended(t, child(t, "threads"))
		w.exitOf(pid)
	}
	pid, _ := ended(t, child(t, "exit 0")) // whatever came twice came before its end
	w.exitOf(pid)
	times := make(map[bpf.ProcessKey]int)
	for _, s := range w.seen.exits {
		times[s.Head.Actor.Key]++
	}
	for key, n := range times {
		if n != 1 {
			t.Errorf("process %d ended %d times", key.Tgid, n)
		}
	}
	if len(times) <= processes {
		t.Errorf("%d ends, want more than %d", len(times), processes)
	}
}

// What wait() tells is the ground truth. It has what the hook cannot see yet: freeing the memory, and what the last
// thread ran since the last tick.
func TestExitTellsCPUTimeAndPeakMemoryAsWaitDoes(t *testing.T) {
	w := watchShared(t)
	for _, how := range []string{"alone", "with threads that are gone", "with threads that leave together", "after its leader"} {
		t.Run(how, func(t *testing.T) {
			cmd := child(t, "burn "+how)
			pid, status := ended(t, cmd)
			if status != 0 {
				t.Fatalf("status %x", status)
			}
			got := w.exitOf(pid)
			user, system := got.CPUTime()
			between(t, "CPU time", user+system, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
			between(t, "user time", user, cmd.ProcessState.UserTime())
			if want := uint64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) << 10; got.PeakMemoryBytes != want {
				t.Errorf("peak memory %d; want %d", got.PeakMemoryBytes, want)
			}
		})
	}
}

// between allows a fifth: on an emulated machine the memory alone takes that long.
func between(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got < want*4/5 || got > want*6/5 {
		t.Errorf("%s %v; wait() says %v", what, got, want)
	}
}
