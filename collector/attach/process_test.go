package attach

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

func TestExecTellsWhatTheNewProgramSees(t *testing.T) {
	w := watchShared(t)
	hostile := []string{"two words", "\xff\xfe", "", "line\nbreak", `quo"te`}
	cmd := child(t, "exit 0", hostile...)
	cmd.Dir = t.TempDir()
	pid, _ := ended(t, cmd)
	got := w.execOf(pid)

	arguments := self(t) + "\x00" + strings.Join(hostile, "\x00") + "\x00"
	want := execution{
		arguments: arguments, filename: self(t), executable: self(t), directory: cmd.Dir,
	}
	want.ExecSample = got.ExecSample
	want.ArgumentCount, want.ArgumentsBytes = 6, uint32(len(arguments))
	want.ArgumentsSize, want.ExecutableEnd, want.WorkingDirectoryEnd = uint16(len(arguments)), uint8(bpf.PathWhole), uint8(bpf.PathWhole)
	info, err := os.Stat(self(t))
	if err != nil {
		t.Fatal(err)
	}
	file := info.Sys().(*syscall.Stat_t)
	want.File.Inode, want.File.Mode = file.Ino, file.Mode
	want.File.SizeBytes, want.File.ChangedNs = uint64(file.Size), uint64(file.Ctim.Nano())
	var system unix.Statfs_t
	if err := unix.Statfs(self(t), &system); err != nil {
		t.Fatal(err)
	}
	want.File.Filesystem, want.File.UserMounted = uint32(system.Type), 0
	want.File.Device = unix.Major(file.Dev)<<20 | unix.Minor(file.Dev)
	want.Deleted, want.Memfd, want.Secure = 0, 0, 0
	if diff := cmp.Diff(want, *got, cmp.AllowUnexported(execution{})); diff != "" {
		t.Error(diff)
	}
}

func TestExecCutsArgumentsAt4KiBAndTellsTheirSize(t *testing.T) {
	w := watchShared(t)
	long := strings.Repeat("x", 3000)
	pid, _ := ended(t, child(t, "exit 0", long, long, "last"))
	got := w.execOf(pid)

	whole := self(t) + "\x00" + long + "\x00" + long + "\x00last\x00"
	if got.arguments != whole[:4096] || int(got.ArgumentsBytes) != len(whole) || got.ArgumentCount != 4 {
		t.Errorf("%d bytes of %d, %d arguments; want 4096 of %d, 4", len(got.arguments), got.ArgumentsBytes, got.ArgumentCount, len(whole))
	}
}

func TestExecTellsTheEnvironmentWhereItIsWanted(t *testing.T) {
	cfg := Default()
	cfg.Kinds, cfg.Environment = []bpf.Kind{bpf.KindProcessExec}, true
	w := watch(t, cfg)
	cmd := child(t, "exit 0", "argument")
	cmd.Env = append(cmd.Env, "LD_PRELOAD=/tmp/x.so", "EMPTY=", "LONG="+strings.Repeat("x", 5000))
	pid, _ := ended(t, cmd)
	got := w.execOf(pid)
	whole := strings.Join(cmd.Env, "\x00") + "\x00"
	if got.environment != whole[:4096] || int(got.EnvironmentBytes) != len(whole) {
		t.Errorf("%d bytes of %d; want 4096 of %d:\n%q", len(got.environment), got.EnvironmentBytes, len(whole), got.environment)
	}
	if want := self(t) + "\x00argument\x00"; got.arguments != want || got.executable != self(t) {
		t.Errorf("arguments %q of %s; want %q", got.arguments, got.executable, want)
	}
}

