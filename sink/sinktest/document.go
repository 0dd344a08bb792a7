package sinktest

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/sink"
)

// Document is what the stand-ins hold: members that ECS has too, and texts as the kernel might have them.
type Document struct {
	Timestamp string `json:"@timestamp"`
	Event     Event  `json:"event"`
	Message   string `json:"message"`
}

// Event is the member event of a Document.
type Event struct {
	ID   string `json:"id"`
	Kind string `json:"kind"`
}

// messages are texts that careless plumbing breaks; documents hold them by turns.
func messages() []string {
	return []string{
		"plain",
		`quotes " and \ backslashes \n \u0000`,
		"lines\nand\r\nreturns\u2028\u2029\u0085",
		"\x00\x01\x1b[31m\x7f",
		"wide 漢字 \U0001F980 \uFFFD \u202e",
		`{"create":{"_id":"x"}}`,
		strings.Repeat("long ", 5000),
		"",
	}
}

// standIns renders a batch's rows as Documents.
type standIns struct {
	batch *sink.Batch
	// spoil changes the document of a row; nil leaves all as they are.
	spoil func(row int, document []byte) []byte
}

func (d standIns) document(row int) Document {
	texts := messages()
	return Document{
		Timestamp: d.batch.Time(row).Format("2006-01-02T15:04:05.000000Z07:00"),
		Event:     Event{ID: d.batch.EventID(row).String(), Kind: "event"},
		Message:   texts[row%len(texts)],
	}
}

// Append implements [sink.Documents].
func (d standIns) Append(dst []byte, row batch.Row) []byte {
	text, err := json.Marshal(d.document(row.Index))
	if err != nil {
		panic(err) // a struct of strings has no such error
	}
	if d.spoil != nil {
		text = d.spoil(row.Index, text)
	}
	return append(dst, text...)
}

// expected are the documents of batches by the event's id, without the rows in except.
func expected(batches []*sink.Batch, except ...int) map[string]Document {
	want := map[string]Document{}
	for _, b := range batches {
		for row := range b.Len() {
			d := standIns{batch: b}.document(row)
			want[d.Event.ID] = d
		}
		for _, row := range except {
			delete(want, b.EventID(row).String())
		}
	}
	return want
}

// check compares what the destination has with what was delivered, and whether it has an event twice.
func check(t *testing.T, h Harness, want map[string]Document) {
	t.Helper()
	got := map[string]Document{}
	times := map[string]int{}
	for _, text := range h.Documents(t) {
		var d Document
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("destination has %.200q: %v", text, err)
		}
		got[d.Event.ID] = d
		times[d.Event.ID]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("destination has other documents (-want +got):\n%.4000s", diff)
	}
	for id, n := range times {
		if n > 1 && h.Once {
			t.Errorf("destination has event %s %d times", id, n)
		}
	}
}
