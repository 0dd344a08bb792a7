package attach

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// watchFailed attaches by whatever rung holds, bought or not.
func watchFailed(t *testing.T) *watcher {
	t.Helper()
	cfg := Default()
	cfg.Kinds = []bpf.Kind{bpf.KindProcessExec, bpf.KindProcessExit, bpf.KindProcessExecFailed}
	cfg.Bought = []bpf.Kind{bpf.KindProcessExecFailed}
	w := watch(t, cfg)
	if c := w.coverage[2]; c.Rung == nil {
		t.Fatalf("%+v", c)
	}
	return w
}

// call is one of execve that cannot succeed. The test makes it itself: what it gets is the truth.
type call struct {
	filename  string
	arguments []string
	directory int  // of execveat; 0: execve
	flags     int  // of execveat
	faulty    bool // the filename is a pointer to nowhere
}

// try returns errno.
func (c call) try() unix.Errno {
	filename := text(c.filename)
	name := uintptr(unsafe.Pointer(filename))
	if c.faulty {
		name = 8
	}
	pointers := make([]*byte, len(c.arguments)+1)
	for i, a := range c.arguments {
		pointers[i] = text(a)
	}
	var errno unix.Errno
	if c.directory != 0 {
		_, _, errno = unix.RawSyscall6(unix.SYS_EXECVEAT, uintptr(c.directory), name, uintptr(unsafe.Pointer(&pointers[0])), 0, uintptr(c.flags), 0)
	} else {
		_, _, errno = unix.RawSyscall(unix.SYS_EXECVE, name, uintptr(unsafe.Pointer(&pointers[0])), 0)
	}
	runtime.KeepAlive(pointers)
	runtime.KeepAlive(filename)
	return errno
}

// text is a string as C has it. Its NUL byte is written, so that the page is there even where the kernel does not
// come to read it: from 6.12 on it looks for the file first.
func text(s string) *byte { return unsafe.SliceData([]byte(s + "\x00")) }

// failedCalls are the ways in which an exec fails, by what the caller is to get.
func failedCalls(t *testing.T, dir string) map[string]call {
	write := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	busy := write("busy", "#!/bin/sh\n", 0o755)
	writer, err := os.OpenFile(busy, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() })
	if err := os.Symlink("loop", filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	open, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { open.Close() })
	plain := write("plain", "text", 0o644)
	return map[string]call{
		"ENOENT: no such file":        {filename: filepath.Join(dir, "missing"), arguments: []string{"missing", "", "\xff\xfe"}},
		"ENOENT: relative":            {filename: "./missing too", arguments: []string{"x"}},
		"ENOENT: missing interpreter": {filename: write("script", "#!/nowhere/interpreter -x\n", 0o755), arguments: []string{"script", "a"}},
		"ENOTDIR":                     {filename: plain + "/child", arguments: []string{"child"}},
		"EACCES: not executable":      {filename: plain, arguments: []string{"plain"}},
		"EACCES: a directory":         {filename: dir, arguments: nil},
		"ETXTBSY":                     {filename: busy, arguments: []string{"busy"}},
		"ENOEXEC":                     {filename: write("garbage", "\x00\x01garbage", 0o755), arguments: []string{"garbage"}},
		"ELOOP":                       {filename: filepath.Join(dir, "loop"), arguments: []string{"loop"}},
		"ENAMETOOLONG":                {filename: "/" + strings.Repeat("n", 300), arguments: []string{"n"}},
		"E2BIG: one argument":         {filename: self(t), arguments: []string{"self", strings.Repeat("x", 200<<10)}},
		"EFAULT: the path":            {filename: "unread", faulty: true, arguments: []string{"fault"}},
		"ENOENT: execveat":            {filename: "nothing", directory: int(open.Fd()), arguments: []string{"nothing"}},
		"EACCES: execveat of a file":  {filename: "", directory: int(open.Fd()), flags: unix.AT_EMPTY_PATH, arguments: []string{"empty"}},
		"ENOENT: many arguments":      {filename: "many", arguments: slices.Repeat([]string{"a"}, 100)},
		"ENOENT: long arguments":      {filename: "long", arguments: []string{"first", strings.Repeat("y", 4000), strings.Repeat("z", 4000)}},
	}
}

