package attach

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/bpf"
)

// An exec by another thread than the first makes that thread the process: same process id, same start, and neither an
// end of what was before nor a second exec.
func TestExecByAThreadThatIsNotTheLeader(t *testing.T) {
	for _, how := range []string{"beside its leader", "after its leader"} {
		t.Run(how, func(t *testing.T) {
			w := watchShared(t)
			pid, status := ended(t, child(t, "exec "+how))
			if status.ExitStatus() != 5 {
				t.Fatalf("status %x", status)
			}
			exit := w.exitOf(pid)
			var execs []bpf.ProcessKey
			for _, s := range w.seen.execs {
				if a := s.Head.Actor; a.Key.Tgid == uint32(pid) {
					execs = append(execs, a.Key)
					if a.Tid != uint32(pid) {
						t.Errorf("exec by thread %d of process %d", a.Tid, pid)
					}
				}
			}
			if len(execs) != 2 {
				t.Fatalf("%d execs, want 2", len(execs))
			}
			second := execs[0]
			second.ExecCount++
			if diff := cmp.Diff([]bpf.ProcessKey{second, second}, []bpf.ProcessKey{execs[1], exit.Head.Actor.Key}); diff != "" {
				t.Error(diff)
			}
			if exit.ExitCode != 5 {
				t.Errorf("exit code %d", exit.ExitCode)
			}
		})
	}
}

func TestExecByARelativeSymlinkTellsBothPaths(t *testing.T) {
	w := watchShared(t)
	cmd := child(t, "exit 0")
	cmd.Dir = t.TempDir()
	if err := os.Symlink(self(t), filepath.Join(cmd.Dir, "link")); err != nil {
		t.Fatal(err)
	}
	cmd.Path = "./link"
	pid, _ := ended(t, cmd)
	got := w.execOf(pid)
	want := []string{"./link", self(t), cmd.Dir}
	if diff := cmp.Diff(want, []string{got.filename, got.executable, got.directory}); diff != "" {
		t.Error(diff)
	}
}

func TestExecOfADeletedFileIsMarked(t *testing.T) {
	w := watchShared(t)
	path := readable(t)
	pid, status := ended(t, child(t, "deleted "+path))
	if status.ExitStatus() != 5 {
		t.Fatalf("status %x", status)
	}
	exit := w.exitOf(pid)
	got := one(w.seen.execs, func(s *execution) bool { return s.Head.Actor.Key == exit.Head.Actor.Key })
	if got == nil || got.Deleted != 1 || got.Memfd != 0 || got.executable != path || !strings.HasPrefix(got.filename, "/dev/fd/") {
		t.Errorf("%+v", got)
	}
}

func TestExecCountsVeryManyArguments(t *testing.T) {
	w := watchShared(t)
	cmd := child(t, "exit 0", slices.Repeat([]string{"a"}, 50_000)...)
	pid, _ := ended(t, cmd)
	got := w.execOf(pid)
	if want := len(self(t)) + 1 + 2*50_000; got.ArgumentCount != 50_001 || int(got.ArgumentsBytes) != want || len(got.arguments) != 4096 {
		t.Errorf("%d arguments of %d bytes, %d told", got.ArgumentCount, got.ArgumentsBytes, len(got.arguments))
	}
}

// A path cannot be longer than what the kernel takes.
func TestExecTellsTheLongestPathWhole(t *testing.T) {
	w := watchShared(t)
	cmd := child(t, "exit 0")
	cmd.Path = strings.Repeat("/.", (4095-len(self(t)))/2) + self(t)
	pid, _ := ended(t, cmd)
	if got := w.execOf(pid); got.filename != cmd.Path || got.executable != self(t) {
		t.Errorf("%d bytes of %d, %q", len(got.filename), len(cmd.Path), got.executable)
	}
}
