package enrich

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// idsOf returns the ids of a record's events.
func idsOf(t *testing.T, r kafka.Record) (ids []schema.EventID) {
	t.Helper()
	b, _, err := batch.ReadEnriched(r.Value, batch.DefaultReadLimits())
	if err != nil {
		t.Fatal(err)
	}
	for row := range b.Rows() {
		ids = append(ids, b.EventID(row.Index))
	}
	return ids
}

// retain does to a topic what retention does: of each partition that has records, the first n go.
func (s *stage) retain(topic string, n int64) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.ListenAddrs()...))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	for p := range partitions {
		end, err := s.client.End(s.t.Context(), topic, p)
		if err != nil {
			s.t.Fatal(err)
		}
		part := kmsg.NewDeleteRecordsRequestTopicPartition()
		part.Partition, part.Offset = int32(p), min(n, end)
		of := kmsg.NewDeleteRecordsRequestTopic()
		of.Topic, of.Partitions = topic, append(of.Partitions, part)
		request := kmsg.NewPtrDeleteRecordsRequest()
		request.Topics = append(request.Topics, of)
		response, err := request.RequestWith(s.t.Context(), client)
		if err != nil || response.Topics[0].Partitions[0].ErrorCode != 0 {
			s.t.Fatalf("delete records: %v %+v", err, response)
		}
	}
}