func TestExecWithoutArguments(t *testing.T) {
	w := watchShared(t)
	pid, err := syscall.ForkExec(self(t), nil, &syscall.ProcAttr{Env: []string{behaviour + "=exit 0", atOnce}})
	if err != nil {
		t.Fatal(err)
	}
	got := w.execOf(pid)
	if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
		t.Fatal(err)
	}
	// From 5.18 on the kernel adds an empty argument.
	if strings.Trim(got.arguments, "\x00") != "" || got.ArgumentCount > 1 || got.executable != self(t) {
		t.Errorf("%+v", got)
	}
}

func TestExecFollowsForkUnderTheSameKey(t *testing.T) {
	w := watchShared(t)
	pid, _ := ended(t, child(t, "exit 0"))
	executed, exited := w.execOf(pid), w.exitOf(pid)
	forked := one(w.seen.forks, func(s *bpf.ForkSample) bool { return s.Child.Tgid == uint32(pid) })
	if forked == nil {
		t.Fatal("process.fork did not come before process.exec")
	}

	before := forked.Child
	before.ExecCount++
	if diff := cmp.Diff([]bpf.ProcessKey{before, before}, []bpf.ProcessKey{executed.Head.Actor.Key, exited.Head.Actor.Key}); diff != "" {
		t.Error(diff)
	}
	me := forked.Head.Actor
	if me.Key.Tgid != uint32(os.Getpid()) || me.Uid != 0 || me.Effective == 0 {
		t.Errorf("forked by %+v, not by this process", me)
	}
	if diff := cmp.Diff([]bpf.ProcessKey{me.Key, me.Key}, []bpf.ProcessKey{forked.Facts.Parent, executed.Facts.Parent}); diff != "" {
		t.Error(diff)
	}
}

func TestExecTellsNamespacesAsProcDoes(t *testing.T) {
	runtime.LockOSThread() // the child gets the namespaces of the thread that starts it
	defer runtime.UnlockOSThread()
	w := watchShared(t)
	cmd := child(t, "exit 0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	pid, _ := ended(t, cmd)
	got := w.execOf(pid).Facts

	inode := func(name string) uint32 {
		link, err := os.Readlink("/proc/thread-self/ns/" + name)
		if err != nil {
			t.Fatal(err)
		}
		var number uint32
		if _, err := fmt.Sscanf(link, name+":[%d]", &number); err != nil {
			t.Fatal(err)
		}
		return number
	}
	if got.NamespaceTgid != 1 || got.PidNamespace == inode("pid") {
		t.Errorf("process %d of pid namespace %d; want 1 of a new one", got.NamespaceTgid, got.PidNamespace)
	}
	want := []uint32{inode("mnt"), inode("net"), inode("user")}
	if diff := cmp.Diff(want, []uint32{got.MountNamespace, got.NetworkNamespace, got.UserNamespace}); diff != "" {
		t.Error(diff)
	}
	session, err := unix.Getsid(0)
	if err != nil || got.Session != uint32(session) {
		t.Errorf("session %d; want %d (%v)", got.Session, session, err)
	}
	name := filepath.Base(self(t))
	if want := name[:min(15, len(name))]; untilNUL(got.Comm[:]) != want {
		t.Errorf("comm %q, want %q", got.Comm, want)
	}
}

func TestExecTellsTheCredentialsOfItsTime(t *testing.T) {
	w := watchShared(t)
	cmd := child(t, "exit 0")
	cmd.Path = readable(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1001}}
	pid, _ := ended(t, cmd)
	got := w.execOf(pid).Head.Actor
	if diff := cmp.Diff([]uint32{1000, 1001, 1000, 1001}, []uint32{got.Uid, got.Gid, got.Euid, got.Egid}); diff != "" || got.Effective != 0 {
		t.Errorf("effective %x\n%s", got.Effective, diff)
	}
}

