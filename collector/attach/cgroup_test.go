package attach

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// A hierarchy is where groups of one kind are made: the v2 tree, or one of v1's.
type hierarchy struct {
	root       string
	controller string // of v1; "" is v2
}

// group makes a group with this path, of which the test's end removes every part.
func (h hierarchy) group(t *testing.T, path string) string {
	t.Helper()
	dir := h.root
	for part := range strings.SplitSeq(path, "/") {
		dir = filepath.Join(dir, part)
		err := os.Mkdir(dir, 0o755)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			t.Fatal(err)
		}
		if err == nil {
			t.Cleanup(func() { os.Remove(dir) })
		}
	}
	return dir
}

// enter moves a process, every thread of it, into a group.
func enter(t *testing.T, group string, pid int) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(group, "cgroup.procs"), fmt.Append(nil, pid), 0); err != nil {
		t.Fatal(err)
	}
}

func (h hierarchy) id(t *testing.T, group string) uint64 {
	t.Helper()
	info, err := os.Stat(group)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Ino
}

func (h hierarchy) of(ids bpf.CgroupIDs) bpf.CgroupKey {
	if h.controller != "" {
		return bpf.CgroupKey{Id: ids.V1, V1: 1}
	}
	return bpf.CgroupKey{Id: ids.V2}
}

// inEach runs the test in the v2 tree, and in the v1 hierarchies that tell where a task is placed.
func inEach(t *testing.T, test func(t *testing.T, h hierarchy)) {
	t.Run("v2", func(t *testing.T) {
		root, err := cgroupRoot("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		test(t, hierarchy{root: root})
	})
	if root, ok := v1Root(t, "memory"); ok {
		t.Run("v1 memory", func(t *testing.T) { test(t, hierarchy{root, "memory"}) })
		return // where memory tells, pids does not
	}
	t.Run("v1 pids", func(t *testing.T) {
		root, ok := v1Root(t, "pids")
		if !ok {
			root = t.TempDir()
			if err := unix.Mount("cgroup", root, "cgroup", 0, "pids"); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unmount(t, root) })
		}
		test(t, hierarchy{root, "pids"})
	})
}

// v1Root finds where a controller's hierarchy is mounted.
func v1Root(t *testing.T, controller string) (string, bool) {
	t.Helper()
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(info)) {
		mount, super, _ := strings.Cut(strings.TrimSpace(line), " - ")
		if strings.HasPrefix(super, "cgroup ") && strings.HasSuffix(super, ","+controller) {
			return strings.Fields(mount)[4], true
		}
	}
	return "", false
}

// path is that of the group in this hierarchy, as the kernel's map has it.
func (w *watcher) path(h hierarchy, ids bpf.CgroupIDs) string {
	w.Helper()
	path, ok := w.Cgroup(h.of(ids))
	if !ok {
		return ""
	}
	return "/" + strings.Join(path.Parts(), "/")
}

// pathOf is the truth: a process's group as /proc/PID/cgroup has it.
func (h hierarchy) pathOf(t *testing.T, pid int) string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if fields[1] == h.controller && (h.controller != "" || fields[0] == "0") {
			return fields[2]
		}
	}
	t.Fatalf("%s has no such hierarchy", text)
	return ""
}

func TestEventsTellTheGroupThatTheirProcessIsIn(t *testing.T) {
	inEach(t, func(t *testing.T, h hierarchy) {
		w := watchShared(t)
		group := h.group(t, fmt.Sprintf("weir-%d/two words/leaf.scope", os.Getpid()))
		c := obedient(t)
		enter(t, group, c.Process.Pid)
		want := h.pathOf(t, c.Process.Pid)
		c.leave(t)
		left := w.exitOf(c.Process.Pid)

		ids := left.Head.Actor.Cgroups
		if got := w.path(h, ids); got != want || h.of(ids).Id != h.id(t, group) {
			t.Errorf("%+v %q; want %d %q", ids, got, h.id(t, group), want)
		}
	})
}

