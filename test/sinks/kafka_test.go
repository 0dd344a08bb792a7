package sinks_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/sink"
	sinkkafka "github.com/weirproject/weir/sink/kafka"
	"github.com/weirproject/weir/sink/sinktest"
	"github.com/weirproject/weir/test/servers"
)

const partitions = 2

// TestKafka kills the broker for its outages.
func TestKafka(t *testing.T) {
	cluster := servers.StartKafka(t, servers.KafkaOptions{})
	topics := 0
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		topics++
		topic := fmt.Sprintf("%s.%d", kafka.Events, topics)
		client := connect(t, cluster)
		if err := client.EnsureTopics(t.Context(), []kafka.Topic{{Name: topic, Partitions: partitions}}); err != nil {
			t.Fatal(err)
		}
		return sinktest.Harness{
			Open: func(t *testing.T) sink.Sink {
				cfg := sinkkafka.Default()
				cfg.Brokers, cfg.Topic = cluster.Addresses, topic
				return open(t, cfg)
			},
			Documents: func(t *testing.T) [][]byte { return values(t, client, topic) },
			Break: func(*testing.T) func() {
				cluster.Kill(0)
				return func() { cluster.Restart(0) }
			},
			Poison: func(document []byte) []byte {
				return append(document[:len(document)-1], `,"padding":"`+strings.Repeat("x", 2<<20)+`"}`...)
			},
		}
	})
}

func connect(t *testing.T, cluster *servers.Kafka) *kafka.Client {
	t.Helper()
	cfg := kafka.Default()
	cfg.Brokers = cluster.Addresses
	client, err := kafka.Open(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func values(t *testing.T, client *kafka.Client, topic string) [][]byte {
	t.Helper()
	var list [][]byte
	for p := range partitions {
		err := client.ReadAll(t.Context(), topic, p, func(r kafka.Record) error {
			list = append(list, r.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}
