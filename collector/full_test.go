package collector

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// small puts the victim's data onto a disk of its own, and returns what fills and empties it.
func (v *victim) small() (fill, empty func()) {
	v.Helper()
	disk := filepath.Dir(v.data)
	if err := unix.Mount("weir-test", disk, "tmpfs", 0, "size=16m"); err != nil {
		v.Fatal(err)
	}
	v.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	filler := filepath.Join(disk, "filler")
	fill = func() {
		if err := os.WriteFile(filler, make([]byte, 32<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			v.Fatalf("the disk did not fill: %v", err)
		}
	}
	return fill, func() {
		if err := os.Remove(filler); err != nil {
			v.Fatal(err)
		}
	}
}

func (v *victim) signal(s syscall.Signal) {
	v.Helper()
	if err := v.cmd.Process.Signal(s); err != nil {
		v.Fatal(err)
	}
}

// The batch in hand waits for room, and so does what came with it in one read and is in none yet.
func TestAStopWhileTheDiskIsFullLosesNothingThatGetsRoomInTime(t *testing.T) {
	t.Setenv(collectorRows, "4")
	v := newVictim(t)
	fill, empty := v.small()
	v.start()
	v.runs(0)
	v.signal(syscall.SIGSTOP)
	fill()
	done, port := make(chan struct{}), 0
	did := workload(t, &port, done)
	time.Sleep(time.Second) // any number of events will do, as long as they are many
	close(done)
	want := <-did
	v.signal(syscall.SIGCONT)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(v.said.String(), "spool is stuck"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the spool was not stuck\n%s", v.said.String())
		}
	}
	v.signal(syscall.SIGTERM)
	empty()
	if err := v.cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, v.said.String())
	}
	v.start()
	v.check(want, port)
}
