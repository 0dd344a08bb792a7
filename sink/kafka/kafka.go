// Package kafka is the destination kafka: one event a record, nested ECS JSON, for those who want rows.
//
//	key      host id, 16 bytes: a host's events are in one partition, in their order
//	headers  weir.kind, such as process.exec, and weir.event, the event's id in hexadecimal
//	value    the document
//
// A lane names its brokers itself: rows are mostly for another team, and often on another cluster than the
// stream. The topic has to be there. Events are there at least once: what is sent again after a failure may
// be there twice, and has the same weir.event.
package kafka

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/sink"
)

// Keys of a record's headers.
const (
	HeaderKind  = "weir.kind"
	HeaderEvent = "weir.event"
)

// others are the stream's topics that are no place for events.
var others = []string{kafka.Batches, kafka.Enriched, kafka.DeadLetter, kafka.Hosts, kafka.Instances, kafka.Deploys}

// attempt bounds one delivery, so that the lane's state shows an outage that the client outlasts in silence.
const attempt = 30 * time.Second

// Destination is the kind of sink.
var Destination = sink.Destination{Type: "kafka", Config: func() sink.Config { return Default() }}

// Config is the configuration of the destination kafka.
type Config struct {
	// Addresses (host:port) of some brokers; the others are learned from them.
	Brokers []string `yaml:"brokers"`
	// Topic that the events go to. It is not created.
	Topic string `yaml:"topic"`
	// Name under which this client appears in the brokers' logs and quotas.
	ClientID string `yaml:"client_id"`
	// Encrypts the connections where it is present, even if empty.
	TLS *kafka.TLS `yaml:"tls"`
	// Logs in where it is present.
	SASL *kafka.SASL `yaml:"sasl"`
}

// Default returns the defaults.
func Default() *Config { return &Config{Topic: kafka.Events, ClientID: "weir"} }

// Validate joins all faults of the keys in c itself; those of tls and sasl are told by theirs.
func (c *Config) Validate() error {
	errs := []error{c.client().Validate()}
	if c.Topic == "" {
		errs = append(errs, config.Invalid("topic", "is missing; write one, such as %s", kafka.Events))
	}
	if slices.Contains(others, c.Topic) {
		errs = append(errs, config.Invalid("topic", "%s holds something else; write one of its own, such as %s", c.Topic, kafka.Events))
	}
	return errors.Join(errs...)
}

func (c *Config) client() kafka.Config {
	client := kafka.Default()
	client.Brokers, client.ClientID, client.TLS, client.SASL = c.Brokers, c.ClientID, c.TLS, c.SASL
	return client
}

// Sink is an open topic. Partitions of a lane may deliver at once.
type Sink struct {
	client *kafka.Client
	topic  string
}

// Open reads the files that the configuration names. It does not wait for the brokers.
func (c *Config) Open(_ context.Context, env sink.Env) (sink.Sink, error) {
	client, err := kafka.Open(c.client(), env.Log)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", c.Topic, err)
	}
	return &Sink{client: client, topic: c.Topic}, nil
}

// Deliver returns once all in-sync replicas have the rows, but for those that the topic does not take.
func (s *Sink) Deliver(ctx context.Context, rows []sink.Row) ([]sink.Verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	verdicts := make([]sink.Verdict, len(rows))
	open := make([]int, len(rows)) // indexes of rows without a verdict
	records := make([]kafka.Record, len(rows))
	for i, row := range rows {
		open[i], records[i] = i, s.record(row)
	}
	for len(open) > 0 {
		err := s.client.Produce(ctx, records...)
		refused, ok := errors.AsType[*kafka.RecordError](err)
		switch {
		case err == nil:
			for _, i := range open {
				verdicts[i] = sink.Verdict{State: sink.Accepted}
			}
			return verdicts, nil
		case !ok || !kafka.IsRefused(refused): // a missing topic or right can be mended: then the same record is taken
			return nil, err
		}
		// Without the refused one, all others again: which of them are written is not known.
		at := refused.Index
		verdicts[open[at]] = sink.Verdict{State: sink.Refused, Reason: refused.Err.Error()}
		open = append(open[:at], open[at+1:]...)
		records = append(records[:at], records[at+1:]...)
	}
	return verdicts, nil
}

func (s *Sink) record(row sink.Row) kafka.Record {
	host, id := row.Batch.Host(), row.ID()
	return kafka.Record{
		Topic:     s.topic,
		Partition: kafka.AnyPartition,
		Key:       host[:],
		Value:     row.Document(nil),
		Headers: []kafka.Header{
			{Key: HeaderKind, Value: []byte(row.KindName())},
			{Key: HeaderEvent, Value: hex.AppendEncode(nil, id[:])},
		},
		Time: row.Batch.Time(row.Index),
	}
}

// Close closes the connections. Nothing is buffered, and closing twice does nothing.
func (s *Sink) Close() error { return s.client.Close() }