// want is the sample that a call is to give.
func (c call) want(errno unix.Errno) failure {
	want := failure{filename: c.filename}
	want.Error, want.Directory = uint32(errno), -100
	if c.directory != 0 {
		want.Directory = int32(c.directory)
	}
	if c.faulty {
		want.filename = ""
	}
	seen := c.arguments[:min(64, len(c.arguments))]
	for _, a := range seen {
		if len(want.arguments) >= 4096 {
			break
		}
		want.arguments += a[:min(4095, len(a))] + "\x00"
		want.ArgumentCount++
		if len(a) >= 4095 {
			want.ArgumentsCut = 1
		}
	}
	if int(want.ArgumentCount) < len(c.arguments) || len(want.arguments) > 4096 {
		want.ArgumentsCut = 1
	}
	want.arguments = want.arguments[:min(4096, len(want.arguments))]
	return want
}

func TestAFailedExecTellsWhatItsCallerGot(t *testing.T) {
	w := watchFailed(t)
	dir := t.TempDir()
	t.Chdir(dir)
	for name, c := range failedCalls(t, dir) {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			w.seen = events{}
			errno := c.try()
			if want, _, _ := strings.Cut(name, ":"); unix.ErrnoName(errno) != want {
				t.Fatalf("the caller got %v", errno)
			}
			got := w.failureBy(os.Getpid())
			want := c.want(errno)
			want.directory = dir
			want.Head = got.Head
			want.ArgumentsSize, want.FilenameSize, want.WorkingDirectorySize = got.ArgumentsSize, got.FilenameSize, got.WorkingDirectorySize
			want.WorkingDirectoryEnd = uint8(bpf.PathWhole)
			if diff := cmp.Diff(want, *got, cmp.AllowUnexported(failure{})); diff != "" {
				t.Error(diff)
			}
			if got.Head.Actor.Tid != uint32(unix.Gettid()) {
				t.Errorf("by thread %d, not %d", got.Head.Actor.Tid, unix.Gettid())
			}
			w.onlyFailure(os.Getpid())
		})
	}
}

// failureBy waits for a failed exec by the process.
func (w *watcher) failureBy(pid int) *failure {
	w.Helper()
	return until(w, "process.exec_failed", func(e *events) *failure {
		return one(e.failures, func(s *failure) bool { return s.Head.Actor.Key.Tgid == uint32(pid) })
	})
}

// onlyFailure wants nothing but one failed exec of the process: neither a second one nor an exec.
func (w *watcher) onlyFailure(pid int) {
	w.Helper()
	w.exitOf(firstOf(ended(w.T, child(w.T, "exit 0")))) // whatever else came did so before its end
	count := 0
	for _, s := range w.seen.failures {
		if s.Head.Actor.Key.Tgid == uint32(pid) {
			count++
		}
	}
	executed := one(w.seen.execs, func(s *execution) bool { return s.Head.Actor.Key.Tgid == uint32(pid) })
	if count != 1 || executed != nil {
		w.Errorf("%d failed execs, and %v", count, executed)
	}
}

func firstOf[A, B any](a A, _ B) A { return a }

// A successful exec is none that failed, whatever the rung is.
func TestAnExecThatSucceedsIsNoFailure(t *testing.T) {
	w := watchFailed(t)
	pid, _ := ended(t, child(t, "exit 0"))
	w.execOf(pid)
	w.exitOf(pid)
	if s := one(w.seen.failures, func(s *failure) bool { return s.Head.Actor.Key.Tgid == uint32(pid) }); s != nil {
		t.Errorf("%q: %+v", s.filename, s.ExecFailedSample)
	}
}

func TestAPricedRungIsNotTakenUnlessBought(t *testing.T) {
	cfg := Default()
	cfg.Kinds = []bpf.Kind{bpf.KindProcessExit, bpf.KindProcessExecFailed}
	w := watch(t, cfg)
	c := w.coverage[1]
	if c.Rung != nil {
		if c.Rung.Price != "" || c.ForSale() {
			t.Errorf("%s was taken for %q", c.Rung, c.Rung.Price)
		}
		return
	}
	last := c.Refused[len(c.Refused)-1]
	if !c.ForSale() || !errors.Is(last, errPrice) || !strings.Contains(last.Need, "buy: [process.exec_failed]") {
		t.Errorf("%+v", last)
	}
	if formats, err := os.ReadFile("/sys/kernel/tracing/events/syscalls/sys_exit_execve/enable"); err == nil && bytes.HasPrefix(formats, []byte("1")) {
		t.Error("and the tracepoint is enabled")
	}
}
