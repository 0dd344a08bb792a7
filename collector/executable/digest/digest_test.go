package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/collector/executable"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// asSleeper makes this test binary a program that waits until it is killed, wherever its copies are.
const asSleeper = "WEIR_TEST_SLEEP"

func TestMain(m *testing.M) {
	if os.Getenv(asSleeper) != "" {
		time.Sleep(time.Minute)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// digesting is a digester that runs, with the test as its loop.
type digesting struct {
	*Digester
	t *testing.T
}

func run(t *testing.T, change func(*Config)) *digesting {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("needs root: it reads other processes' files")
	}
	cfg := Config{BytesPerSecond: 1 << 30, MaxBytes: 64 << 20, Files: 16}
	if change != nil {
		change(&cfg)
	}
	d := &digesting{New(cfg), t}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return d
}

// find waits until the file is known.
func (d *digesting) find(s *executable.Sighting) *executable.File {
	d.t.Helper()
	f := d.Find(*s)
	for deadline := time.Now().Add(20 * time.Second); f.Pending(); d.Settle() {
		if time.Now().After(deadline) {
			d.t.Fatal("the file is still pending")
		}
		time.Sleep(time.Millisecond)
	}
	return f
}

// want waits for the file and wants that it is in a state, with that hash if it is to have one.
func (d *digesting) want(s *executable.Sighting, state weirv1.HashState, contents []byte) *executable.File {
	d.t.Helper()
	f := d.find(s)
	if f.State != state {
		d.t.Fatalf("%s, want %s", f.State, state)
	}
	if contents != nil && f.SHA256 != sha256.Sum256(contents) {
		d.t.Errorf("hash %x, want that of %d bytes", f.SHA256, len(contents))
	}
	return f
}

const (
	hashed     = weirv1.HashState_HASH_STATE_UNSPECIFIED
	gone       = weirv1.HashState_HASH_STATE_GONE
	unsettled  = weirv1.HashState_HASH_STATE_UNSETTLED
	changed    = weirv1.HashState_HASH_STATE_CHANGED
	tooLarge   = weirv1.HashState_HASH_STATE_TOO_LARGE
	overBudget = weirv1.HashState_HASH_STATE_OVER_BUDGET
)

// self returns the contents of this test binary.
func self(t *testing.T) []byte {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// copyOf writes a program that is this test binary.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	if err := os.WriteFile(path, self(t), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// start starts a program and returns it once its exec is over.
func start(t *testing.T, path string, change func(*exec.Cmd)) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(path)
	cmd.Env = []string{asSleeper + "=1"}
	if change != nil {
		change(cmd)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(cmd) })
	return cmd
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// seen is what the kernel tells of the file that the process runs.
func seen(t *testing.T, pid int) *executable.Sighting {
	t.Helper()
	var st unix.Stat_t
	var system unix.Statfs_t
	path := "/proc/" + strconv.Itoa(pid) + "/exe"
	if err := errors.Join(unix.Stat(path, &st), unix.Statfs(path, &system)); err != nil {
		t.Fatal(err)
	}
	return &executable.Sighting{
		ID: executable.ID{
			Device: unix.Major(st.Dev)<<20 | unix.Minor(st.Dev), Inode: st.Ino,
			Size: uint64(st.Size), ChangedNs: uint64(st.Ctim.Nano()),
		},
		Filesystem: uint32(system.Type),
		TGID:       uint32(pid),
	}
}

func TestARunningProgram(t *testing.T) {
	d := run(t, nil)
	d.want(seen(t, start(t, "/proc/self/exe", nil).Process.Pid), hashed, self(t))
}

func TestADeletedProgram(t *testing.T) {
	d := run(t, nil)
	path := copyOf(t, filepath.Join(t.TempDir(), "program"))
	pid := start(t, path, nil).Process.Pid
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.want(seen(t, pid), hashed, self(t))
}

func TestAProgramThatIsDeletedAfterItsExec(t *testing.T) {
	d := run(t, nil)
	path := copyOf(t, filepath.Join(t.TempDir(), "program"))
	s := seen(t, start(t, path, nil).Process.Pid)
	for s.ChangedNs == seen(t, int(s.TGID)).ChangedNs { // the clock of change times ticks
		if err := errors.Join(os.Link(path, path+"-"), os.Remove(path), os.Rename(path+"-", path)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	d.want(s, unsettled, self(t))
}

func TestAProgramThatWasReplacedByAnotherIsReadAsItWasExecuted(t *testing.T) {
	d := run(t, nil)
	path := copyOf(t, filepath.Join(t.TempDir(), "program"))
	s := seen(t, start(t, path, nil).Process.Pid)
	s.Path, s.Neighbour = []byte(path), 1
	if err := os.WriteFile(path+"-new", []byte("#!/bin/true\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"-new", path); err != nil {
		t.Fatal(err)
	}
	if f := d.find(s); f.Hash() == nil || f.SHA256 != sha256.Sum256(self(t)) {
		t.Errorf("%s, hash %x", f.State, f.SHA256)
	}
}

func TestAMemfd(t *testing.T) {
	d := run(t, nil)
	fd, err := unix.MemfdCreate("program", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "memfd")
	defer file.Close()
	if _, err := file.Write(self(t)); err != nil {
		t.Fatal(err)
	}
	pid := start(t, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), fd), nil).Process.Pid
	d.want(seen(t, pid), hashed, self(t))
}

func TestAProgramThatIsOver(t *testing.T) {
	d := run(t, nil)
	path := copyOf(t, filepath.Join(t.TempDir(), "program"))
	cmd := start(t, path, nil)
	s := seen(t, cmd.Process.Pid)
	stop(cmd)
	d.want(s, gone, nil)

	s.Path, s.Neighbour = []byte(path), 1
	d.want(s, hashed, self(t))
}

func TestWhatStandsAtThePathNowIsNotTakenForTheProgram(t *testing.T) {
	d := run(t, nil)
	for name, put := range map[string]func(path string) error{
		"another file":    func(path string) error { return os.WriteFile(path, []byte("other"), 0o755) },
		"a FIFO":          func(path string) error { return unix.Mkfifo(path, 0o644) },
		"a symbolic link": func(path string) error { return os.Symlink("/bin/sh", path) },
		"a directory":     func(path string) error { return os.Mkdir(path, 0o755) },
		"a device":        func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))) },
	} {
		path := copyOf(t, filepath.Join(t.TempDir(), "program"))
		cmd := start(t, path, nil)
		s := seen(t, cmd.Process.Pid)
		s.Path, s.Neighbour = []byte(path), 1
		stop(cmd)
		if err := errors.Join(os.Remove(path), put(path)); err != nil {
			t.Fatal(err)
		}
		if f := d.find(s); f.State != changed {
			t.Errorf("%s: %s", name, f.State)
		}
	}
}

