package ecs_test

import (
	"encoding/json"
	"testing"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/schema/ecs"
)

// usual is a batch of 1,000 events as hosts make them: 50 short processes, each with exec, three connections
// and exit, and so on.
func usual(t testing.TB) *batch.Batch {
	s := newSample()
	for i := range 200 {
		s.curl = s.AddProcess(batch.ProcessEntry{
			Key:        schema.ProcessKey{TGID: schema.TGID(2000 + i), Start: schema.BootTime(90_000_000 + i), Exec: 4},
			Parent:     s.shell,
			Executable: []byte("/usr/bin/curl"),
			Arguments:  []byte("curl\x00--silent\x00--output\x00/dev/null\x00https://example.org/\x00"),
			Comm:       []byte("curl"), LoginUIDPlus1: 1001, AuditPlus1: 4, TTY: 136<<20 | 2, SessionLeader: 1200,
		})
		samples[schema.ProcessExec](s)
		samples[schema.NetworkConnect](s)
		samples[schema.NetworkConnect](s)
		samples[schema.NetworkClose](s)
		samples[schema.ProcessExit](s)
	}
	return s.read(t)
}

// BenchmarkDocuments encodes 1,000 events: by this package, and beside it by encoding/json from structs and
// from maps that hold the same content already.
func BenchmarkDocuments(b *testing.B) {
	events := usual(b)
	e := encoder(b)
	b.Run("weir", func(b *testing.B) { benchmarkEncoder(b, e, events) })
	structs, maps := decoded(b, e, events)
	b.Run("struct", func(b *testing.B) { benchmarkJSON(b, structs) })
	b.Run("map", func(b *testing.B) { benchmarkJSON(b, maps) })
}

func benchmarkEncoder(b *testing.B, e *ecs.Encoder, events *batch.Batch) {
	var dst []byte
	enrichment := known(events.Len())
	b.ReportAllocs()
	bytes := 0
	for b.Loop() {
		bytes = 0
		documents := e.Batch(events, enrichment)
		for row := range events.Rows() {
			dst = documents.Append(dst[:0], row)
			bytes += len(dst)
		}
		documents.Release()
	}
	report(b, events.Len(), bytes)
}

func benchmarkJSON[T any](b *testing.B, documents []T) {
	b.ReportAllocs()
	bytes := 0
	for b.Loop() {
		bytes = 0
		for i := range documents {
			line, err := json.Marshal(&documents[i])
			if err != nil {
				b.Fatal(err)
			}
			bytes += len(line)
		}
	}
	report(b, len(documents), bytes)
}

func report(b *testing.B, events, bytes int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(events), "ns/event")
	b.ReportMetric(float64(bytes)/float64(events), "bytes/event")
}

// decoded returns the documents of a batch as Go values.
func decoded(b *testing.B, e *ecs.Encoder, events *batch.Batch) (structs []document, maps []map[string]any) {
	documents := e.Batch(events, known(events.Len()))
	for row := range events.Rows() {
		line := documents.Append(nil, row)
		var d document
		var m map[string]any
		if err := json.Unmarshal(line, &d); err != nil {
			b.Fatal(err)
		}
		if err := json.Unmarshal(line, &m); err != nil {
			b.Fatal(err)
		}
		structs, maps = append(structs, d), append(maps, m)
	}
	return structs, maps
}
