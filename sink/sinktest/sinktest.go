// Package sinktest is the suite that every sink passes: what the runner and the ledger rely on, asked of the
// real destination.
//
//	func TestConformance(t *testing.T) {
//		sinktest.Run(t, func(t *testing.T) sinktest.Harness { … })
//	}
//
// A sink says what its destination can do; what it cannot do is not asked of it. The package knows nothing
// of any destination. It is promised to outsiders, with the package sink.
package sinktest

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/weirproject/weir/sink"
)

// Harness is one new and empty destination.
type Harness struct {
	// Open opens a sink on the destination. It is called again after that one is closed.
	Open func(t *testing.T) sink.Sink
	// Documents reads back what the destination has, in any order.
	Documents func(t *testing.T) [][]byte
	// Once says that the destination keeps one of an event that it gets twice, and answers Duplicate.
	Once bool
	// Break keeps the destination from taking anything until mend is called. nil: it cannot be broken.
	Break func(t *testing.T) (mend func())
	// Poison makes of a document one that the destination refuses. nil: it takes every document.
	Poison func(document []byte) []byte
}

// prompt is how long a sink may take to notice that it is cancelled.
const prompt = 5 * time.Second

// Run runs the suite, each test on a destination of its own.
func Run(t *testing.T, newHarness func(t *testing.T) Harness) {
	tests := []struct {
		claim string
		needs func(Harness) bool
		test  func(t *testing.T, h Harness)
	}{
		{"every row arrives, byte for byte", always, testEveryRow},
		{"no rows have no verdicts", always, testNoRows},
		{"an event that comes twice is kept as the sink declares", always, testTwice},
		{"partitions deliver at once", always, testPartitions},
		{"close flushes, may be repeated, and the next sink goes on", always, testClose},
		{"a cancelled delivery returns and can be repeated", always, testCancelled},
		{"a refused row has its reason and blocks no other", func(h Harness) bool { return h.Poison != nil }, testRefused},
		{"an outage loses nothing", func(h Harness) bool { return h.Break != nil }, testOutage},
		{"a delivery that waits for the destination can be cancelled", func(h Harness) bool { return h.Break != nil }, testCancelledOutage},
	}
	for _, test := range tests {
		t.Run(test.claim, func(t *testing.T) {
			if h := newHarness(t); test.needs(h) {
				test.test(t, h)
			}
		})
	}
}

func always(Harness) bool { return true }

