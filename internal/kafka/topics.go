package kafka

import (
	"strconv"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"github.com/weirproject/weir/internal/config"
)

// The topics of the stream.
const (
	Batches    = "weir.batches"    // SealedBatch by host id
	Enriched   = "weir.enriched"   // EnrichedBatch by host id, on the partition of its batch
	Events     = "weir.events"     // one ECS JSON event a record, by host id
	DeadLetter = "weir.deadletter" // what was refused, with reason and origin
	Hosts      = "weir.hosts"      // HostBalance by host id, compacted
	Instances  = "weir.instances"  // Instance by id@valid_from, compacted
	Deploys    = "weir.deploys"    // Deploy by id@valid_from, compacted
)

// Topic is a topic as it is created or checked.
type Topic struct {
	Name       string
	Partitions int // as many as the batches have, where keys must meet
	Replicas   int // 0 leaves it to the cluster
	Config     map[string]string
}

// Layout is how much of a cluster the topics take.
type Layout struct {
	Partitions int
	Replicas   int           // 0 leaves it to the cluster
	Retention  time.Duration // of the stream; dead letters stay four times as long
	// PartitionBytes bounds one partition of the stream on disk; 0 leaves it to Retention alone.
	PartitionBytes config.Size
}

// DefaultLayout suits a cluster of a few brokers.
func DefaultLayout() Layout {
	return Layout{Partitions: 12, Retention: 72 * time.Hour}
}

// Sizes of one record, by topic. What the collector seals fits with room; an enriched or refused batch is
// larger than the batch in it, and must never be too large for its topic because of that.
const maxBatchRecord, maxEnvelopeRecord = 4 * config.MiB, 8 * config.MiB

// Topics lists all topics of the stream. Records are stored without Kafka's compression whatever their
// producer did: what is in them is compressed already, and readers bound their memory by their size.
func Topics(l Layout) []Topic {
	return []Topic{
		brokerTimed(l.stream(Batches, l.Retention, maxBatchRecord)),
		l.stream(Enriched, l.Retention, maxEnvelopeRecord),
		l.stream(Events, l.Retention, maxBatchRecord),
		l.stream(DeadLetter, 4*l.Retention, maxEnvelopeRecord),
		l.compacted(Hosts),
		l.compacted(Instances),
		l.compacted(Deploys),
	}
}

func (l Layout) stream(name string, retention time.Duration, record config.Size) Topic {
	t := l.topic(name, record)
	t.Config["cleanup.policy"] = "delete"
	t.Config["retention.ms"] = strconv.FormatInt(retention.Milliseconds(), 10)
	if l.PartitionBytes > 0 {
		t.Config["retention.bytes"] = strconv.FormatUint(uint64(l.PartitionBytes), 10)
		// Whole segments are deleted, never the one that is written to.
		t.Config["segment.bytes"] = strconv.FormatUint(uint64(max(l.PartitionBytes/8, config.MiB)), 10)
	}
	return t
}

// brokerTimed has records carry the broker's time in place of their producer's: a host's silence, and how
// wrong its clock is, cannot be told by that clock.
func brokerTimed(t Topic) Topic {
	t.Config["message.timestamp.type"] = "LogAppendTime"
	return t
}

func (l Layout) compacted(name string) Topic {
	t := l.topic(name, config.MiB)
	t.Config["cleanup.policy"] = "compact"
	return t
}

func (l Layout) topic(name string, record config.Size) Topic {
	t := Topic{Name: name, Partitions: l.Partitions, Replicas: l.Replicas, Config: map[string]string{
		"compression.type":  "uncompressed",
		"max.message.bytes": strconv.FormatUint(uint64(record), 10),
	}}
	if l.Replicas >= 3 {
		t.Config["min.insync.replicas"] = "2"
	}
	return t
}

// partition returns where records with this key go among partitions of these numbers: murmur2, as Java's
// client does it.
func partition(key []byte, ids []int) int {
	return kafkago.Murmur2Balancer{Consistent: true}.Balance(kafkago.Message{Key: key}, ids...)
}

// sequence returns 0 … n-1.
func sequence(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
