package enrich

import (
	"strings"
	"testing"

	"github.com/weirproject/weir/internal/kafka"
)

func TestMissingTopicsAreMadeWithThePartitionsThatBatchesHas(t *testing.T) {
	s := newStage(t) // has all topics, with two partitions
	if err := prepare(t.Context(), s.client, Topics{Partitions: 12, Retention: kafka.DefaultLayout().Retention}, s.log()); err != nil {
		t.Error(err)
	}
}

func TestTopicsWhosePartitionsDifferAreRefused(t *testing.T) {
	s := emptyStage(t)
	one := kafka.DefaultLayout()
	one.Partitions = 1
	topics := kafka.Topics(one)
	for i := range topics {
		if topics[i].Name == kafka.Hosts {
			topics[i].Partitions = 3
		}
	}
	if err := s.client.EnsureTopics(t.Context(), topics); err != nil {
		t.Fatal(err)
	}
	err := prepare(t.Context(), s.client, Topics{Partitions: 12, Retention: one.Retention}, s.log())
	if err == nil || !strings.Contains(err.Error(), "topic weir.hosts has 3 partitions, weir.batches has 1") {
		t.Errorf("it is taken: %v", err)
	}
}
