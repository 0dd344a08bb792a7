package sink_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/sinktest"
)

// heavy are documents of 300 KiB each.
type heavy struct{}

func (heavy) Append(dst []byte, _ batch.Row) []byte { return append(dst, make([]byte, 300<<10)...) }

func TestRefusedEventsArePutAsideAFewAtATime(t *testing.T) {
	b := sinktest.Batch(t, 10)
	b.Documents = heavy{}
	refuseAll := func(rows []sink.Row) ([]sink.Verdict, error) {
		verdicts := make([]sink.Verdict, len(rows))
		for i := range verdicts {
			verdicts[i] = sink.Verdict{State: sink.Refused, Reason: "no"}
		}
		return verdicts, nil
	}
	aside := 0
	dead := func(_ context.Context, rows []sink.DeadRow) error {
		bytes := 0
		for _, r := range rows {
			bytes += len(r.Document)
		}
		if bytes == 0 || bytes > 2<<20 {
			t.Errorf("%d bytes of documents at once", bytes)
		}
		aside += len(rows)
		return nil
	}
	r := sink.NewRunner("test", &script{steps: []step{refuseAll}}, config(1000), dead, discard(), sink.NewMetrics(prometheus.NewRegistry()))
	tallies, err := r.Deliver(t.Context(), []*sink.Batch{b}, nil)
	if err != nil || aside != 10 || tallies[0].DeadLettered["process.exit"] != 10 {
		t.Errorf("%d put aside, tally %+v, %v", aside, tallies, err)
	}
}

func TestEventsThatNameLongTextsMakeSmallRequests(t *testing.T) {
	b := sinktest.Batch(t, 1000)
	b.Proto().Dictionary = &weirv1.Dictionary{Size: []uint32{64 << 10}}
	s := &script{}
	if _, err := newRunner(s, config(1000), &graveyard{}, discard()).Deliver(t.Context(), []*sink.Batch{b}, nil); err != nil {
		t.Fatal(err)
	}
	for _, a := range s.attempts {
		if a.Rows > 128 {
			t.Errorf("a request of %d rows, each of which may name half a MiB of text", a.Rows)
		}
	}
}
