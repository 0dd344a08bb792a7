package enrich

import (
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirproject/weir/enrich/books"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/internal/telemetry"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// BenchmarkEnrich is what an event costs on its way through a partition: the record is verified, read,
// entered, joined and made a record of weir.enriched. The bound beside it verifies and reads alone.
func BenchmarkEnrich(b *testing.B) {
	const rows = 1000
	machine := newHost(b, "web")
	records := make([]kafka.Record, 64)
	for i := range records {
		records[i] = machine.batch(rows)
		records[i].Offset = int64(i)
	}
	perEvent := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/event")
	}
	b.Run("bound", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			if _, err := batch.Read(records[i%len(records)].Value, batch.DefaultReadLimits()); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b)
	})
	b.Run("partition", func(b *testing.B) {
		p := bare(b)
		for i := 0; b.Loop(); i++ {
			if i%len(records) == 0 {
				p.books = books.New()
			}
			p.out.records = p.out.records[:0]
			if err := p.take(b.Context(), records[i%len(records)]); err != nil {
				b.Fatal(err)
			}
		}
		perEvent(b)
	})
}

// bare returns a partition that is connected to nothing.
func bare(b *testing.B) *partition {
	e, err := New(Default(nil), Deps{
		Header: &weirv1.Header{}, Registry: prometheus.NewRegistry(), Health: telemetry.NewHealth(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	return &partition{enricher: e, topic: kafka.Batches, books: books.New(), out: outbox{changed: map[schema.HostID]struct{}{}}}
}