func testEveryRow(t *testing.T, h Harness) {
	batches := []*sink.Batch{Batch(t, 300), Batch(t, 1), Batch(t, 0), Batch(t, 699)}
	s := open(t, h)
	tallies, err := run(t, s).Deliver(t.Context(), batches, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, tally := range tallies {
		if got := tally.Delivered["process.exit"]; got != uint64(batches[i].Len()) {
			t.Errorf("batch %d: %+v, want %d delivered", i, tally, batches[i].Len())
		}
	}
	closeSink(t, s)
	check(t, h, expected(batches))
}

func testNoRows(t *testing.T, h Harness) {
	s := open(t, h)
	if verdicts, err := s.Deliver(t.Context(), nil); err != nil || len(verdicts) != 0 {
		t.Errorf("verdicts %v, error %v", verdicts, err)
	}
	closeSink(t, s)
	check(t, h, map[string]Document{})
}

func testTwice(t *testing.T, h Harness) {
	b := Batch(t, 20)
	s := open(t, h)
	deliver(t, s, b, all(sink.Accepted))
	again := all(sink.Accepted)
	if h.Once {
		again = all(sink.Duplicate)
	}
	deliver(t, s, b, again)
	closeSink(t, s)
	check(t, h, expected([]*sink.Batch{b}))
}

func testPartitions(t *testing.T, h Harness) {
	s := open(t, h)
	runner := run(t, s)
	var batches []*sink.Batch
	var g errgroup.Group
	for range 4 {
		own := []*sink.Batch{Batch(t, 50), Batch(t, 50), Batch(t, 50)}
		batches = append(batches, own...)
		g.Go(func() error {
			_, err := runner.Deliver(t.Context(), own, nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	closeSink(t, s)
	check(t, h, expected(batches))
}

func testClose(t *testing.T, h Harness) {
	first, second := Batch(t, 10), Batch(t, 10)
	for _, b := range []*sink.Batch{first, second} {
		s := open(t, h)
		deliver(t, s, b, all(sink.Accepted))
		closeSink(t, s)
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	}
	check(t, h, expected([]*sink.Batch{first, second}))
}

func testCancelled(t *testing.T, h Harness) {
	b := Batch(t, 10)
	s := open(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	returns(t, func() { _, _ = s.Deliver(ctx, rows(b)) }) // it may have taken them or not
	if _, err := run(t, s).Deliver(t.Context(), []*sink.Batch{b}, nil); err != nil {
		t.Fatal(err)
	}
	closeSink(t, s)
	check(t, h, expected([]*sink.Batch{b}))
}

func testRefused(t *testing.T, h Harness) {
	b := Batch(t, 10)
	b.Documents = standIns{batch: b, spoil: func(row int, document []byte) []byte {
		if row == 3 || row == 7 {
			return h.Poison(document)
		}
		return document
	}}
	s := open(t, h)
	deliver(t, s, b, func(row int) sink.State {
		if row == 3 || row == 7 {
			return sink.Refused
		}
		return sink.Accepted
	})
	closeSink(t, s)
	check(t, h, expected([]*sink.Batch{b}, 3, 7))
}

func testOutage(t *testing.T, h Harness) {
	first, second := Batch(t, 100), Batch(t, 100)
	s := &watched{Sink: open(t, h)}
	runner := run(t, s)
	if _, err := runner.Deliver(t.Context(), []*sink.Batch{first}, nil); err != nil {
		t.Fatal(err)
	}
	mend := h.Break(t)
	var g errgroup.Group
	g.Go(func() error {
		_, err := runner.Deliver(t.Context(), []*sink.Batch{second}, nil)
		return err
	})
	s.awaitTrouble(t)
	mend()
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	closeSink(t, s)
	check(t, h, expected([]*sink.Batch{first, second}))
}

func testCancelledOutage(t *testing.T, h Harness) {
	b := Batch(t, 10)
	s := &watched{Sink: open(t, h)}
	runner := run(t, s)
	mend := h.Break(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := runner.Deliver(ctx, []*sink.Batch{b}, nil)
		done <- err
	}()
	s.awaitTrouble(t)
	cancel()
	returns(t, func() {
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("error %v, want that of the context", err)
		}
	})
	mend()
	if _, err := runner.Deliver(t.Context(), []*sink.Batch{b}, nil); err != nil {
		t.Fatal(err)
	}
	closeSink(t, s)
	check(t, h, expected([]*sink.Batch{b}))
}

// watched is a sink that is seen to be in trouble: it waits, or has told that it could not deliver.
type watched struct {
	sink.Sink
	begun, ended, failed atomic.Int64
}

func (w *watched) Deliver(ctx context.Context, rows []sink.Row) ([]sink.Verdict, error) {
	w.begun.Add(1)
	defer w.ended.Add(1)
	verdicts, err := w.Sink.Deliver(ctx, rows)
	if err != nil || len(verdicts) > 0 && verdicts[0].State == sink.Retry {
		w.failed.Add(1)
	}
	return verdicts, err
}

// awaitTrouble returns once two attempts have failed, or one has waited for half a second.
func (w *watched) awaitTrouble(t *testing.T) {
	t.Helper()
	var since time.Time
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if w.failed.Load() >= 2 {
			return
		}
		if w.begun.Load() == w.ended.Load() {
			since = time.Time{}
		} else if since.IsZero() {
			since = time.Now()
		} else if time.Since(since) > 500*time.Millisecond {
			return
		}
	}
	t.Fatal("the broken destination takes events")
}

func open(t *testing.T, h Harness) sink.Sink {
	t.Helper()
	s := h.Open(t)
	t.Cleanup(func() { _ = s.Close() }) // of a test that failed before
	return s
}

func closeSink(t *testing.T, s sink.Sink) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// run returns a runner that is impatient, and fails the test for a refused row.
func run(t *testing.T, s sink.Sink) *sink.Runner {
	cfg := sink.RunnerConfig{RequestEvents: 128, RetryFirst: time.Millisecond, RetryLongest: 100 * time.Millisecond}
	dead := func(_ context.Context, rows []sink.DeadRow) error {
		t.Errorf("%d rows refused: %s", len(rows), rows[0].Reason)
		return nil
	}
	return sink.NewRunner("test", s, cfg, dead, slog.New(slog.NewTextHandler(t.Output(), nil)), sink.NewMetrics(prometheus.NewRegistry()))
}

func rows(b *sink.Batch) []sink.Row {
	var list []sink.Row
	for row := range b.Rows() {
		list = append(list, row)
	}
	return list
}

func all(s sink.State) func(int) sink.State { return func(int) sink.State { return s } }

// deliver hands all rows to the sink at once and compares the states of the verdicts.
func deliver(t *testing.T, s sink.Sink, b *sink.Batch, want func(row int) sink.State) {
	t.Helper()
	verdicts, err := s.Deliver(t.Context(), rows(b))
	if err != nil {
		t.Fatal(err)
	}
	got, expect := make([]sink.State, len(verdicts)), make([]sink.State, b.Len())
	for i, v := range verdicts {
		got[i] = v.State
		if (v.State == sink.Refused || v.State == sink.Retry) && v.Reason == "" {
			t.Errorf("verdict %d has no reason: %+v", i, v)
		}
	}
	for i := range expect {
		expect[i] = want(i)
	}
	if diff := cmp.Diff(expect, got); diff != "" {
		t.Fatalf("states of the verdicts (-want +got):\n%s%+v", diff, verdicts)
	}
}

// returns fails the test if f takes long.
func returns(t *testing.T, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if took := time.Since(start); took > prompt {
		t.Errorf("returned after %s, want at most %s", took, prompt)
	}
}
