package publish

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

var key = ed25519.NewKeyFromSeed(make([]byte, 32))

// brokers is a producer whose schedule the test gives.
type brokers struct {
	mu       sync.Mutex
	have     []kafka.Record
	attempts int
	answer   func(i int, r kafka.Record) error // nil takes everything
	absent   chan struct{}                     // where it is not nil, Produce blocks until it is closed
	ping     error
}

func (b *brokers) Produce(ctx context.Context, records ...kafka.Record) error {
	b.mu.Lock()
	b.attempts++
	absent := b.absent
	b.mu.Unlock()
	if absent != nil {
		select {
		case <-absent:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, r := range records {
		if b.answer != nil {
			if err := b.answer(i, r); err != nil {
				return err
			}
		}
		b.have = append(b.have, r)
	}
	return nil
}

func (b *brokers) Ping(context.Context) error { return b.ping }

// numbers returns the batch numbers of what the brokers have, as the records' headers tell them.
func (b *brokers) numbers() (list []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.have {
		list = append(list, header(r, batch.HeaderBatch))
	}
	return list
}

func header(r kafka.Record, key string) string {
	i := slices.IndexFunc(r.Headers, func(h kafka.Header) bool { return h.Key == key })
	if i < 0 {
		return ""
	}
	return string(r.Headers[i].Value)
}

// world is a spool, brokers, and a publisher that runs between them.
type world struct {
	t         *testing.T
	dir       string
	spool     *spool.Spool
	chain     *batch.Chain
	draft     *batch.Draft
	brokers   *brokers
	publisher *Publisher
	log       bytes.Buffer
	stop      func()
}

func newWorld(t *testing.T, dir string, b *brokers) *world {
	t.Helper()
	o := spool.DefaultOptions()
	o.SegmentBytes, o.MaxBytes = 64<<10, 256<<10
	s, err := spool.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	id := [16]byte{1}
	w := &world{
		t: t, dir: dir, spool: s, brokers: b, chain: batch.NewChain(key, schema.RunID{1}),
		draft: batch.NewDraft(&weirv1.Header{HostId: id[:], BootId: id[:], AttachmentId: id[:]}, batch.DefaultLimits()),
	}
	w.publisher = New(s, b, key, slog.New(slog.NewTextHandler(&w.log, nil)))
	w.stop = func() {}
	t.Cleanup(func() { w.stop(); _ = s.Close() })
	return w
}

// start runs the publisher until stop.
func (w *world) start() {
	ctx, cancel := context.WithCancel(w.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := w.publisher.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	w.stop = func() { cancel(); wg.Wait() }
}

// append puts batches into the spool, each with so many bytes that do not compress.
func (w *world) append(n, size int) {
	w.t.Helper()
	kind, _ := schema.KindByName("weir.stopped")
	for range n {
		noise := make([]byte, size)
		_, _ = rand.Read(noise)
		w.draft.Append(batch.Event{Kind: kind})
		group := w.draft.Columns().WeirStopped
		group.Reason = append(group.Reason, w.draft.Text(noise))
		s, err := w.draft.Seal(w.chain, batch.Times{Boot: time.Unix(1, 0), Sealed: time.Unix(2, 0)})
		if err == nil {
			err = w.spool.Append(s)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) expect(numbers ...string) {
	w.t.Helper()
	if diff := cmp.Diff(numbers, w.brokers.numbers()); diff != "" {
		w.t.Errorf("kafka has: %s", diff)
	}
}

func (w *world) logLines() int { return strings.Count(w.log.String(), "\n") }

// elapse lets time pass, and everything happen that then happens.
func elapse(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	dir := t.TempDir() + "/spool"
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t, dir, &brokers{})) })
}

func TestBatchesArriveInOrderAndLeaveTheSpool(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.append(3, 10)
		w.start()
		synctest.Wait()
		w.append(1, 10)
		synctest.Wait()
		w.expect("1", "2", "3", "4")
		if s := w.spool.Stats(); s.Batches != 0 {
			t.Errorf("the spool still has %d", s.Batches)
		}
		r := w.brokers.have[0]
		id := [16]byte{1}
		if r.Topic != "weir.batches" || r.Partition != kafka.AnyPartition || !bytes.Equal(r.Key, id[:]) || header(r, batch.HeaderKinds) != "weir.stopped" {
			t.Errorf("record: topic %s, partition %d, key %x, headers %q", r.Topic, r.Partition, r.Key, r.Headers)
		}
		if got := w.publisher.State(); !got.Connected || got.Err != nil || got.Published != 4 {
			t.Errorf("state %+v", got)
		}
	})
}

