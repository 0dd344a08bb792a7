package attach

import (
	"bytes"
	"errors"
	"os"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
)

// execution is a copy of an exec sample that outlives the ring.
type execution struct {
	bpf.ExecSample
	arguments, filename, interpreter string
	executable, directory            string
	environment                      string
}

// failure is a copy of a failed exec's sample.
type failure struct {
	bpf.ExecFailedSample
	arguments, filename, directory string
}

// process is one of the iterator's.
type process struct {
	bpf.ProcessSample
	executable string
}

// events keeps what it is handed, in order.
type events struct {
	forks     []bpf.ForkSample
	execs     []execution
	exits     []bpf.ExitSample
	failures  []failure
	connects  []bpf.ConnectSample
	listens   []bpf.ListenSample
	closes    []bpf.CloseSample
	accepts   []bpf.AcceptSample
	counted   []bpf.CountSample
	processes []process
	heads     []bpf.Head
}

func (e *events) Fork(s *bpf.ForkSample)        { e.forks = append(e.forks, *s); e.head(s.Head) }
func (e *events) Exit(s *bpf.ExitSample)        { e.exits = append(e.exits, *s); e.head(s.Head) }
func (e *events) Connect(s *bpf.ConnectSample)  { e.connects = append(e.connects, *s); e.head(s.Head) }
func (e *events) Listen(s *bpf.ListenSample)    { e.listens = append(e.listens, *s); e.head(s.Head) }
func (e *events) Close(s *bpf.CloseSample)      { e.closes = append(e.closes, *s); e.head(s.Head) }
func (e *events) Accept(s *bpf.AcceptSample)    { e.accepts = append(e.accepts, *s); e.head(s.Head) }
func (e *events) Check(s *bpf.CountSample)      { e.first(s) }
func (e *events) Retransmit(s *bpf.CountSample) { e.first(s) }
func (e *events) Create(s *bpf.CountSample)     { e.first(s) }
func (e *events) Io(s *bpf.CountSample)         { e.first(s) }
func (e *events) first(s *bpf.CountSample)      { e.counted = append(e.counted, *s); e.head(s.Head) }
func (e *events) Process(s *bpf.ProcessSample) {
	e.processes = append(e.processes, process{*s, string(s.Executable().Append(nil))})
}
func (e *events) Exec(s *bpf.ExecSample) {
	e.execs = append(e.execs, execution{
		ExecSample: *s, arguments: string(s.Arguments()), filename: string(s.Filename()),
		interpreter: string(s.Interpreter()), executable: string(s.Executable().Append(nil)),
		directory:   string(s.WorkingDirectory().Append(nil)),
		environment: string(s.Environment()),
	})
	e.head(s.Head)
}
func (e *events) ExecFailed(s *bpf.ExecFailedSample) {
	e.failures = append(e.failures, failure{
		ExecFailedSample: *s, arguments: string(s.Arguments()), filename: string(s.Filename()),
		directory: string(s.WorkingDirectory().Append(nil)),
	})
	e.head(s.Head)
}
func (e *events) head(h bpf.Head) { e.heads = append(e.heads, h) }

// watcher is an attachment whose ring is read by the test.
type watcher struct {
	*testing.T
	*Attachment
	seen   events
	reader *ringbuf.Reader
	tried  int // counts what is to be another key each time
}

// watch attaches to this machine's kernel, which takes root.
func watch(t *testing.T, cfg Config) *watcher {
	t.Helper()
	w, err := newWatcher(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return w.of(t)
}

// of makes the watcher the test's own.
func (w *watcher) of(t *testing.T) *watcher {
	t.Helper()
	t.Cleanup(func() {
		if err := errors.Join(w.reader.Close(), w.Close()); err != nil {
			t.Error(err)
		}
	})
	w.T = t
	warm(t)
	return w
}

func newWatcher(cfg Config) (*watcher, error) {
	a, err := New(cfg)
	if err != nil {
		return nil, err
	}
	r, err := ringbuf.NewReader(a.Ring())
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return &watcher{Attachment: a, reader: r}, nil
}

// shared ends with the process.
var shared = sync.OnceValues(func() (*watcher, error) { return newWatcher(Default()) })

// watchShared is the attachment of every kind for tests that neither detach nor count: on an emulated machine the
// verifier takes two seconds for each attachment. What tests before this one have left in the ring is gone.
func watchShared(t *testing.T) *watcher {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{T: t, Attachment: s.Attachment, reader: s.reader}
	warm(t)
	w.drain()
	w.seen = events{}
	return w
}

// warm lets every process program run once. On an emulated machine a program's first run takes milliseconds,
// so that it is preempted in most cases, and from 7.0 on the kernel then does not run it for others meanwhile:
// such runs are counted as missed, and no event comes of them.
func warm(t *testing.T) {
	t.Helper()
	ended(t, child(t, "exit 0"))
}

// drain reads what the ring holds now.
func (w *watcher) drain() { w.read(time.Unix(1, 0)) }

// read reads until the ring is empty and the deadline has passed.
func (w *watcher) read(deadline time.Time) {
	w.Helper()
	var record ringbuf.Record
	w.reader.SetDeadline(deadline)
	for {
		err := w.reader.ReadInto(&record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			w.Fatal(err)
		}
		if err := bpf.Dispatch(aligned(record.RawSample), &w.seen); err != nil {
			w.Fatal(err)
		}
	}
}

// aligned copies the bytes to a multiple of eight: the reader hands out its own buffer.
func aligned(raw []byte) []byte {
	words := make([]uint64, len(raw)/8+1)
	b := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(raw))
	copy(b, raw)
	return b
}

// until reads the ring until find returns something, and returns that.
func until[S any](w *watcher, what string, find func(*events) *S) *S {
	w.Helper()
	w.drain()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if s := find(&w.seen); s != nil {
			return s
		}
		w.read(time.Now().Add(time.Millisecond)) // a few samples wake nobody: the reader looks by itself
	}
	w.Fatalf("%s did not come; missed: %v", what, w.missed())
	return nil
}

// missed returns how often the kernel did not run each program, as another was under way.
func (w *watcher) missed() map[string]uint64 {
	w.Helper()
	c, err := w.Counters()
	if err != nil {
		w.Fatal(err)
	}
	missed := make(map[string]uint64)
	for _, p := range c.Programs {
		if p.Missed > 0 {
			missed[p.Program.Name] = p.Missed
		}
	}
	return missed
}

// one returns the first of all that fits.
func one[S any](all []S, fits func(*S) bool) *S {
	for i := range all {
		if fits(&all[i]) {
			return &all[i]
		}
	}
	return nil
}

// execOf waits for the exec of a process.
func (w *watcher) execOf(pid int) *execution {
	w.Helper()
	return until(w, "process.exec", func(e *events) *execution {
		return one(e.execs, func(s *execution) bool { return s.Head.Actor.Key.Tgid == uint32(pid) })
	})
}

// exitOf waits for the end of a process.
func (w *watcher) exitOf(pid int) *bpf.ExitSample {
	w.Helper()
	return until(w, "process.exit", func(e *events) *bpf.ExitSample {
		return one(e.exits, func(s *bpf.ExitSample) bool { return s.Head.Actor.Key.Tgid == uint32(pid) })
	})
}

func untilNUL(b []byte) string {
	name, _, _ := bytes.Cut(b, []byte{0})
	return string(name)
}

func unmount(t *testing.T, path string) {
	t.Helper()
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
		t.Error(err)
	}
}
