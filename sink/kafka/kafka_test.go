package kafka

import (
	"context"
	"encoding/hex"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/sinktest"
)

const partitions = 3

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		cluster := newCluster(t)
		return sinktest.Harness{
			Open: func(t *testing.T) sink.Sink { return open(t, cluster) },
			Documents: func(t *testing.T) [][]byte {
				var documents [][]byte
				for _, r := range read(t, cluster) {
					documents = append(documents, r.Value)
				}
				return documents
			},
			Break: func(*testing.T) func() { return hang(cluster) },
			Poison: func(document []byte) []byte {
				return append(document[:len(document)-1], `,"padding":"`+strings.Repeat("x", 2<<20)+`"}`...)
			},
		}
	})
}

func newCluster(t *testing.T) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, kafka.Events))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

// hang makes every produce request fail as one does whose leader has gone, until mend is called.
func hang(cluster *kfake.Cluster) (mend func()) {
	var mended atomic.Bool
	cluster.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if mended.Load() {
			return nil, nil, false
		}
		cluster.KeepControl()
		response := request.ResponseKind().(*kmsg.ProduceResponse)
		for _, topic := range request.(*kmsg.ProduceRequest).Topics {
			of := kmsg.NewProduceResponseTopic()
			of.Topic, of.TopicID = topic.Topic, topic.TopicID
			for _, p := range topic.Partitions {
				part := kmsg.NewProduceResponseTopicPartition()
				part.Partition, part.ErrorCode = p.Partition, 6 // NOT_LEADER_OR_FOLLOWER
				of.Partitions = append(of.Partitions, part)
			}
			response.Topics = append(response.Topics, of)
		}
		return response, nil, true
	})
	return func() { mended.Store(true) }
}

func open(t *testing.T, cluster *kfake.Cluster) sink.Sink {
	t.Helper()
	cfg := Default()
	cfg.Brokers = cluster.ListenAddrs()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := cfg.Open(t.Context(), sink.Env{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func read(t *testing.T, cluster *kfake.Cluster) []kafka.Record {
	t.Helper()
	cfg := kafka.Default()
	cfg.Brokers = cluster.ListenAddrs()
	client, err := kafka.Open(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []kafka.Record
	for p := range partitions {
		err := client.ReadAll(t.Context(), kafka.Events, p, func(r kafka.Record) error {
			records = append(records, r)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return records
}

// partitionOf says where Java's client puts records with this key.
func partitionOf(key []byte) int {
	numbers := make([]int, partitions)
	for i := range numbers {
		numbers[i] = i
	}
	return kafkago.Murmur2Balancer{Consistent: true}.Balance(kafkago.Message{Key: key}, numbers...)
}

func TestARecordIsOneEventOfItsHost(t *testing.T) {
	cluster := newCluster(t)
	b := sinktest.Batch(t, 2)
	var rows []sink.Row
	var want []kafka.Record
	host := b.Host()
	for row := range b.Rows() {
		id := row.ID()
		rows = append(rows, row)
		want = append(want, kafka.Record{
			Topic:     kafka.Events,
			Partition: partitionOf(host[:]),
			Offset:    int64(row.Index),
			Key:       host[:],
			Value:     row.Document(nil),
			Headers:   []kafka.Header{{Key: "weir.kind", Value: []byte("process.exit")}, {Key: "weir.event", Value: []byte(hex.EncodeToString(id[:]))}},
			Time:      b.Time(row.Index),
		})
	}
	if _, err := open(t, cluster).Deliver(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read(t, cluster), cmpopts.EquateApproxTime(time.Millisecond)); diff != "" {
		t.Error(diff)
	}
}

func TestRowsAreNotRefusedForWhatAPersonCanMend(t *testing.T) {
	for name, reason := range map[string]error{"rights": kafka.ErrUnauthorized, "topic": kafka.ErrUnknownTopic, "policy": kafka.ErrRefused} {
		if kafka.IsRefused(&kafka.RecordError{Err: reason}) {
			t.Errorf("%s: %v would be a dead letter", name, reason)
		}
	}
}

func TestBrokersThatAreAwayAreNoFaultAtOpen(t *testing.T) {
	cfg := Default()
	cfg.Brokers = []string{"127.0.0.1:1"}
	s, err := cfg.Open(t.Context(), sink.Env{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	b := sinktest.Batch(t, 1)
	if _, err := s.Deliver(ctx, []sink.Row{{Batch: b, Row: b.Row(0)}}); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("error %v, want one that names the broker", err)
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	for want, cfg := range map[string]*Config{
		"brokers: ":                      {Topic: "x"},
		"topic: is missing":              {Brokers: []string{"a:1"}},
		"topic: weir.batches holds some": {Brokers: []string{"a:1"}, Topic: kafka.Batches},
		"topic: weir.hosts holds some":   {Brokers: []string{"a:1"}, Topic: kafka.Hosts},
	} {
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}