// A fork is its caller's event, and CLONE_INTO_CGROUP moves nobody: no hook of attaching fires.
func TestForkIntoACgroupTellsThatCgroup(t *testing.T) {
	w := watchShared(t)
	root, err := cgroupRoot("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	h := hierarchy{root: root}
	group := h.group(t, fmt.Sprintf("weir-clone-%d.scope", os.Getpid()))
	dir, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	cmd := child(t, "exit 0")
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	pid, _ := ended(t, cmd)
	executed := w.execOf(pid)
	forked := one(w.seen.forks, func(s *bpf.ForkSample) bool { return s.Child.Tgid == uint32(pid) })
	if forked == nil {
		t.Fatal("process.fork did not come before process.exec")
	}
	id, ids := h.id(t, group), executed.Head.Actor.Cgroups
	if ids.V2 != id || w.path(h, ids) != "/"+filepath.Base(group) || forked.Head.Actor.Cgroups.V2 == id {
		t.Errorf("the child's %+v %q, its parent's %+v; want %d on the child alone", ids, w.path(h, ids), forked.Head.Actor.Cgroups, id)
	}
}

// The moves of a process are in its events from the next one on, and in none before.
func TestEventsOfAProcessThatMovesTellWhereItWasAtTheTime(t *testing.T) {
	inEach(t, func(t *testing.T, h hierarchy) {
		w := watchShared(t)
		var want []string
		c := obedient(t)
		for i := range 3 {
			group := h.group(t, fmt.Sprintf("weir-move-%d-%d", os.Getpid(), i))
			enter(t, group, c.Process.Pid)
			want = append(want, h.pathOf(t, c.Process.Pid))
			c.fork(t)
		}
		c.leave(t)
		w.exitOf(c.Process.Pid)

		var got []string
		for _, s := range w.seen.forks {
			if s.Head.Actor.Key.Tgid == uint32(c.Process.Pid) {
				got = append(got, w.path(h, s.Head.Actor.Cgroups))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("groups of its forks (-want +got):\n%s", diff)
		}
	})
}

func TestAThreadThatMovesAloneTellsWhereItIs(t *testing.T) {
	inEach(t, func(t *testing.T, h hierarchy) {
		w := watchShared(t)
		group := h.group(t, fmt.Sprintf("weir-thread-%d", os.Getpid()))
		alone, file := h.group(t, filepath.Base(group)+"/alone"), "tasks"
		c := obedient(t)
		if h.controller == "" {
			enter(t, group, c.Process.Pid)
			if err := os.WriteFile(filepath.Join(alone, "cgroup.type"), []byte("threaded"), 0); err != nil {
				t.Fatal(err)
			}
			file = "cgroup.threads"
		}
		before := h.pathOf(t, c.Process.Pid)
		if err := os.WriteFile(filepath.Join(alone, file), fmt.Append(nil, c.thread), 0); err != nil {
			t.Fatal(err)
		}
		c.fork(t)
		c.forkByThread(t)
		c.leave(t)
		w.exitOf(c.Process.Pid)

		got := map[uint32]string{}
		for _, s := range w.seen.forks {
			if s.Head.Actor.Key.Tgid == uint32(c.Process.Pid) {
				got[s.Head.Actor.Tid] = w.path(h, s.Head.Actor.Cgroups)
			}
		}
		want := map[uint32]string{uint32(c.Process.Pid): before, uint32(c.thread): "/" + filepath.Base(group) + "/alone"}
		if before == "/" {
			want[uint32(c.Process.Pid)] = ""
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("groups of forks by thread (-want +got):\n%s", diff)
		}
	})
}

func TestAGroupThatIsGoneKeepsItsPath(t *testing.T) {
	inEach(t, func(t *testing.T, h hierarchy) {
		w := watchShared(t)
		group := h.group(t, fmt.Sprintf("weir-gone-%d.scope", os.Getpid()))
		c := obedient(t)
		enter(t, group, c.Process.Pid)
		want := h.pathOf(t, c.Process.Pid)
		c.leave(t)
		for os.Remove(group) != nil { // the kernel lets go of the process a little after wait
		}
		if got := w.path(h, w.exitOf(c.Process.Pid).Head.Actor.Cgroups); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	})
}

// Whoever makes many long groups below a container's own must not get rid of the container's name by it.
func TestADeepPathIsToldFromTheRootOn(t *testing.T) {
	inEach(t, func(t *testing.T, h hierarchy) {
		w := watchShared(t)
		first := fmt.Sprintf("weir-deep-%d", os.Getpid())
		group := h.group(t, first+"/docker"+strings.Repeat("/"+strings.Repeat("x", 100), 30))
		c := obedient(t)
		enter(t, group, c.Process.Pid)
		c.leave(t)
		path, ok := w.Cgroup(h.of(w.exitOf(c.Process.Pid).Head.Actor.Cgroups))
		parts := path.Parts()
		if !ok || path.Cut != 1 || len(parts) < 4 || parts[0] != first || parts[1] != "docker" {
			t.Errorf("%v, cut %d, %q", ok, path.Cut, parts)
		}
	})
}

// Beyond what is climbed nothing is told but that: never the parts in the middle as if they were the first.
func TestAPathThatIsTooDeepIsMarked(t *testing.T) {
	inEach(t, func(t *testing.T, h hierarchy) {
		w := watchShared(t)
		group := h.group(t, fmt.Sprintf("weir-deeper-%d", os.Getpid())+strings.Repeat("/x", 140))
		c := obedient(t)
		enter(t, group, c.Process.Pid)
		c.leave(t)
		path, ok := w.Cgroup(h.of(w.exitOf(c.Process.Pid).Head.Actor.Cgroups))
		if !ok || path.Cut != 1 || path.Parts() != nil {
			t.Errorf("%v, cut %d, %q", ok, path.Cut, path.Parts())
		}
	})
}

func TestAGroupThatAUserMayHaveMadeTellsTheUser(t *testing.T) {
	inEach(t, func(t *testing.T, h hierarchy) {
		w := watchShared(t)
		group := h.group(t, fmt.Sprintf("weir-user-%d/delegated/docker", os.Getpid()))
		if err := os.Chown(filepath.Dir(group), 1000, 1000); err != nil {
			t.Fatal(err)
		}
		c := obedient(t)
		enter(t, group, c.Process.Pid)
		c.leave(t)
		path, ok := w.Cgroup(h.of(w.exitOf(c.Process.Pid).Head.Actor.Cgroups))
		if !ok || path.Owner != 1000 || path.OwnedFrom != 2 {
			t.Errorf("%v: %q owned from part %d on by %d; want part 2, 1000", ok, path.Parts(), path.OwnedFrom, path.Owner)
		}
	})
}

func TestSeedPutsTheGroupsOfWhatRunsAlreadyIntoTheMap(t *testing.T) {
	inEach(t, func(t *testing.T, h hierarchy) {
		group := h.group(t, fmt.Sprintf("weir-seed-%d.scope", os.Getpid()))
		c := obedient(t)
		enter(t, group, c.Process.Pid)
		want := h.pathOf(t, c.Process.Pid)
		w := watch(t, Default())
		if err := w.Seed(&w.seen); err != nil {
			t.Fatal(err)
		}
		p := one(w.seen.processes, func(p *process) bool { return p.Head.Actor.Key.Tgid == uint32(c.Process.Pid) })
		if p == nil || w.path(h, p.Head.Actor.Cgroups) != want {
			t.Errorf("%+v; want it in %q", p, want)
		}
		c.leave(t)
	})
}

// rootInNamespace makes a cgroup namespace of the current group, mounts its tree, and looks for the whole one.
func rootInNamespace(at string) error {
	if err := unix.Unshare(unix.CLONE_NEWCGROUP | unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount("cgroup2", at, "cgroup2", 0, ""); err != nil {
		return err
	}
	_, err := cgroupRoot("/proc/thread-self/mountinfo")
	return err
}

func TestACgroupNamespacesRootIsNotTheWholeTree(t *testing.T) {
	root, err := cgroupRoot("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	group := hierarchy{root: root}.group(t, fmt.Sprintf("weir-namespace-%d.scope", os.Getpid()))
	dir, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	cmd := child(t, "cgroup-namespace "+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}
	got, err := cmd.CombinedOutput()
	if err != nil || string(got) != errPartOfCgroup2.Error() {
		t.Errorf("%v: %s; want %v", err, got, errPartOfCgroup2)
	}
}
