package spool

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/testing/protocmp"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// run seals batches as a collector does.
type run struct {
	t     testing.TB
	chain *batch.Chain
	draft *batch.Draft
	seed  *rand.ChaCha8
}

func newRun(t testing.TB, id byte) *run {
	host := [16]byte{1}
	header := &weirv1.Header{HostId: host[:], BootId: host[:], AttachmentId: host[:]}
	return &run{
		t: t, chain: batch.NewChain(ed25519.NewKeyFromSeed(make([]byte, 32)), schema.RunID{id}),
		draft: batch.NewDraft(header, batch.DefaultLimits()), seed: rand.NewChaCha8([32]byte{id}),
	}
}

// seal returns a batch of so many events, with about so many bytes that do not compress.
func (r *run) seal(rows, size int) batch.Sealed {
	r.t.Helper()
	kind, ok := schema.KindByName("weir.stopped")
	if !ok {
		r.t.Fatal("no kind weir.stopped")
	}
	noise := make([]byte, size)
	_, _ = r.seed.Read(noise)
	reason := r.draft.Text(noise)
	for range rows {
		r.draft.Append(batch.Event{Kind: kind})
		group := r.draft.Columns().WeirStopped
		group.Reason = append(group.Reason, reason)
	}
	s, err := r.draft.Seal(r.chain, batch.Times{Boot: time.Unix(1, 0), Sealed: time.Unix(2, 0)})
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

func smallOptions() Options {
	o := DefaultOptions()
	o.SegmentBytes, o.MaxBytes = minSegmentBytes, 4*minSegmentBytes
	return o
}

func open(t testing.TB, dir string, o Options) *Spool {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func appendAll(t testing.TB, s *Spool, batches ...batch.Sealed) {
	t.Helper()
	for _, b := range batches {
		if err := s.Append(b); err != nil {
			t.Fatal(err)
		}
	}
}

// takeAll takes everything that is there.
func takeAll(t testing.TB, s *Spool) (items []Item) {
	t.Helper()
	for {
		some, _, err := s.takeReady(3, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if len(some) == 0 {
			return items
		}
		items = append(items, some...)
	}
}

// numbers tells items as people would: batch numbers, and ranges of evicted ones.
func numbers(items []Item) (list []string) {
	for _, i := range items {
		if i.Evicted != nil {
			list = append(list, fmt.Sprintf("evicted %d-%d", i.Evicted.Tombstone.First, i.Evicted.Tombstone.Last))
		} else {
			list = append(list, fmt.Sprint(i.Sealed.Last))
		}
	}
	return list
}

func TestWhatIsAppendedIsTakenInOrderAndOnlyOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "spool")
	s := open(t, dir, DefaultOptions())
	r := newRun(t, 1)
	want := []batch.Sealed{r.seal(3, 100), r.seal(1, 0), r.seal(200, 5000)}
	appendAll(t, s, want...)
	items := takeAll(t, s)
	if len(items) != 3 {
		t.Fatalf("%d items", len(items))
	}
	for i, item := range items {
		want[i].Header = nil // is not kept
		if diff := cmp.Diff(want[i], item.Sealed, protocmp.Transform()); diff != "" {
			t.Errorf("item %d: %s", i, diff)
		}
	}
	if got := s.Stats(); got.Batches != 3 || got.Bytes < 5000 || !got.Unsent {
		t.Errorf("before ack: %+v", got)
	}
	if err := s.Ack(items[1].Number); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Batches != 1 {
		t.Errorf("after ack: %+v", got)
	}
	if again := takeAll(t, s); len(again) != 0 {
		t.Errorf("taken again: %v", numbers(again))
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, DefaultOptions())
	items = takeAll(t, s)
	if got := numbers(items); !cmp.Equal(got, []string{"3"}) {
		t.Errorf("after a restart: %v, want what Kafka does not have", got)
	}
	if err := s.Ack(items[0].Number); err != nil {
		t.Fatal(err)
	}
	if got := s.Stats(); got.Unsent || got.Batches != 0 || got.Bytes != 0 || got.DiskBytes == 0 {
		t.Errorf("when Kafka has all: %+v", got)
	}
}

func TestLastIsKnownThoughKafkaHasAll(t *testing.T) {
	dir := t.TempDir()
	_ = os.Chmod(dir, 0o700)
	s := open(t, dir, smallOptions())
	if _, ok, err := s.Last(); ok || err != nil {
		t.Errorf("of an empty spool: %v, %v", ok, err)
	}
	r := newRun(t, 1)
	var last batch.Sealed
	for range 10 {
		last = r.seal(1, 20<<10)
		appendAll(t, s, last)
		items := takeAll(t, s)
		if err := s.Ack(items[len(items)-1].Number); err != nil {
			t.Fatal(err)
		}
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*.segment"))
	if len(files) != 1 {
		t.Errorf("Kafka has all, and there are still %v", files)
	}
	for range 2 {
		got, ok, err := s.Last()
		if !ok || err != nil || got.Hash != last.Hash || !bytes.Equal(got.Record, last.Record) {
			t.Errorf("last: %v, error %v, batch %d; want %d", ok, err, got.Last, last.Last)
		}
		_ = s.Close()
		s = open(t, dir, smallOptions())
	}
	appendAll(t, s, r.seal(1, 10))
	if got := numbers(takeAll(t, s)); !cmp.Equal(got, []string{"11"}) {
		t.Errorf("taken: %v", got)
	}
}

func TestTakeWaitsForAnAppend(t *testing.T) {
	s := open(t, t.TempDir()+"/spool", DefaultOptions())
	got := make(chan []Item)
	go func() {
		items, _ := s.Take(t.Context(), 1, 1)
		got <- items
	}()
	appendAll(t, s, newRun(t, 1).seal(1, 1))
	if items := <-got; len(items) != 1 {
		t.Errorf("%d items", len(items))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Take(ctx, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestFullSpoolEvictsTheOldestAndTellsWhat(t *testing.T) {
	s := open(t, t.TempDir()+"/spool", smallOptions())
	r := newRun(t, 1)
	var all []batch.Sealed
	for i := range 40 {
		b := r.seal(i+1, 20<<10)
		all = append(all, b)
		appendAll(t, s, b)
		if got := s.Stats().DiskBytes; got > smallOptions().MaxBytes {
			t.Fatalf("%d bytes on disk", got)
		}
	}
	items := takeAll(t, s)
	e := items[0].Evicted
	if e == nil || e.Tombstone.First != 1 {
		t.Fatalf("the oldest are not evicted: %v", numbers(items))
	}
	rows := uint32(0)
	for _, b := range all[:e.Tombstone.Last] {
		rows += b.Rows[0].Rows
	}
	want := &weirv1.Tombstone{
		First: 1, Last: e.Tombstone.Last, LastHash: all[e.Tombstone.Last-1].Hash[:], Reason: "spool full",
		Lost: []*weirv1.Group{{Number: 902, Kind: "weir.stopped", Rows: rows}},
	}
	if diff := cmp.Diff(want, e.Tombstone, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if e.Previous != (batch.Hash{}) || len(e.Header.GetRunId()) != 16 {
		t.Errorf("previous %v, header %v", e.Previous, e.Header)
	}
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	if _, err := batch.SealTombstone(key, e.Header, e.Tombstone, e.Previous); err != nil {
		t.Errorf("it cannot be sealed: %v", err)
	}
	if got := s.Stats().EvictedBatches; got != e.Tombstone.Last {
		t.Errorf("stats tell %d evicted, the tombstone %d", got, e.Tombstone.Last)
	}
	if !s.Stats().Evicting {
		t.Error("a full spool does not say so")
	}
	if err := s.Ack(items[len(items)-1].Number); err != nil || s.Stats().Evicting {
		t.Errorf("an empty spool says that it is full, error %v", err)
	}
}

func TestWhatIsOnItsWayIsNotEvicted(t *testing.T) {
	s := open(t, t.TempDir()+"/spool", smallOptions())
	r := newRun(t, 1)
	appendAll(t, s, r.seal(1, 20<<10), r.seal(1, 20<<10))
	first, err := s.Take(t.Context(), 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for range 40 {
		appendAll(t, s, r.seal(1, 20<<10))
	}
	got := append(numbers(first), numbers(takeAll(t, s))...)
	if len(got) < 5 || !cmp.Equal(got[:3], []string{"1", "2", "3"}) || !strings.HasPrefix(got[3], "evicted 4-") {
		t.Errorf("taken: %v", got)
	}
}

func TestBatchThatFitsNoSegmentIsRefused(t *testing.T) {
	s := open(t, t.TempDir()+"/spool", smallOptions())
	r := newRun(t, 1)
	if err := s.Append(r.seal(1, minSegmentBytes)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("error %v", err)
	}
	appendAll(t, s, r.seal(1, 1))
}

// A full disk: nothing is lost, the caller tries again.
func TestFullDiskRefusesTheBatchAndKeepsTheRest(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("weir-test", dir, "tmpfs", 0, "size=256k,mode=0700"); err != nil {
		t.Fatalf("mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	s := open(t, dir, DefaultOptions())
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 100<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRun(t, 1)
	var refused batch.Sealed
	for {
		b := r.seal(1, 10<<10)
		if err := s.Append(b); errors.Is(err, ErrDiskFull) {
			if !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "make room") {
				t.Errorf("error text: %v", err)
			}
			refused = b
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Append(refused); !errors.Is(err, ErrDiskFull) {
		t.Errorf("again: %v", err)
	}
	for l, err := range List(dir) {
		if err != nil || l.Damage != nil {
			t.Errorf("the refused batch left a trace: %v %v", l.Damage, err)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	appendAll(t, s, refused, r.seal(1, 1))
	items := takeAll(t, s)
	for i, item := range items {
		if item.Sealed.Last != uint64(i+1) {
			t.Fatalf("taken: %v", numbers(items))
		}
	}
	if len(items) != int(refused.Last)+1 {
		t.Errorf("%d items, want %d", len(items), refused.Last+1)
	}
}

func TestRunSyncsWhatWasAppended(t *testing.T) {
	dir := t.TempDir() + "/spool"
	synctest.Test(t, func(t *testing.T) {
		s := open(t, dir, DefaultOptions())
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
		r := newRun(t, 1)
		appendAll(t, s, r.seal(1, 1), r.seal(1, 1))
		for range 2 { // one append may fall into the time before the sync of the other
			time.Sleep(s.options.SyncAfter)
			synctest.Wait()
		}
		if len(s.dirty) != 0 {
			t.Error("not synced")
		}
		cancel()
		wg.Wait()
	})
}

// The twin: a list of everything that was appended. Whatever happens, Kafka gets it whole and in order, or
// a tombstone's numbers in its place.
func TestSpoolAgainstASlowTwin(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			dir := t.TempDir() + "/spool"
			s := open(t, dir, smallOptions())
			twin := twin{t: t}
			r := newRun(t, 1)
			var flying []Item
			for range 400 {
				switch p := rnd.IntN(100); {
				case p < 70:
					b := r.seal(1+rnd.IntN(5), rnd.IntN(16<<10))
					appendAll(t, s, b)
					twin.appended = append(twin.appended, b)
				case p < 82:
					items, _, err := s.takeReady(1+rnd.IntN(4), 1<<20)
					if err != nil {
						t.Fatal(err)
					}
					flying = append(flying, items...)
				case p < 96:
					n := rnd.IntN(len(flying) + 1)
					if n > 0 {
						if err := s.Ack(flying[n-1].Number); err != nil {
							t.Fatal(err)
						}
					}
					twin.acked(flying[:n])
					flying = flying[n:]
				default:
					if err := s.Close(); err != nil {
						t.Fatal(err)
					}
					s, flying = open(t, dir, smallOptions()), nil
					r = newRun(t, byte(len(twin.appended)))
				}
				if waiting := s.Stats(); waiting.DiskBytes > smallOptions().MaxBytes {
					t.Fatalf("%d bytes on disk", waiting.DiskBytes)
				}
			}
			twin.acked(append(flying, takeAll(t, s)...))
			if len(twin.appended) != 0 {
				t.Errorf("%d batches never came", len(twin.appended))
			}
			if losses := s.Losses(); len(losses) > 0 {
				t.Errorf("losses told: %v", losses)
			}
		})
	}
}

type twin struct {
	t        *testing.T
	appended []batch.Sealed // what Kafka is still to be told
}

func (w *twin) acked(items []Item) {
	w.t.Helper()
	for _, item := range items {
		if item.Evicted == nil {
			if b := w.appended[0]; !bytes.Equal(b.Record, item.Sealed.Record) {
				w.t.Fatalf("batch %d of run %v came, want %d of %v", item.Sealed.Last, item.Sealed.Run, b.Last, b.Run)
			}
			w.appended = w.appended[1:]
			continue
		}
		w.evicted(item.Evicted)
	}
}

func (w *twin) evicted(e *Evicted) {
	w.t.Helper()
	rows, n := uint32(0), int(e.Tombstone.Last-e.Tombstone.First+1)
	for _, b := range w.appended[:n] {
		rows += b.Rows[0].Rows
		if string(b.Run[:]) != string(e.Header.RunId) {
			w.t.Fatalf("tombstone of run %x for a batch of run %v", e.Header.RunId, b.Run)
		}
	}
	first, last := w.appended[0], w.appended[n-1]
	want := &weirv1.Tombstone{
		First: first.Last, Last: last.Last, LastHash: last.Hash[:], Reason: "spool full",
		Lost: []*weirv1.Group{{Number: 902, Kind: "weir.stopped", Rows: rows}},
	}
	if diff := cmp.Diff(want, e.Tombstone, protocmp.Transform()); diff != "" || e.Previous != first.Previous {
		w.t.Fatalf("tombstone: %s", diff)
	}
	w.appended = w.appended[n:]
}

func BenchmarkAppend(b *testing.B) {
	s := open(b, b.TempDir()+"/spool", DefaultOptions())
	sealed := newRun(b, 1).seal(1000, 9<<10)
	b.SetBytes(int64(len(sealed.Record)))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Append(sealed); err != nil {
			b.Fatal(err)
		}
	}
}

// logged collects what is logged.
func logged() (*slog.Logger, *bytes.Buffer) {
	var b bytes.Buffer
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}
