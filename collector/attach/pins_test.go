package attach

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cilium/ebpf/ringbuf"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/bpf"
)

// names makes names that no other test has.
var names atomic.Uint32

// keptConfig wants an attachment of its own that outlives its process; the test removes what is left of it.
func keptConfig(t *testing.T) Config {
	cfg := Default()
	cfg.Bought = cfg.Kinds
	cfg.Name = fmt.Sprintf("test-%d-%d", os.Getpid(), names.Add(1))
	t.Cleanup(func() {
		if err := os.RemoveAll(cfg.pins()); err != nil {
			t.Error(err)
		}
	})
	return cfg
}

func attached(t *testing.T, cfg Config) *Attachment {
	t.Helper()
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() }) // where the test has not
	return a
}

func closed(t *testing.T, a *Attachment) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
}

// heads reads what the ring holds. As the library's reader does, it gives up what it hands out.
func heads(t *testing.T, a *Attachment) []bpf.Head {
	t.Helper()
	r, err := ringbuf.NewReader(a.Ring())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w := &watcher{T: t, Attachment: a, reader: r}
	w.drain()
	return w.seen.heads
}

func countersOf(t *testing.T, a *Attachment) Counters {
	t.Helper()
	c, err := a.Counters()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func rungsOf(a *Attachment) (rungs []string) {
	for _, c := range a.Coverage() {
		if c.Rung != nil {
			rungs = append(rungs, c.Kind.String()+" by "+c.Rung.String())
		}
	}
	return rungs
}

func TestAnAttachmentOutlivesItsProcess(t *testing.T) {
	cfg := keptConfig(t)
	first := attached(t, cfg)
	if err := first.SetProgress([]byte("so far")); err != nil {
		t.Fatal(err)
	}
	id, before := first.ID(), rungsOf(first)
	closed(t, first)
	work(t) // nobody is there

	second := attached(t, cfg)
	if second.ID() != id || !second.Resumed() {
		t.Errorf("attachment %s, resumed %v; want %s", second.ID(), second.Resumed(), id)
	}
	if diff := cmp.Diff(before, rungsOf(second)); diff != "" {
		t.Error(diff)
	}
	if text, err := second.Progress(); err != nil || string(text) != "so far" {
		t.Errorf("progress %q, %v", text, err)
	}
	if err := second.Detach(); err != nil {
		t.Fatal(err)
	}
	got, sent := heads(t, second), uint64(0)
	for _, k := range countersOf(t, second).Kinds {
		sent += k.Outcomes[bpf.OutcomeSent]
	}
	if len(got) < 60 || uint64(len(got)) != sent {
		t.Errorf("%d samples in the ring, %d were sent", len(got), sent)
	}
	if err := second.End(); err != nil {
		t.Fatal(err)
	}
	closed(t, second)
	if _, err := os.Stat(cfg.pins()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", cfg.pins(), err)
	}
}

func TestAnAttachmentHasOneProcess(t *testing.T) {
	cfg := keptConfig(t)
	attached(t, cfg)
	_, err := New(cfg)
	inUse, ok := errors.AsType[*InUseError](err)
	if !ok || inUse.PID != os.Getpid() {
		t.Errorf("New = %v; want it to name process %d", err, os.Getpid())
	}
}

// Killed while it detaches, a process leaves programs that are on no hook, and are given nothing.
func TestAHalfDetachedAttachmentGoesBackOntoItsHooks(t *testing.T) {
	cfg := keptConfig(t)
	first := attached(t, cfg)
	work(t)
	if err := first.Detach(); err != nil {
		t.Fatal(err)
	}
	before := countersOf(t, first)
	closed(t, first)

	second := attached(t, cfg)
	read := len(heads(t, second))
	work(t)
	after := countersOf(t, second)
	for i, k := range after.Kinds {
		if worked(k.Kind) && k.Seen() <= before.Kinds[i].Seen() {
			t.Errorf("%s: seen %d, and %d before", k.Kind, k.Seen(), before.Kinds[i].Seen())
		}
	}
	if more := len(heads(t, second)); read == 0 || more == 0 {
		t.Errorf("%d samples of before, %d of now", read, more)
	}
}

// Whoever has the socket's address now need not be who opened the one that was there before the hooks were off.
func TestAConnectionIsNotTheFormerOpenersWhereHooksWereOff(t *testing.T) {
	cfg := keptConfig(t)
	first := attached(t, cfg)
	l := listen(t, "tcp4", "127.0.0.1:0")
	client, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Detach(); err != nil {
		t.Fatal(err)
	}
	closed(t, first)

	w := watch(t, cfg)
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	got := w.closeOf(end(client.LocalAddr()), end(client.RemoteAddr()))
	if got.Direction != uint8(bpf.DirectionUnknown) || got.DurationNs != 0 {
		t.Errorf("close tells of before: direction %d, duration %d ns", got.Direction, got.DurationNs)
	}
}

// Killed while it begins or ends, a process leaves pins without the one that says whose they are.
func TestPinsThatNeverBecameAnAttachmentAreRemoved(t *testing.T) {
	cfg := keptConfig(t)
	first := attached(t, cfg)
	id := first.ID()
	closed(t, first)
	if err := os.Remove(filepath.Join(cfg.pins(), layout(cfg), pinnedAbout)); err != nil {
		t.Fatal(err)
	}
	second := attached(t, cfg)
	if second.ID() == id || second.Resumed() || len(second.Formers()) != 0 {
		t.Errorf("attachment %s, resumed %v, formers %v", second.ID(), second.Resumed(), second.Formers())
	}
	work(t)
	if len(heads(t, second)) == 0 {
		t.Error("it tells nothing")
	}
}

func TestWhereNothingCanBePinnedTheAttachmentEndsWithItsProcess(t *testing.T) {
	var said bytes.Buffer
	cfg := keptConfig(t)
	cfg.BPFFS = filepath.Join(t.TempDir(), "missing")
	cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
	w := watch(t, cfg)
	if w.Kept() || strings.Count(said.String(), "level=WARN") != 1 || !strings.Contains(said.String(), cfg.BPFFS) {
		t.Errorf("kept %v; said %q", w.Kept(), said.String())
	}
	if err := errors.Join(w.SetProgress([]byte("so far")), w.End()); err != nil {
		t.Error(err)
	}
	pid, _ := ended(t, child(t, "exit 0"))
	w.exitOf(pid)
}

// bpffs that is mounted without a mode has 1777: who makes weir's directory first could have others' files removed,
// or hold the lease.
func TestPinsAreNotMadeWhereOthersCanWrite(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	for name, prepare := range map[string]func(pins string) error{
		"a link to a directory": func(pins string) error {
			return errors.Join(os.Mkdir(filepath.Dir(pins), 0o700), os.Mkdir(victim, 0o700), os.Symlink(victim, pins))
		},
		"a directory of somebody else": func(pins string) error {
			return errors.Join(os.MkdirAll(pins, 0o700), os.Chown(filepath.Dir(pins), 65534, 65534))
		},
		"a directory that others write to": func(pins string) error {
			return errors.Join(os.MkdirAll(pins, 0o700), os.Chmod(pins, 0o777))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			cfg := keptConfig(t)
			cfg.BPFFS = t.TempDir()
			cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
			t.Cleanup(func() { unmount(t, cfg.BPFFS) })
			if err := errors.Join(mountBPFFS(cfg.BPFFS, cfg.Log), prepare(cfg.pins())); err != nil {
				t.Fatal(err)
			}
			if a := attached(t, cfg); a.Kept() || !strings.Contains(said.String(), "remove it") {
				t.Errorf("kept %v; said %q", a.Kept(), said.String())
			}
		})
	}
}

func TestBPFFSIsMountedWhereItIsNot(t *testing.T) {
	var said bytes.Buffer
	cfg := keptConfig(t)
	cfg.BPFFS = t.TempDir()
	cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
	t.Cleanup(func() { unmount(t, cfg.BPFFS) })
	if a := attached(t, cfg); !a.Kept() || strings.Count(said.String(), "level=INFO") != 1 {
		t.Errorf("kept %v; said %q", a.Kept(), said.String())
	}
}

// Once a batch.
func BenchmarkSetProgress(b *testing.B) {
	m, err := newText("weir_progress", textBytes)
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	a, text := Attachment{pins: &pins{progress: m}}, make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		if err := a.SetProgress(text); err != nil {
			b.Fatal(err)
		}
	}
}