func TestOutageOfHoursIsToldTwice(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.brokers.absent = make(chan struct{})
		w.brokers.ping = errors.New("broker kafka1:9092: connection refused")
		w.append(2, 10)
		w.start()
		elapse(3 * time.Hour)
		if got := w.publisher.State(); got.Connected || !errors.Is(got.Err, w.brokers.ping) || time.Since(got.Since) < 2*time.Hour {
			t.Errorf("state %+v", got)
		}
		if w.logLines() != 1 || !strings.Contains(w.log.String(), "connection refused") {
			t.Errorf("log:\n%s", w.log.String())
		}
		w.append(1, 10)
		close(w.brokers.absent)
		synctest.Wait()
		w.expect("1", "2", "3")
		if w.logLines() != 2 || !strings.Contains(w.log.String(), "after=2h59m55s") {
			t.Errorf("log:\n%s", w.log.String())
		}
	})
}

func TestBrokersThatAnswerAndDoNotAcknowledgeAreToldAsSuch(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.brokers.absent = make(chan struct{})
		w.append(1, 10)
		w.start()
		elapse(time.Minute)
		if got := w.publisher.State(); !errors.Is(got.Err, errNoAck) {
			t.Errorf("state %+v", got)
		}
	})
}

func TestFailuresAreTriedAgainWithPauses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.brokers.answer = func(int, kafka.Record) error { return errors.New("closed") }
		w.append(1, 10)
		w.start()
		elapse(time.Hour)
		if n := w.brokers.attempts; n < 300 || n > 400 {
			t.Errorf("%d attempts in an hour", n)
		}
		w.brokers.mu.Lock()
		w.brokers.answer = nil
		w.brokers.mu.Unlock()
		elapse(lastPause)
		w.expect("1")
	})
}

func TestBatchThatKafkaRefusesForGoodBecomesATombstone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.brokers.answer = func(i int, r kafka.Record) error {
			if len(r.Value) > 10_000 {
				return &kafka.RecordError{Index: i, Topic: r.Topic, Err: fmt.Errorf("%w: \xff says the broker", kafka.ErrTooLarge)}
			}
			return nil
		}
		w.append(1, 10)
		w.append(1, 20_000)
		w.append(1, 10)
		w.start()
		synctest.Wait()
		w.expect("1", "2-2", "3")
		stone, err := batch.Inspect(w.brokers.have[1].Value)
		if err != nil || !stone.Tombstone || stone.Rows[0].Rows != 1 {
			t.Errorf("tombstone %+v, error %v", stone, err)
		}
		behind, err := batch.Inspect(w.brokers.have[2].Value)
		if err != nil || behind.Previous != stone.Hash {
			t.Errorf("the chain is broken behind the tombstone: %v", err)
		}
		if s := w.spool.Stats(); s.Batches != 0 {
			t.Errorf("the spool still has %d", s.Batches)
		}
	})
}

// Nothing may be buried for a permission that is missing.
func TestBatchesWaitForWhatCanBePutRight(t *testing.T) {
	for _, reason := range []error{kafka.ErrUnauthorized, kafka.ErrUnknownTopic, kafka.ErrRefused} {
		bubble(t, func(t *testing.T, w *world) {
			w.brokers.answer = func(i int, r kafka.Record) error { return &kafka.RecordError{Index: i, Topic: r.Topic, Err: reason} }
			w.append(3, 10)
			w.start()
			elapse(time.Hour)
			if got := w.publisher.State(); !errors.Is(got.Err, reason) || w.logLines() != 1 {
				t.Errorf("state %+v, log:\n%s", got, w.log.String())
			}
			w.brokers.mu.Lock()
			w.brokers.answer = nil
			w.brokers.mu.Unlock()
			elapse(lastPause)
			w.expect("1", "2", "3")
		})
	}
}

func TestEvictedBatchesArriveAsOneTombstone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.append(40, 20_000)
		w.start()
		synctest.Wait()
		first, err := batch.Inspect(w.brokers.have[0].Value)
		if err != nil || !first.Tombstone || first.First != 1 {
			t.Fatalf("first record: %+v, error %v", first, err)
		}
		previous := first
		for _, r := range w.brokers.have[1:] {
			next, err := batch.Inspect(r.Value)
			if err != nil || next.First != previous.Last+1 || next.Previous != previous.Hash {
				t.Fatalf("batch %d behind %d: error %v", next.First, previous.Last, err)
			}
			previous = next
		}
		if previous.Last != 40 || w.publisher.State().Tombstones != 1 {
			t.Errorf("last batch %d, %+v", previous.Last, w.publisher.State())
		}
	})
}

func TestStoppedPublisherLeavesTheRestInTheSpool(t *testing.T) {
	dir := t.TempDir() + "/spool"
	b := &brokers{}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir, b)
		w.brokers.absent = make(chan struct{})
		w.append(2, 10)
		w.start()
		synctest.Wait()
		w.stop()
		w.expect()
	})
	b.absent = nil
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, dir, b)
		w.start()
		synctest.Wait()
		w.expect("1", "2")
	})
}
