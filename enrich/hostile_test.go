package enrich

import (
	"testing"

	"github.com/weirproject/weir/internal/kafka"
)

// TestARecordWithHeadersThatAreNoTextIsPutAside has names and values of Kafka headers that protobuf does not
// take as text.
func TestARecordWithHeadersThatAreNoTextIsPutAside(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	garbage, good := h.batch(1), h.batch(1)
	garbage.Value = []byte("no batch")
	garbage.Headers = []kafka.Header{{Key: "\xff", Value: []byte("\xfe")}}
	s.produce(garbage, good)
	s.play()
	want(t, "enriched", []string{"web/2-2 none", "gap: gap 1-1"}, s.enriched())
	want(t, "dead letters", 1, len(s.deadLetters()))
}
