package kafka

// These tests need what only a real Apache Kafka does: it compacts, it keeps transactions, its brokers die
// and come back, it asks for certificates and passwords.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/test/servers"
)

// real is the cluster that most of these tests share.
var real = servers.NewShared(func(t servers.T) *servers.Kafka { return servers.StartKafka(t, servers.KafkaOptions{}) })

func TestMain(m *testing.M) { os.Exit(real.Run(m)) }

// topic makes a topic of one partition for a test.
func topic(t *testing.T, c *Client, settings map[string]string) string {
	t.Helper()
	name := "test." + strings.ReplaceAll(t.Name(), "/", ".")
	if err := c.EnsureTopics(t.Context(), []Topic{{Name: name, Partitions: 1, Config: settings}}); err != nil {
		t.Fatal(err)
	}
	return name
}

func to(topic string, values ...string) []Record {
	records := make([]Record, len(values))
	for i, v := range values {
		records[i] = Record{Topic: topic, Key: []byte("k"), Value: []byte(v)}
	}
	return records
}

func TestRealTopicsOfTheStreamAreCreatedAndPassTheirCheck(t *testing.T) {
	c := client(t, real.Get(t).Addresses...)
	topics := Topics(DefaultLayout())
	for range 2 { // the second time there is nothing to do
		if err := c.EnsureTopics(t.Context(), topics); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.CheckTopics(t.Context(), topics); err != nil {
		t.Error(err)
	}
}

func TestRealCheckTellsWhatIsWrongAndWhatToDo(t *testing.T) {
	c := client(t, real.Get(t).Addresses...)
	name := topic(t, c, nil)
	err := c.CheckTopics(t.Context(), []Topic{
		{Name: name, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}},
		{Name: "test.absent", Partitions: 3},
	})
	for _, want := range []string{"topic test.absent is missing", "cleanup.policy is delete, need compact", "--add-config cleanup.policy=compact"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in: %v", want, err)
		}
	}
	if err := c.ConfigureTopics(t.Context(), []Topic{{Name: name, Config: map[string]string{"cleanup.policy": "compact"}}}); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckTopics(t.Context(), []Topic{{Name: name, Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"}}}); err != nil {
		t.Error(err)
	}
}

func TestRealCompactedTopicIsReadToItsEnd(t *testing.T) {
	c := client(t, real.Get(t).Addresses...)
	name := topic(t, c, map[string]string{"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": "0"})
	// An idempotent producer's last batch outlives its records: an empty batch, at which kafka-go's reader panics.
	other := otherClient(t, real.Get(t).Addresses...)
	for i := range 20 {
		record := &kgo.Record{Topic: name, Key: []byte("k"), Value: fmt.Append(nil, i)}
		if err := other.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	deadline := time.Now().Add(time.Minute)
	for {
		mustProduce(t, c, Record{Topic: name, Key: []byte("other"), Value: []byte("rolls the segment")})
		all := readAll(t, c, name, 0)
		keys := 0
		for _, r := range all {
			if string(r.Key) == "k" {
				keys++
			}
		}
		if keys == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of 20 values are left; the cleaner does not run", keys)
		}
		time.Sleep(200 * time.Millisecond) // the broker's cleaner runs when it likes
	}
}

func TestRealTransactionsAreSeenWhenTheyCommit(t *testing.T) {
	c := client(t, real.Get(t).Addresses...)
	name := topic(t, c, nil)
	other, err := kgo.NewClient(kgo.SeedBrokers(real.Get(t).Addresses...), kgo.TransactionalID(name), kgo.DefaultProduceTopic(name))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for i, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
		if err := other.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := other.ProduceSync(t.Context(), kgo.StringRecord(fmt.Sprint(i))).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		if err := other.EndTransaction(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	mustProduce(t, c, to(name, "last")...)
	want := []string{"0", "0", "0", "2", "2", "2", "last"}
	if diff := cmp.Diff(want, values(readAll(t, c, name, 0))); diff != "" {
		t.Error(diff)
	}
}

func TestRealBrokersUndoTheirProducersCompression(t *testing.T) {
	c := client(t, real.Get(t).Addresses...)
	for name, settings := range map[string]map[string]string{"refused": nil, "undone": {"compression.type": "uncompressed"}} {
		t.Run(name, func(t *testing.T) {
			topic := topic(t, c, settings)
			other, err := kgo.NewClient(kgo.SeedBrokers(real.Get(t).Addresses...), kgo.ProducerBatchCompression(kgo.GzipCompression()), kgo.DefaultProduceTopic(topic))
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			if err := other.ProduceSync(t.Context(), kgo.StringRecord(strings.Repeat("x", 10_000))).FirstErr(); err != nil {
				t.Fatal(err)
			}
			mustProduce(t, c, to(topic, "after")...)
			var got []string
			err = c.ReadAll(t.Context(), topic, 0, func(r Record) error {
				got = append(got, fmt.Sprint(len(r.Value)))
				return nil
			})
			if settings == nil {
				damaged, ok := errors.AsType[*DamagedError](err)
				if !ok || !errors.Is(damaged.Damaged[0].Err, errBatchCompressed) || len(got) != 1 {
					t.Errorf("%v, %v; want one record and a compressed one", got, err)
				}
				return
			}
			if diff := cmp.Diff([]string{"10000", "5"}, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		})
	}
}

func TestRealBatchBeyondFetchBytesIsSkippedAndTold(t *testing.T) {
	c := client(t, real.Get(t).Addresses...)
	name := topic(t, c, map[string]string{"max.message.bytes": "4000000"})
	mustProduce(t, c, to(name, "before", strings.Repeat("x", 3_000_000), "after")...)
	small := client(t, real.Get(t).Addresses...)
	small.config.FetchBytes = 64 * config.KiB
	var got []string
	err := small.ReadAll(t.Context(), name, 0, func(r Record) error {
		got = append(got, string(r.Value))
		return nil
	})
	damaged, ok := errors.AsType[*DamagedError](err)
	if !ok || !errors.Is(damaged.Damaged[0].Err, errBatchTooLarge) || damaged.Damaged[0].First != 1 || damaged.Damaged[0].Last != 1 {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"before", "after"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestRealRetentionGapIsLost(t *testing.T) {
	c := client(t, real.Get(t).Addresses...)
	name := topic(t, c, map[string]string{"segment.bytes": "1048576", "retention.bytes": "1048576", "retention.ms": "-1"})
	r := reader{client: c, topic: name}
	mustProduce(t, c, to(name, "first")...)
	if f, err := r.next(t.Context()); err != nil || len(f.Records) != 1 {
		t.Fatalf("%+v %v", f, err)
	}
	for range 8 {
		mustProduce(t, c, to(name, strings.Repeat("x", 700_000))...)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		first, err := c.offset(t.Context(), name, 0, -2)
		if err != nil {
			t.Fatal(err)
		}
		if first > 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the broker deletes nothing")
		}
		time.Sleep(100 * time.Millisecond) // its retention runs when it likes
	}
	f, err := r.next(t.Context())
	if err != nil || f.Lost == 0 || f.Lost != r.position-1 {
		t.Errorf("lost %d at %d: %v", f.Lost, r.position, err)
	}
}

func TestRealErrorsOfWhatWillNeverBeTaken(t *testing.T) {
	c := client(t, real.Get(t).Addresses...)
	c.patience = time.Second
	compacted := topic(t, c, map[string]string{"cleanup.policy": "compact"})
	tests := map[string]struct {
		record Record
		reason error
	}{
		"no key for a compacted topic": {Record{Topic: compacted, Value: []byte("x")}, ErrInvalidRecord},
		"too large":                    {Record{Topic: compacted, Key: []byte("k"), Value: make([]byte, 2<<20)}, ErrTooLarge},
		"unknown topic":                {Record{Topic: "test.nowhere"}, ErrUnknownTopic},
		"no topic's name":              {Record{Topic: "not a topic"}, ErrRefused},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := c.Produce(t.Context(), test.record); !errors.Is(err, test.reason) {
				t.Errorf("got %v, want %v", err, test.reason)
			}
		})
	}
}

func TestRealGroupOutlastsItsBroker(t *testing.T) {
	cluster := servers.StartKafka(t, servers.KafkaOptions{})
	c := client(t, cluster.Addresses...)
	if err := c.EnsureTopics(t.Context(), []Topic{{Name: "t", Partitions: 2}}); err != nil {
		t.Fatal(err)
	}
	r := newRecorder()
	stop := consume(t, c, r)
	mustProduce(t, c, append(numbered(0, 0, 3), numbered(1, 0, 3)...)...)
	r.await(t, func() bool { return len(r.records()) == 6 })

	cluster.Kill(0)
	produced := make(chan error, 1)
	go func() { produced <- c.Produce(t.Context(), numbered(0, 3, 3)...) }() // waits for the broker
	cluster.Restart(0)
	if err := <-produced; err != nil {
		t.Fatal(err)
	}
	mustProduce(t, c, numbered(1, 5, 1)...)
	seen := func(partition int, value string) bool {
		return slices.ContainsFunc(r.records(), func(got Record) bool { return got.Partition == partition && string(got.Value) == value })
	}
	r.await(t, func() bool { return seen(0, "5") && seen(1, "5") })
	start := time.Now()
	stop()
	if took := time.Since(start); took > leaveTimeout {
		t.Errorf("leaving took %v", took)
	}
	second := newRecorder()
	consume(t, c, second)
	mustProduce(t, c, numbered(1, 99, 1)...)
	second.await(t, func() bool { return len(second.records()) > 0 })
	if got := values(second.records()); len(got) != 1 || got[0] != "99" {
		t.Errorf("the next member was given %v, want 99 alone", got)
	}
}

func TestRealTLSAndLogins(t *testing.T) {
	cluster := servers.StartKafka(t, servers.KafkaOptions{TLS: true, SASL: true})
	password := secret(t, servers.Password)
	tls := &TLS{CA: cluster.TLS.CA, Cert: cluster.TLS.Cert, Key: cluster.TLS.Key}
	for _, mechanism := range []Mechanism{Plain, ScramSHA256, ScramSHA512} {
		t.Run(string(mechanism), func(t *testing.T) {
			c := secured(t, cluster, tls, &SASL{Mechanism: mechanism, User: servers.User, Password: password})
			if err := c.EnsureTopics(t.Context(), []Topic{{Name: "t", Partitions: 1}}); err != nil {
				t.Fatal(err)
			}
			mustProduce(t, c, numbered(0, 0, 1)...)
			r := newRecorder()
			stop := consume(t, c, r)
			r.await(t, func() bool { return len(r.records()) > 0 })
			stop()
		})
	}
	refusals := map[string]struct {
		tls  *TLS
		sasl *SASL
		want string
	}{
		"wrong password (plain)":   {tls, &SASL{Plain, servers.User, secret(t, "wrong")}, "log in by PLAIN"},
		"wrong password (scram)":   {tls, &SASL{ScramSHA512, servers.User, secret(t, "wrong")}, "log in by SCRAM-SHA-512"},
		"an authority of no trust": {&TLS{}, nil, "certificate"},
		"no TLS":                   {nil, nil, "may want TLS"},
		"another name":             {&TLS{CA: cluster.TLS.CA, ServerName: "elsewhere"}, nil, "elsewhere"},
	}
	for name, test := range refusals {
		t.Run(name, func(t *testing.T) {
			err := secured(t, cluster, test.tls, test.sasl).Ping(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), cluster.Addresses[0]) {
				t.Errorf("got %v, want the address and %q", err, test.want)
			}
		})
	}
}

func secured(t *testing.T, cluster *servers.Kafka, tls *TLS, sasl *SASL) *Client {
	t.Helper()
	settings := Default()
	settings.Brokers, settings.TLS, settings.SASL = cluster.Addresses, tls, sasl
	c, err := Open(settings, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func secret(t *testing.T, text string) config.Secret {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return config.NewSecret(path)
}

func TestRealLeaderFailsOverWithoutLoss(t *testing.T) {
	cluster := servers.StartKafka(t, servers.KafkaOptions{Brokers: 3})
	c := client(t, cluster.Addresses...)
	if err := c.EnsureTopics(t.Context(), []Topic{{Name: "t", Partitions: 3}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for i := range 60 {
		if i == 20 {
			cluster.Kill(1)
		}
		if i == 40 {
			cluster.Restart(1)
		}
		if err := c.Produce(ctx, numbered(i%3, i, 1)...); err != nil {
			t.Fatal(err)
		}
	}
	for p := range 3 {
		seen := map[string]bool{}
		for _, v := range values(readAll(t, c, "t", p)) {
			seen[v] = true
		}
		for i := p; i < 60; i += 3 {
			if !seen[fmt.Sprint(i)] {
				t.Errorf("partition %d lacks %d", p, i)
			}
		}
	}
}