func TestAProgramThatWasOverwritten(t *testing.T) {
	d := run(t, nil)
	path := copyOf(t, filepath.Join(t.TempDir(), "program"))
	cmd := start(t, path, nil)
	s := seen(t, cmd.Process.Pid)
	s.Path, s.Neighbour = []byte(path), 1
	stop(cmd)
	raw := self(t)
	raw[len(raw)-1] ^= 1
	for ctime := s.ChangedNs; ctime == s.ChangedNs; { // the clock of change times ticks
		if err := os.WriteFile(path, raw, 0o755); err != nil {
			t.Fatal(err)
		}
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		ctime = uint64(st.Ctim.Nano())
	}
	d.want(s, changed, nil)
}

func TestAnotherProgramUnderTheSameProcessID(t *testing.T) {
	d := run(t, nil)
	first := start(t, copyOf(t, filepath.Join(t.TempDir(), "first")), nil)
	s := seen(t, first.Process.Pid)
	stop(first)
	s.TGID = uint32(start(t, copyOf(t, filepath.Join(t.TempDir(), "second")), nil).Process.Pid)
	d.want(s, changed, nil)
}

func TestALargeSparseProgram(t *testing.T) {
	d := run(t, nil)
	path := copyOf(t, filepath.Join(t.TempDir(), "program"))
	if err := os.Truncate(path, 1<<40); err != nil {
		t.Fatal(err)
	}
	d.want(seen(t, start(t, path, nil).Process.Pid), tooLarge, nil)
}

func TestAProgramThatOnlyItsOwnerMayRead(t *testing.T) {
	d := run(t, nil)
	dir := t.TempDir()
	path := copyOf(t, filepath.Join(dir, "program"))
	if err := errors.Join(os.Chown(dir, 1234, 1234), os.Chmod(dir, 0o700), os.Chown(path, 1234, 1234), os.Chmod(path, 0o700), os.Chmod(filepath.Dir(dir), 0o755)); err != nil {
		t.Fatal(err)
	}
	pid := start(t, path, nil).Process.Pid
	d.want(seen(t, pid), hashed, self(t))
}

func TestAProgramOfAnotherMountNamespace(t *testing.T) {
	d := run(t, nil)
	lower, upper, work, merged := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	copyOf(t, filepath.Join(lower, "program"))
	inside := func(path string) func(cmd *exec.Cmd) {
		return func(cmd *exec.Cmd) {
			cmd.Args = []string{"unshare", "-m", "sh", "-c", fmt.Sprintf(
				"mount -t overlay overlay -o lowerdir=%s,upperdir=%s,workdir=%s %s && exec %s", lower, upper, work, merged, path)}
		}
	}
	cmd := start(t, "/usr/bin/unshare", inside(filepath.Join(merged, "program")))
	await(t, "the program to run", func() bool {
		link, _ := os.Readlink("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/exe")
		return filepath.Base(link) == "program"
	})
	s := seen(t, cmd.Process.Pid)
	if s.DeviceTells() {
		t.Fatalf("file system %#x is no overlay", s.Filesystem)
	}
	d.want(s, hashed, self(t))

	// When it is gone, the path leads to it in the namespace of a neighbour.
	s.Path = []byte(filepath.Join(merged, "program"))
	s.Neighbour, s.TGID = uint32(cmd.Process.Pid), 1<<22+1
	s.Device++ // another one for the cache
	d.want(s, hashed, self(t))
}

