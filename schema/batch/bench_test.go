package batch_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/weirproject/weir/schema/batch"
)

var batchSizes = []int{10, 50, 100, 1000}

// traced is one event of the trace.
type traced struct {
	b   *batch.Batch
	row batch.Row
}

func tracedRows(t testing.TB) []traced {
	var all []traced
	for _, b := range loadTrace(t) {
		for row := range b.Rows() {
			if row.Kind != nil {
				all = append(all, traced{b, row})
			}
		}
	}
	return all
}

// form is one way to turn events into compressed bytes, a batch at a time.
type form interface {
	add(traced)
	// close returns the bytes of the batch, which are good until the next add.
	close(testing.TB) int
}

// columns is the form of this package: filled, sealed, signed.
type columns struct {
	refiller
	chain  *batch.Chain
	record []byte
}

func newColumns() *columns {
	return &columns{refiller: refiller{d: batch.NewDraft(header(), batch.Limits{})}, chain: batch.NewChain(key, run)}
}

func (c *columns) add(e traced) {
	if c.source != e.b {
		c.use(e.b)
	}
	c.row(e.row)
}

func (c *columns) close(t testing.TB) int {
	c.record = mustSeal(t, c.d, c.chain).Record
	return len(c.record)
}

// compressed is what the other forms share: bytes that go through zstd level 1.
type compressed struct {
	raw, packed []byte
	encoder     *zstd.Encoder
}

func newCompressed(t testing.TB) compressed {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return compressed{encoder: e}
}

func (c *compressed) close(testing.TB) int {
	c.packed = c.encoder.EncodeAll(c.raw, c.packed[:0])
	c.raw = c.raw[:0]
	return len(c.packed)
}

// rows are protobuf messages, one an event, each behind its length; they are made before the clock runs.
type rows struct {
	compressed
	messages map[traced]message
}

func newRows(t testing.TB, events []traced) *rows {
	r := &rows{compressed: newCompressed(t), messages: map[traced]message{}}
	for _, e := range events {
		r.messages[e] = newRow(e.b, e.row)
	}
	return r
}

func (r *rows) add(e traced) {
	m := r.messages[e]
	r.raw = m.append(protowire.AppendVarint(r.raw, uint64(m.size())))
}

// lines are ECS JSON, one document an event; their values are made before the clock runs.
type lines struct {
	compressed
	documents map[traced]*document
}

func (l *lines) add(e traced) {
	b, err := json.Marshal(l.documents[e])
	if err != nil {
		panic(err)
	}
	l.raw = append(append(l.raw, b...), '\n')
}

func newLines(t testing.TB, events []traced) *lines {
	l := &lines{compressed: newCompressed(t), documents: map[traced]*document{}}
	for _, e := range events {
		l.documents[e] = newDocument(e.b, e.row)
	}
	return l
}

// encodeAll takes the events through a form, size a batch, and returns the bytes of all batches.
func encodeAll(t testing.TB, f form, events []traced, size int) int {
	total := 0
	for i, e := range events {
		f.add(e)
		if (i+1)%size == 0 || i == len(events)-1 {
			total += f.close(t)
		}
	}
	return total
}

// TestTheBatchIsSmall holds the promise of docs/format/batch.md on the trace.
func TestTheBatchIsSmall(t *testing.T) {
	events := tracedRows(t)
	const size = 1000
	batched := encodeAll(t, newColumns(), events, size)
	for _, c := range []struct {
		name  string
		form  form
		share float64
	}{
		{"protobuf rows", newRows(t, events), 0.55},
		{"NDJSON", newLines(t, events), 0.30},
	} {
		other := encodeAll(t, c.form, events, size)
		share := float64(batched) / float64(other)
		t.Logf("%s: %.1f of %.1f bytes an event: %.2f", c.name,
			float64(batched)/float64(len(events)), float64(other)/float64(len(events)), share)
		if share > c.share {
			t.Errorf("a batch of %d takes %.2f of the bytes of %s, at most %.2f", size, share, c.name, c.share)
		}
	}
}

// BenchmarkBatch compares the form of this package, from looking up each text to the signature, with others.
func BenchmarkBatch(b *testing.B) {
	events := tracedRows(b)
	forms := []struct {
		name string
		form form
	}{
		{"columns", newColumns()},
		{"protobuf rows", newRows(b, events)},
		{"encoding json", newLines(b, events)},
	}
	for _, size := range batchSizes {
		for _, f := range forms {
			b.Run(fmt.Sprintf("%s/%d", f.name, size), func(b *testing.B) {
				b.ReportAllocs()
				total := 0
				for b.Loop() {
					total = encodeAll(b, f.form, events, size)
				}
				report(b, len(events))
				b.ReportMetric(float64(total)/float64(len(events)), "B/event")
			})
		}
	}
}

// BenchmarkRead reads what BenchmarkBatch sealed. Its bound is to verify and to inflate, and nothing else.
func BenchmarkRead(b *testing.B) {
	events := tracedRows(b)
	for _, size := range batchSizes {
		records := sealAll(b, events, size)
		b.Run(fmt.Sprint("columns/", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, record := range records {
					mustRead(b, record)
				}
			}
			report(b, len(records)*size)
		})
		b.Run(fmt.Sprint("bound/", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, record := range records {
					if err := batch.VerifyAndInflate(record); err != nil {
						b.Fatal(err)
					}
				}
			}
			report(b, len(records)*size)
		})
	}
}

// sealAll returns the events in records of a size; what does not fill one is left out.
func sealAll(t testing.TB, events []traced, size int) [][]byte {
	var records [][]byte
	c := newColumns()
	for i, e := range events {
		c.add(e)
		if (i+1)%size == 0 {
			c.close(t)
			records = append(records, c.record)
		}
	}
	return records
}

// A draft that is as large as it gets takes events without allocating, whatever they name.
func TestFillingAllocatesNothing(t *testing.T) {
	events := tracedRows(t)[:1000]
	c := newColumns()
	fillOnce := func() {
		for _, e := range events {
			c.add(e)
		}
		c.d.Reset()
	}
	fillOnce()
	if n := testing.AllocsPerRun(5, fillOnce); n > 0 {
		t.Errorf("%v allocations for %d events", n, len(events))
	}
}

// report tells time and allocations by event; each loop of the benchmark took that many.
func report(b *testing.B, events int) {
	perEvent := float64(b.Elapsed()) / float64(time.Nanosecond) / float64(b.N) / float64(events)
	b.ReportMetric(perEvent, "ns/event")
}
