// Package broker is the Kafka-protocol broker inside `weir up`: one machine's stream on its own disk,
// spoken to over loopback by the same client as a cluster. It is franz-go's kfake with a data directory,
// with its traps closed:
//
//   - Topics are created explicitly: one that creates itself is not on disk until a clean stop.
//   - Every topic has a retention, and the cleaner runs once a second: else nothing is ever deleted.
//   - No topic is compacted: kfake deletes the old segments before it writes the new ones, and a process
//     killed in between would leave none. A compacted topic is kept whole instead, up to a size.
//   - Groups' offsets do not expire while a machine is switched off.
//   - One process has a data directory at a time.
//
// A record that was acknowledged survives kill -9, and the loss of power as well: each batch is synced,
// which costs a millisecond or so for each of the few batches a second that one machine makes, and the
// collector's spool forgets a batch once it is acknowledged.
//
// It stands in for Kafka on one machine, never in the tests of delivery.
package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kfake"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/kafka"
)

// Options says where and what.
type Options struct {
	// Dir holds the broker's data and is made where it is missing.
	Dir string
	// Port on 127.0.0.1; 0 takes a free one.
	Port int
	// Topics are created where they are missing, and configured anew where they differ.
	Topics []kafka.Topic
	Log    *slog.Logger
}

// keptBytes is how much of a topic that asks for compaction is kept: a host's balances of months.
const keptBytes = 64 * config.MiB

// Topics lists the stream's topics as they suit one machine: one partition each, each bounded by so many
// bytes on disk.
func Topics(partitionBytes config.Size) []kafka.Topic {
	l := kafka.DefaultLayout()
	l.Partitions, l.PartitionBytes = 1, partitionBytes
	return kafka.Topics(l)
}

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	lock    *os.File
	addr    string
}

// ErrInUse is returned when another process has the data directory.
var ErrInUse = errors.New("in use by another process")

// Start opens the data directory and serves it. ctx bounds the start alone.
func Start(ctx context.Context, o Options) (*Broker, error) {
	lock, err := lock(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("start broker in %s: %w", o.Dir, err)
	}
	cluster, err := kfake.NewCluster(
		kfake.Ports(o.Port),
		kfake.DataDir(filepath.Join(o.Dir, "data")),
		kfake.SyncWrites(),
		kfake.WithLogger(logger{o.Log}),
		kfake.BrokerConfigs(map[string]string{
			"log.cleaner.backoff.ms":    "1000",
			"offsets.retention.minutes": "5256000", // ten years
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("start broker in %s: %w", o.Dir, errors.Join(err, lock.Close()))
	}
	b := &Broker{cluster: cluster, lock: lock, addr: cluster.ListenAddrs()[0]}
	if err := b.ensure(ctx, o); err != nil {
		return nil, fmt.Errorf("start broker in %s: %w", o.Dir, errors.Join(err, b.Close()))
	}
	return b, nil
}

// lock makes the data directory ours, for as long as the file is open.
func lock(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return nil, errors.Join(ErrInUse, f.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.Name(), err), f.Close())
	}
	return f, nil
}

// ensure creates and configures the topics, as any client would.
func (b *Broker) ensure(ctx context.Context, o Options) error {
	settings := kafka.Default()
	settings.Brokers = []string{b.addr}
	client, err := kafka.Open(settings, o.Log)
	if err != nil {
		return err
	}
	topics := make([]kafka.Topic, len(o.Topics))
	for i, t := range o.Topics {
		topics[i] = uncompacted(t)
	}
	if err := client.EnsureTopics(ctx, topics); err != nil {
		return errors.Join(err, client.Close())
	}
	return errors.Join(client.ConfigureTopics(ctx, topics), client.Close())
}

// uncompacted replaces compaction by a bound in bytes.
func uncompacted(t kafka.Topic) kafka.Topic {
	if t.Config["cleanup.policy"] != "compact" {
		return t
	}
	t.Config = maps.Clone(t.Config)
	t.Config["cleanup.policy"] = "delete"
	t.Config["retention.ms"] = "-1"
	t.Config["retention.bytes"] = fmt.Sprint(uint64(keptBytes))
	t.Config["segment.bytes"] = fmt.Sprint(uint64(keptBytes / 8))
	return t
}

// Addr returns the address that clients are to be given.
func (b *Broker) Addr() string { return b.addr }

// Close stops serving and writes what is still only in memory. Clients are to be closed before.
func (b *Broker) Close() error {
	b.cluster.Close()
	return b.lock.Close()
}

// logger passes on what kfake says about trouble; what it says about requests is not news.
type logger struct{ log *slog.Logger }

func (l logger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("broker", "error", fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("broker", "error", fmt.Sprintf(format, args...))
	}
}
