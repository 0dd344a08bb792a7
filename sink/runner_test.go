package sink_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/sinktest"
)

// script is a sink that says what it is told to: one step an attempt, and Accepted to everything behind
// the last step.
type script struct {
	steps    []step
	attempts []attempt
	start    time.Time
}

type step func(rows []sink.Row) ([]sink.Verdict, error)

type attempt struct {
	At   time.Duration // since the start
	Rows int
}

func (s *script) Deliver(_ context.Context, rows []sink.Row) ([]sink.Verdict, error) {
	s.attempts = append(s.attempts, attempt{time.Since(s.start), len(rows)})
	if len(s.steps) == 0 {
		return slices.Repeat([]sink.Verdict{{State: sink.Accepted}}, len(rows)), nil
	}
	next := s.steps[0]
	s.steps = s.steps[1:]
	return next(rows)
}

func (s *script) Close() error { return nil }

func fails(text string) step {
	return func([]sink.Row) ([]sink.Verdict, error) { return nil, errors.New(text) }
}

func says(verdicts ...sink.Verdict) step {
	return func([]sink.Row) ([]sink.Verdict, error) { return verdicts, nil }
}

// graveyard keeps what is put aside.
type graveyard struct {
	rows []sink.DeadRow
	errs []error // of the next calls
}

func (g *graveyard) bury(_ context.Context, rows []sink.DeadRow) error {
	if len(g.errs) > 0 {
		err := g.errs[0]
		g.errs = g.errs[1:]
		return err
	}
	g.rows = append(g.rows, rows...)
	return nil
}

// config has certain waits but for jitter: 1 s, then 2 s, then 4 s.
func config(requestEvents int) sink.RunnerConfig {
	return sink.RunnerConfig{RequestEvents: requestEvents, RetryFirst: time.Second, RetryLongest: 4 * time.Second}
}

func newRunner(s *script, cfg sink.RunnerConfig, g *graveyard, log *slog.Logger) *sink.Runner {
	s.start = time.Now()
	return sink.NewRunner("test", s, cfg, g.bury, log, sink.NewMetrics(prometheus.NewRegistry()))
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func tally(delivered, duplicate, dead, filtered uint64) sink.Tally {
	counts := func(n uint64) sink.Counts {
		if n == 0 {
			return sink.Counts{}
		}
		return sink.Counts{"process.exit": n}
	}
	return sink.Tally{Delivered: counts(delivered), Duplicate: counts(duplicate), DeadLettered: counts(dead), Filtered: counts(filtered)}
}

func TestRequestsSpanBatchesAndHoldAtMostSoManyRows(t *testing.T) {
	s := &script{}
	r := newRunner(s, config(4), &graveyard{}, discard())
	tallies, err := r.Deliver(t.Context(), []*sink.Batch{sinktest.Batch(t, 3), sinktest.Batch(t, 0), sinktest.Batch(t, 6)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sink.Tally{tally(3, 0, 0, 0), tally(0, 0, 0, 0), tally(6, 0, 0, 0)}, tallies); diff != "" {
		t.Error(diff)
	}
	var sizes []int
	for _, a := range s.attempts {
		sizes = append(sizes, a.Rows)
	}
	if diff := cmp.Diff([]int{4, 4, 1}, sizes); diff != "" {
		t.Error(diff)
	}
}

func TestRowsThatTheLaneIsNotForAreCountedAndNotSent(t *testing.T) {
	s := &script{}
	r := newRunner(s, config(10), &graveyard{}, discard())
	even := 0
	tallies, err := r.Deliver(t.Context(), []*sink.Batch{sinktest.Batch(t, 5)}, func(sink.Row) bool { even++; return even%2 == 0 })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]sink.Tally{tally(2, 0, 0, 3)}, tallies); diff != "" {
		t.Error(diff)
	}
}

