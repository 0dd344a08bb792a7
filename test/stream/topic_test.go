package stream_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"

	"google.golang.org/protobuf/proto"

	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// client returns a client of the stream's Kafka.
func (s *stream) client() *kafka.Client {
	s.t.Helper()
	cfg := kafka.Default()
	cfg.Brokers = s.kafka.Addresses
	c, err := kafka.Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

// topic returns all records of a topic.
func (s *stream) topic(name string) []kafka.Record {
	s.t.Helper()
	c := s.client()
	partitions, err := c.Partitions(s.t.Context(), name)
	if err != nil {
		s.t.Fatal(err)
	}
	var all []kafka.Record
	for _, p := range partitions {
		err := c.ReadAll(s.t.Context(), name, p, func(r kafka.Record) error {
			all = append(all, r)
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return all
}

// rows returns the events of weir.events.
func (s *stream) rows() []event {
	s.t.Helper()
	var events []event
	for _, r := range s.topic(kafka.Events) {
		events = append(events, decode(s.t, r.Value))
	}
	return events
}

// deadLetters returns what is in weir.deadletter.
func (s *stream) deadLetters() []*weirv1.DeadLetter {
	s.t.Helper()
	var letters []*weirv1.DeadLetter
	for _, r := range s.topic(kafka.DeadLetter) {
		letter := &weirv1.DeadLetter{}
		if err := proto.Unmarshal(r.Value, letter); err != nil {
			s.t.Fatal(err)
		}
		letters = append(letters, letter)
	}
	return letters
}

// noDeadLetters fails the test for each.
func (s *stream) noDeadLetters() {
	s.t.Helper()
	for _, l := range s.deadLetters() {
		s.t.Errorf("dead letter of %s/%d/%d in lane %s: %s", l.GetTopic(), l.GetPartition(), l.GetOffset(), l.GetLane(), l.GetReason())
	}
}

// files returns the events of the file lane.
func (s *stream) files() []event {
	s.t.Helper()
	paths, err := filepath.Glob(filepath.Join(s.in("events"), "*.ndjson"))
	if err != nil || len(paths) == 0 {
		s.t.Fatalf("no files in %s: %v", s.in("events"), err)
	}
	var events []event
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		for line := range bytes.Lines(text) {
			events = append(events, decode(s.t, line))
		}
	}
	return events
}
