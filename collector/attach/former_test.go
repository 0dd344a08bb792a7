package attach

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/ringbuf"
	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/bpf"
)

// former leaves an attachment behind, and attaches with another ring.
func former(t *testing.T, cfg Config) (before, after *Attachment) {
	t.Helper()
	before = attached(t, cfg)
	if err := before.SetProgress([]byte("so far")); err != nil {
		t.Fatal(err)
	}
	work(t)
	closed(t, before)
	cfg.RingBytes *= 2
	return before, attached(t, cfg)
}

func TestAnAttachmentOfAnotherLayoutIsReadToItsEnd(t *testing.T) {
	cfg := keptConfig(t)
	before, after := former(t, cfg)
	if len(after.Formers()) != 1 {
		t.Fatalf("formers %v", after.Formers())
	}
	f := after.Formers()[0]
	if after.ID() == before.ID() || f.ID() != before.ID() || f.Since() == 0 || f.Since() != before.Since() {
		t.Errorf("former %s since %d, attachment %s; want %s since %d", f.ID(), f.Since(), after.ID(), before.ID(), before.Since())
	}
	if text, err := f.Progress(); err != nil || string(text) != "so far" {
		t.Errorf("progress %q, %v", text, err)
	}
	work(t) // both tell
	if err := f.Detach(); err != nil {
		t.Fatal(err)
	}
	counters, err := f.Counters()
	if err != nil {
		t.Fatal(err)
	}
	work(t) // it tells no more
	again, err := f.Counters()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(kindsOf(counters), kindsOf(again)); diff != "" {
		t.Errorf("detached, it still counts:\n%s", diff)
	}
	checkForm(t, f, counters)
	if err := f.End(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its pins are left: %v", err)
	}
	if len(heads(t, after)) == 0 {
		t.Error("the attachment that follows tells nothing")
	}
}

func kindsOf(c Counters) map[string]uint64 {
	seen := make(map[string]uint64)
	for _, k := range c.Kinds {
		seen[k.Name] = k.Seen()
	}
	return seen
}

// checkForm reads the former attachment's ring as another build's.
func checkForm(t *testing.T, f *Former, c Counters) {
	t.Helper()
	r, err := ringbuf.NewReader(f.Ring())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	converter, seen := f.Samples(), &events{}
	r.SetDeadline(time.Unix(1, 0))
	for {
		record, err := r.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		sample, err := converter.Convert(record.RawSample)
		if err != nil {
			t.Fatal(err)
		}
		if err := bpf.Dispatch(sample, seen); err != nil {
			t.Fatal(err)
		}
	}
	checkSent(t, c, seen.heads)
	for _, p := range c.Programs {
		if p.Seen > 0 && p.Runs < p.Ignored+p.Merged+p.Seen {
			t.Errorf("%+v does not balance", p)
		}
	}
}

// Whoever does not know how a build's words are meant says that it was there, and leaves nothing of it attached.
func TestAnAttachmentWhoseWordsAreNotKnownIsEnded(t *testing.T) {
	var said bytes.Buffer
	cfg := keptConfig(t)
	first := attached(t, cfg)
	told := first.about()
	told.Version++
	if err := first.pins.tell(told); err != nil {
		t.Fatal(err)
	}
	closed(t, first)

	old := layout(cfg)
	cfg.RingBytes *= 2
	cfg.Log = slog.New(slog.NewTextHandler(&said, nil))
	if after := attached(t, cfg); len(after.Formers()) != 0 || strings.Count(said.String(), "level=WARN") != 1 {
		t.Errorf("formers %v; said %q", after.Formers(), said.String())
	}
	if _, err := os.Stat(filepath.Join(cfg.pins(), old)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its pins are left: %v", err)
	}
}

func TestPinsThatDoNotFitTheirWordsAreRefused(t *testing.T) {
	cfg := keptConfig(t)
	first := attached(t, cfg)
	told := first.about()
	told.Counters.Outcomes += 1 << 20
	if err := first.pins.tell(told); err != nil {
		t.Fatal(err)
	}
	closed(t, first)
	cfg.RingBytes *= 2
	_, err := New(cfg)
	if err == nil || !strings.Contains(err.Error(), "its counters are not as it says; remove it") {
		t.Errorf("New = %v", err)
	}
}

func TestFormersOfANameAreOpenedWithoutAttaching(t *testing.T) {
	cfg := keptConfig(t)
	first := attached(t, cfg)
	if _, _, err := OpenFormers(cfg); err == nil {
		t.Error("opened although a process has the name")
	}
	closed(t, first)
	all, lease, err := OpenFormers(cfg)
	if err != nil || len(all) != 1 || all[0].ID() != first.ID() {
		t.Fatalf("%v, %v", all, err)
	}
	if err := errors.Join(all[0].Detach(), all[0].End(), all[0].Close(), lease.Close()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(cfg.pins()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", cfg.pins(), err)
	}
}