// readable copies this binary to where every user may run it.
func readable(t *testing.T) string {
	t.Helper()
	binary, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("/tmp", "weir-attach-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "child")
	if err := os.WriteFile(path, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExecOfAMemfdIsOne(t *testing.T) {
	w := watchShared(t)
	binary, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.MemfdCreate("weir", 0)
	if err != nil {
		t.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "memfd")
	defer file.Close()
	if _, err := file.Write(binary); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "exit 0")
	cmd.Path = fmt.Sprintf("/proc/self/fd/%d", fd)
	pid, _ := ended(t, cmd)
	got := w.execOf(pid)
	if got.executable != "memfd:weir" || got.Memfd != 1 || got.Deleted != 1 || got.ExecutableEnd != uint8(bpf.PathDetached) {
		t.Errorf("%q, %+v", got.executable, got.ExecSample)
	}
}

func TestExecOfAScriptTellsItsInterpreter(t *testing.T) {
	w := watchShared(t)
	script := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(script, []byte("#!"+self(t)+" -x\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "exit 0", "argument")
	cmd.Path = script
	pid, _ := ended(t, cmd)
	got := w.execOf(pid)
	want := []string{script, self(t), self(t), self(t) + "\x00-x\x00" + script + "\x00argument\x00"}
	if diff := cmp.Diff(want, []string{got.filename, got.interpreter, got.executable, got.arguments}); diff != "" {
		t.Error(diff)
	}
}

// Longer than an interpreter's path can be.
func TestExecByALongPathHasNoInterpreter(t *testing.T) {
	w := watchShared(t)
	dir := filepath.Join(t.TempDir(), strings.Repeat(strings.Repeat("d", 100)+"/", 3))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "exit 0")
	cmd.Path = filepath.Join(dir, "program")
	if err := os.Symlink(self(t), cmd.Path); err != nil {
		t.Fatal(err)
	}
	pid, _ := ended(t, cmd)
	if got := w.execOf(pid); got.filename != cmd.Path || got.interpreter != "" {
		t.Errorf("%q run by %q", got.filename, got.interpreter)
	}
}

func TestExecMarksAPathThatIsTooDeep(t *testing.T) {
	w := watchShared(t)
	cmd := child(t, "exit 0")
	cmd.Dir = filepath.Join(t.TempDir(), strings.Repeat("d/", 40))
	if err := os.MkdirAll(cmd.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pid, _ := ended(t, cmd)
	got := w.execOf(pid)
	if want := strings.Repeat("d/", 31) + "d"; got.directory != want || got.WorkingDirectoryEnd != uint8(bpf.PathCut) {
		t.Errorf("%q, end %d; want %q, cut", got.directory, got.WorkingDirectoryEnd, want)
	}
}

func TestSeedFindsWhatRunsAlready(t *testing.T) {
	w := watchShared(t)
	cmd := child(t, "exit 0")
	pid, _ := ended(t, cmd)
	parent := w.execOf(pid).Facts.Parent
	if err := w.Seed(&w.seen); err != nil {
		t.Fatal(err)
	}
	me := one(w.seen.processes, func(p *process) bool { return p.Head.Actor.Key == parent })
	if me == nil {
		t.Fatalf("this process %+v is not among %d", parent, len(w.seen.processes))
	}
	if me.executable != self(t) || me.Facts.Parent.Tgid != uint32(os.Getppid()) || me.Head.Actor.Tid != uint32(os.Getpid()) {
		t.Errorf("%q %+v", me.executable, me.ProcessSample)
	}
	for _, p := range w.seen.processes {
		if p.Head.Actor.Tid != p.Head.Actor.Key.Tgid || bytes.IndexByte([]byte(p.executable), 0) >= 0 {
			t.Errorf("%q %+v", p.executable, p.Head.Actor)
		}
	}
}

func TestNobodyButRootAttaches(t *testing.T) {
	cmd := child(t, "attach")
	cmd.Path = readable(t)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
	out, err := cmd.Output()
	if e, ok := err.(*exec.ExitError); ok {
		t.Fatalf("%v: %s", err, e.Stderr)
	}
	if !strings.Contains(string(out), needRoot) {
		t.Errorf("said %q; want it to name %s", out, needRoot)
	}
}
