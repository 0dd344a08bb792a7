package sink_test

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/sinktest"
)

// taker is the least that a destination can do.
type taker struct{ verdicts []sink.Verdict }

func (k taker) Deliver(_ context.Context, rows []sink.Row) ([]sink.Verdict, error) {
	return k.verdicts[:len(rows)], nil
}

func (taker) Close() error { return nil }

// BenchmarkRunner is what the runner itself costs.
func BenchmarkRunner(b *testing.B) {
	cfg := sink.DefaultRunnerConfig()
	k := taker{make([]sink.Verdict, cfg.RequestEvents)}
	for i := range k.verdicts {
		k.verdicts[i].State = sink.Accepted
	}
	r := sink.NewRunner("bench", k, cfg, (&graveyard{}).bury, discard(), sink.NewMetrics(prometheus.NewRegistry()))
	batches := []*sink.Batch{sinktest.Batch(b, 1000)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.Deliver(b.Context(), batches, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}