func TestOnlyRowsWithoutFinalVerdictAreOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{
			says(sink.Verdict{State: sink.Accepted}, sink.Verdict{State: sink.Retry, Reason: "busy", After: time.Minute},
				sink.Verdict{State: sink.Duplicate}, sink.Verdict{State: sink.Refused, Reason: "no mapping"}),
			says(sink.Verdict{State: sink.Duplicate}),
		}}
		g := &graveyard{}
		b := sinktest.Batch(t, 4)
		tallies, err := newRunner(s, config(10), g, discard()).Deliver(t.Context(), []*sink.Batch{b}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]sink.Tally{tally(1, 2, 1, 0)}, tallies); diff != "" {
			t.Error(diff)
		}
		if len(s.attempts) != 2 || s.attempts[1].Rows != 1 {
			t.Fatalf("attempts %v, want the whole request and then one row", s.attempts)
		}
		if at := s.attempts[1].At; at < time.Minute || at > time.Minute+time.Second {
			t.Errorf("second attempt after %s, want what the destination asked for", at)
		}
		refused := slices.Collect(b.Rows())[3]
		want := []sink.DeadRow{{Row: refused, EventID: refused.ID(), Document: refused.Document(nil), Reason: "no mapping"}}
		if len(g.rows) != 1 || g.rows[0].Reason != want[0].Reason || string(g.rows[0].Document) != string(want[0].Document) ||
			g.rows[0].EventID != want[0].EventID || g.rows[0].Row.Batch.Origin != b.Origin {
			t.Errorf("dead letters %+v, want %+v", g.rows, want)
		}
	})
}

func TestWholeRequestsAreRetriedWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: slices.Repeat([]step{fails("connection refused")}, 1000)}
		tallies, err := newRunner(s, config(10), &graveyard{}, discard()).Deliver(t.Context(), []*sink.Batch{sinktest.Batch(t, 7)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]sink.Tally{tally(7, 0, 0, 0)}, tallies); diff != "" {
			t.Error(diff)
		}
		for i, a := range s.attempts[1:] {
			if gap := a.At - s.attempts[i].At; gap > 4*time.Second || gap < time.Second/2 {
				t.Fatalf("wait %d was %s, want 0.5s to 4s", i, gap)
			}
		}
	})
}

func TestAnOutageIsLoggedOnceAndItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
		s := &script{steps: append(slices.Repeat([]step{fails("connection refused")}, 100), slices.Repeat([]step{fails("401")}, 100)...)}
		if _, err := newRunner(s, config(10), &graveyard{}, log).Deliver(t.Context(), []*sink.Batch{sinktest.Batch(t, 1)}, nil); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != 3 || !strings.Contains(lines[0], `"connection refused"`) || !strings.Contains(lines[1], "reason=401") || !strings.Contains(lines[2], "again") {
			t.Errorf("log:\n%s", out.String())
		}
	})
}

func TestOneFailedAttemptIsNoNews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		s := &script{steps: []step{fails("connection reset by peer")}}
		if _, err := newRunner(s, config(10), &graveyard{}, slog.New(slog.NewTextHandler(&out, nil))).Deliver(t.Context(), []*sink.Batch{sinktest.Batch(t, 1)}, nil); err != nil {
			t.Fatal(err)
		}
		if out.Len() > 0 {
			t.Errorf("log: %s", out.String())
		}
	})
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey || a.Key == "since" {
		return slog.Attr{}
	}
	return a
}

func TestCancelEndsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		s := &script{steps: slices.Repeat([]step{fails("connection refused")}, 1000)}
		start := time.Now()
		tallies, err := newRunner(s, config(10), &graveyard{}, discard()).Deliver(ctx, []*sink.Batch{sinktest.Batch(t, 1)}, nil)
		if !errors.Is(err, context.DeadlineExceeded) || tallies != nil {
			t.Errorf("tallies %v, error %v", tallies, err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("returned after %s, want 3s", took)
		}
	})
}

func TestRefusedRowsWaitForTheDeadLetters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{steps: []step{says(sink.Verdict{State: sink.Refused, Reason: "no"})}}
		g := &graveyard{errs: []error{errors.New("broker away"), errors.New("broker away")}}
		tallies, err := newRunner(s, config(10), g, discard()).Deliver(t.Context(), []*sink.Batch{sinktest.Batch(t, 1)}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]sink.Tally{tally(0, 0, 1, 0)}, tallies); diff != "" {
			t.Error(diff)
		}
		if len(g.rows) != 1 {
			t.Errorf("%d dead letters, want 1", len(g.rows))
		}
	})
}

func TestRunnerConfigNamesEveryFault(t *testing.T) {
	if err := sink.DefaultRunnerConfig().Validate(); err != nil {
		t.Error(err)
	}
	err := sink.RunnerConfig{RetryFirst: -1, RetryLongest: -2}.Validate()
	for _, key := range []string{"request_events", "retry_first", "retry_longest"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("no fault names %s: %v", key, err)
		}
	}
}
