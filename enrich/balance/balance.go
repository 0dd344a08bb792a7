// Package balance reads and writes weir.hosts: what the enricher's books and each lane know of every host.
// A record's key is the host's id (16 bytes), for a lane followed by "/" and the lane's name; it lies on the
// partition of the host's batches, so that whoever is assigned that partition finds it there.
//
// It knows nothing of how balances come about.
package balance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"google.golang.org/protobuf/proto"

	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

const hostKeyBytes = len(schema.HostID{})

// HostRecord is the record of a host's balance.
func HostRecord(p *weirv1.HostBalance, partition int) (kafka.Record, error) {
	return record(p.GetHostId(), p, partition)
}

// LaneRecord is the record of what a lane has of a host.
func LaneRecord(p *weirv1.LaneBalance, partition int) (kafka.Record, error) {
	return record(laneKey(p.GetHostId(), p.GetLane()), p, partition)
}

// NoHost deletes a host's balance.
func NoHost(host schema.HostID, partition int) kafka.Record {
	return kafka.Record{Topic: kafka.Hosts, Partition: partition, Key: host[:]}
}

// NoLane deletes what a lane has of a host.
func NoLane(host schema.HostID, lane string, partition int) kafka.Record {
	return kafka.Record{Topic: kafka.Hosts, Partition: partition, Key: laneKey(host[:], lane)}
}

func laneKey(host []byte, lane string) []byte { return append(bytes.Clone(host), "/"+lane...) }

func record(key []byte, p proto.Message, partition int) (kafka.Record, error) {
	value, err := proto.Marshal(p)
	if err != nil {
		return kafka.Record{}, fmt.Errorf("balance %x: %w", key, err)
	}
	return kafka.Record{Topic: kafka.Hosts, Partition: partition, Key: key, Value: value}, nil
}

// Save writes balances. One that its topic will never take, since a host invented kinds until it was too large,
// is deleted instead, and given to lost: nobody else's may wait for it.
func Save(ctx context.Context, client *kafka.Client, records []kafka.Record, log *slog.Logger, lost func(schema.HostID)) error {
	for {
		err := client.Produce(ctx, records...)
		refused, ok := errors.AsType[*kafka.RecordError](err)
		if !ok || refused.Index >= len(records) || records[refused.Index].Value == nil || !kafka.IsRefused(err) {
			return err
		}
		r := &records[refused.Index]
		log.Error("balance is given up, as its topic does not take it; its host's books begin anew",
			"key", fmt.Sprintf("%x", r.Key), "bytes", len(r.Value), "error", refused)
		r.Value = nil
		lost(schema.HostID(r.Key[:hostKeyBytes]))
	}
}

// Hosts reads the balances of the partition's hosts. What cannot be read is logged and left out: such a
// host's books begin anew, which they say by a gap.
func Hosts(ctx context.Context, client *kafka.Client, partition int, log *slog.Logger) ([]*weirv1.HostBalance, error) {
	values, err := last(ctx, client, partition, log, func(key string) bool { return !isLane(key) })
	if err != nil {
		return nil, err
	}
	return decode[weirv1.HostBalance](values, log), nil
}

// Lane reads what a lane has of the partition's hosts.
func Lane(ctx context.Context, client *kafka.Client, partition int, lane string, log *slog.Logger) ([]*weirv1.LaneBalance, error) {
	values, err := last(ctx, client, partition, log, func(key string) bool {
		return isLane(key) && key[hostKeyBytes:] == "/"+lane
	})
	if err != nil {
		return nil, err
	}
	return decode[weirv1.LaneBalance](values, log), nil
}

// last returns the last value of each key that is kept.
func last(ctx context.Context, client *kafka.Client, partition int, log *slog.Logger, keep func(key string) bool) (map[string][]byte, error) {
	values := map[string][]byte{}
	err := client.ReadAll(ctx, kafka.Hosts, partition, func(r kafka.Record) error {
		switch key := string(r.Key); {
		case !keep(key):
		case r.Value == nil:
			delete(values, key)
		default:
			values[key] = r.Value
		}
		return nil
	})
	if damaged, ok := errors.AsType[*kafka.DamagedError](err); ok {
		log.Error("balances cannot be read; their hosts' books begin anew", "partition", partition, "error", damaged)
		err = nil
	}
	return values, err
}

// decode leaves out what is no such message.
func decode[M any, P interface {
	*M
	proto.Message
}](values map[string][]byte, log *slog.Logger) []P {
	list := make([]P, 0, len(values))
	for key, value := range values {
		p := P(new(M))
		if err := proto.Unmarshal(value, p); err != nil {
			log.Error("balance cannot be read; its host's books begin anew", "key", fmt.Sprintf("%x", key), "error", err)
			continue
		}
		list = append(list, p)
	}
	return list
}

// isLane tells the keys of lanes from those of hosts.
func isLane(key string) bool { return len(key) > hostKeyBytes }
