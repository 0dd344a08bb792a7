package kafka

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// deleteRecords does to a partition what retention does: everything before offset is gone.
func deleteRecords(t *testing.T, cluster *kfake.Cluster, topic string, partition int32, offset int64) {
	t.Helper()
	other := otherClient(t, cluster.ListenAddrs()...)
	request := kmsg.NewPtrDeleteRecordsRequest()
	part := kmsg.NewDeleteRecordsRequestTopicPartition()
	part.Partition, part.Offset = partition, offset
	of := kmsg.NewDeleteRecordsRequestTopic()
	of.Topic, of.Partitions = topic, append(of.Partitions, part)
	request.Topics = append(request.Topics, of)
	response, err := request.RequestWith(t.Context(), other)
	if err != nil || response.Topics[0].Partitions[0].ErrorCode != 0 {
		t.Fatalf("delete records: %v %+v", err, response)
	}
}

// otherClient is a client that is not ours: what ours must get along with.
func otherClient(t *testing.T, addresses ...string) *kgo.Client {
	t.Helper()
	other, err := kgo.NewClient(kgo.SeedBrokers(addresses...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	return other
}