func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestFileCapabilities(t *testing.T) {
	d := run(t, nil)
	path := copyOf(t, filepath.Join(t.TempDir(), "program"))
	if out, err := exec.Command("setcap", "cap_net_raw,cap_bpf+eip", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := d.want(seen(t, start(t, path, nil).Process.Pid), hashed, self(t)).Capabilities
	const both = 1<<unix.CAP_NET_RAW | 1<<unix.CAP_BPF
	want := executable.Capabilities{Permitted: both, Inheritable: both, Effective: true}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestFileCapabilitiesOfAUserNamespace(t *testing.T) {
	d := run(t, nil)
	path := copyOf(t, filepath.Join(t.TempDir(), "program"))
	if out, err := exec.Command("setcap", "-n", "100000", "cap_net_raw+p", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := d.want(seen(t, start(t, path, nil).Process.Pid), hashed, self(t)).Capabilities
	if want := (executable.Capabilities{Permitted: 1 << unix.CAP_NET_RAW, RootUID: 100000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestAFloodOfNewProgramsIsBoundedAndDelaysOnlyItsUser(t *testing.T) {
	d := run(t, func(c *Config) { c.BytesPerSecond = 1 << 20 })
	mine := start(t, "/proc/self/exe", nil)
	flood := seen(t, mine.Process.Pid)
	began := time.Now()
	over := 0
	for i := range 10_000 {
		flood.Owner, flood.ChangedNs = 1000, uint64(i+1)
		if d.Find(*flood).State == overBudget {
			over++
		}
	}
	if spent := time.Since(began); spent > time.Second {
		t.Errorf("the loop was kept for %s", spent)
	}
	if over < 8_500 {
		t.Errorf("%d of 10,000 were over the budget", over)
	}
	small := start(t, "/bin/sleep", func(cmd *exec.Cmd) { cmd.Args = []string{"sleep", "60"} })
	d.want(seen(t, small.Process.Pid), hashed, nil)
}

func TestAPathIntoAFileSystemThatDoesNotAnswer(t *testing.T) {
	server, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", server.Fd())
	if err := unix.Mount("test", dir, "fuse", 0, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(server.Close(), unix.Unmount(dir, unix.MNT_DETACH)); err != nil {
			t.Error(err)
		}
	})
	d := run(t, nil)
	cmd := start(t, "/proc/self/exe", nil)
	s := seen(t, cmd.Process.Pid)
	stop(cmd)
	s.Path, s.Neighbour = []byte(filepath.Join(dir, "program")), 1
	d.want(s, gone, nil)
}

func TestALeaseDoesNotMakeTheReaderWait(t *testing.T) {
	path := copyOf(t, filepath.Join(t.TempDir(), "program"))
	cmd := start(t, path, nil)
	s := seen(t, cmd.Process.Pid)
	s.Path, s.Neighbour = []byte(path), 1
	stop(cmd)
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := unix.FcntlInt(file.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := open(s); !errors.Is(err, syscall.EWOULDBLOCK) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}

func TestParseCapabilities(t *testing.T) {
	for name, tt := range map[string]struct {
		raw  []byte
		want executable.Capabilities
		ok   bool
	}{
		"revision 1":  {append([]byte{1, 0, 0, 1}, bytes.Repeat([]byte{1, 0, 0, 0}, 2)...), executable.Capabilities{Permitted: 1, Inheritable: 1, Effective: true}, true},
		"revision 2":  {append([]byte{0, 0, 0, 2}, bytes.Repeat([]byte{1, 0, 0, 0}, 4)...), executable.Capabilities{Permitted: 1<<32 | 1, Inheritable: 1<<32 | 1}, true},
		"revision 3":  {append([]byte{0, 0, 0, 3}, bytes.Repeat([]byte{1, 0, 0, 0}, 5)...), executable.Capabilities{Permitted: 1<<32 | 1, Inheritable: 1<<32 | 1, RootUID: 1}, true},
		"revision 4":  {append([]byte{0, 0, 0, 4}, bytes.Repeat([]byte{1, 0, 0, 0}, 5)...), executable.Capabilities{}, false},
		"cut":         {[]byte{0, 0, 0, 2, 1}, executable.Capabilities{}, false},
		"nearly none": {[]byte{0}, executable.Capabilities{}, false},
	} {
		got, err := parseCapabilities(tt.raw)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestALaneWithoutPrivilegesSaysSoAtItsStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	said := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine
		var none [2]unix.CapUserData
		if err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); err != nil {
			said <- err
			return
		}
		newLane(Config{BytesPerSecond: 1}, 1, nil).run(ctx, func(err error) { said <- err })
	}()
	if err := <-said; !errors.Is(err, unix.EPERM) || ctx.Err() != nil {
		t.Errorf("%v, want one of permission", err)
	}
}
