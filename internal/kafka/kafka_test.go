package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fake starts a broker in this process, with a topic "t" of so many partitions, and a client of it.
func fake(t *testing.T, partitions int32, options ...kfake.Opt) (*kfake.Cluster, *Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(partitions, "t")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster, client(t, cluster.ListenAddrs()...)
}

func client(t *testing.T, addresses ...string) *Client {
	t.Helper()
	config := Default()
	config.Brokers = addresses
	c, err := Open(config, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func numbered(partition, from, n int) []Record {
	records := make([]Record, n)
	for i := range records {
		records[i] = Record{Topic: "t", Partition: partition, Key: []byte("k"), Value: fmt.Append(nil, from+i)}
	}
	return records
}

func values(records []Record) []string {
	list := make([]string, len(records))
	for i, r := range records {
		list[i] = string(r.Value)
	}
	return list
}

func readAll(t *testing.T, c *Client, topic string, partition int) []Record {
	t.Helper()
	var all []Record
	err := c.ReadAll(t.Context(), topic, partition, func(r Record) error {
		all = append(all, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWhatIsProducedIsRead(t *testing.T) {
	_, c := fake(t, 3)
	want := []Record{
		{Topic: "t", Partition: 2, Key: []byte("a"), Value: []byte("1"), Headers: []Header{{"h", []byte("v")}, {"none", nil}}, Time: time.UnixMilli(1700000000123)},
		{Topic: "t", Partition: 2, Offset: 1, Key: nil, Value: []byte{}, Time: time.UnixMilli(1700000000124)},
		{Topic: "t", Partition: 2, Offset: 2, Key: []byte{}, Value: nil, Time: time.UnixMilli(1600000000000)},
	}
	if err := c.Produce(t.Context(), want...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, readAll(t, c, "t", 2)); diff != "" {
		t.Error(diff)
	}
}

func TestKeysChooseThePartitionThatJavaChooses(t *testing.T) {
	// Taken from org.apache.kafka.common.utils.UtilsTest and, for the partition, BuiltInPartitioner.
	for key, hash := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "abc": 479470107} {
		if got, want := partition([]byte(key), sequence(12)), int(hash&0x7fffffff)%12; got != want {
			t.Errorf("%q: partition %d, want %d", key, got, want)
		}
	}
	_, c := fake(t, 7)
	key := []byte("foobar")
	if err := c.Produce(t.Context(), Record{Topic: "t", Partition: AnyPartition, Key: key, Value: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	if got := len(readAll(t, c, "t", partition(key, sequence(7)))); got != 1 {
		t.Errorf("%d records where the key leads", got)
	}
}

func TestOrderIsKeptInEachOfManyPartitions(t *testing.T) {
	_, c := fake(t, 20)
	var records []Record
	for i := range 400 {
		records = append(records, numbered(i%20, i, 1)...)
	}
	if err := c.Produce(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	for p := range 20 {
		var want []string
		for i := p; i < 400; i += 20 {
			want = append(want, fmt.Sprint(i))
		}
		if diff := cmp.Diff(want, values(readAll(t, c, "t", p))); diff != "" {
			t.Errorf("partition %d: %s", p, diff)
		}
	}
}

func TestLargeProducesAreSplitIntoRequestsThatFit(t *testing.T) {
	_, c := fake(t, 1)
	var records []Record
	for i := range 40 {
		records = append(records, Record{Topic: "t", Value: slices.Repeat([]byte{byte(i)}, 100_000)})
	}
	if err := c.Produce(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	got := readAll(t, c, "t", 0)
	same := func(a, b Record) bool { return bytes.Equal(a.Value, b.Value) }
	if !slices.EqualFunc(records, got, same) {
		t.Errorf("%d records were read, not the %d that were written", len(got), len(records))
	}
}

func TestPermanentErrorsNameTheRecord(t *testing.T) {
	_, c := fake(t, 1)
	c.patience = 50 * time.Millisecond
	huge := Record{Topic: "t", Value: make([]byte, 2<<20)}
	tests := map[string]struct {
		records []Record
		index   int
		reason  error
	}{
		"too large":         {append(numbered(0, 0, 3), huge, numbered(0, 3, 1)[0]), 3, ErrTooLarge},
		"unknown topic":     {[]Record{{Topic: "nowhere", Partition: AnyPartition}}, 0, ErrUnknownTopic},
		"unknown partition": {[]Record{{Topic: "t", Partition: 9}}, 0, ErrUnknownTopic},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := c.Produce(t.Context(), test.records...)
			record, ok := errors.AsType[*RecordError](err)
			if !ok || record.Index != test.index || !errors.Is(err, test.reason) {
				t.Errorf("got %v, want record %d: %v", err, test.index, test.reason)
			}
		})
	}
	if got := values(readAll(t, c, "t", 0)); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("before the record that is too large: %v", got)
	}
}

func TestARecordLargerThanAnyRequestIsRefusedBeforeItIsSent(t *testing.T) {
	c := client(t, "127.0.0.1:1")
	w := writing{client: c, topic: "t", records: []Record{{Value: make([]byte, maxRecordBytes+1)}}, indexes: []int{7}}
	if err := w.write(t.Context(), 0, 1); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func TestRetriableErrorsAreOutlasted(t *testing.T) {
	cluster, c := fake(t, 1)
	for _, code := range []kafkago.Error{kafkago.NotLeaderForPartition, kafkago.NotEnoughReplicas, kafkago.RequestTimedOut, kafkago.KafkaStorageError} {
		cluster.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
			return refusal(request.(*kmsg.ProduceRequest), int16(code)), nil, true
		})
		if err := c.Produce(t.Context(), numbered(0, int(code), 1)...); err != nil {
			t.Errorf("%v: %v", code, err)
		}
	}
	if got := len(readAll(t, c, "t", 0)); got != 4 {
		t.Errorf("%d records, want 4", got)
	}
}

// refusal answers a produce request of one partition by an error.
func refusal(request *kmsg.ProduceRequest, code int16) *kmsg.ProduceResponse {
	response := request.ResponseKind().(*kmsg.ProduceResponse)
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic = request.Topics[0].Topic
	partition := kmsg.NewProduceResponseTopicPartition()
	partition.Partition, partition.ErrorCode = request.Topics[0].Partitions[0].Partition, code
	topic.Partitions = append(topic.Partitions, partition)
	response.Topics = append(response.Topics, topic)
	return response
}

func TestProduceEndsWithItsContext(t *testing.T) {
	c := client(t, "127.0.0.1:1")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	err := c.Produce(ctx, Record{Topic: "t", Partition: AnyPartition})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v; want the deadline and the cause", err)
	}
}

// recorder is a handler that remembers, and fails where it is told to.
type recorder struct {
	mu      sync.Mutex
	fetches []Fetch
	closed  int
	fail    func(Fetch) error
	news    chan struct{}
}

func newRecorder() *recorder { return &recorder{news: make(chan struct{}, 1)} }

func (r *recorder) open(context.Context, string, int) (Handler, error) { return r, nil }

func (r *recorder) Handle(_ context.Context, f Fetch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		if err := r.fail(f); err != nil {
			return err
		}
	}
	r.fetches = append(r.fetches, f)
	select {
	case r.news <- struct{}{}:
	default:
	}
	return nil
}

func (r *recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed++
	return nil
}

func (r *recorder) records() (all []Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range r.fetches {
		all = append(all, f.Records...)
	}
	return all
}

// await returns once ok, which is asked after each fetch.
func (r *recorder) await(t *testing.T, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !ok() {
		select {
		case <-r.news:
		case <-time.After(200 * time.Millisecond): // ok may also change by what it does
		case <-deadline:
			t.Fatalf("waited in vain; %d records so far", len(r.records()))
		}
	}
}

// consume runs a member of group g until its stop is called.
func consume(t *testing.T, c *Client, r *recorder) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Consume(ctx, "g", []string{"t"}, r.open) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("consume: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func TestAGroupGoesOnWhereItStopped(t *testing.T) {
	_, c := fake(t, 2)
	mustProduce(t, c, append(numbered(0, 0, 5), numbered(1, 100, 5)...)...)
	first := newRecorder()
	stop := consume(t, c, first)
	first.await(t, func() bool { return len(first.records()) == 10 })
	stop()
	if first.closed != 2 {
		t.Errorf("%d handlers were closed, want 2", first.closed)
	}
	mustProduce(t, c, numbered(0, 5, 3)...)
	second := newRecorder()
	consume(t, c, second)
	second.await(t, func() bool { return len(second.records()) >= 3 })
	if diff := cmp.Diff([]string{"5", "6", "7"}, values(second.records())); diff != "" {
		t.Error(diff)
	}
}

func mustProduce(t *testing.T, c *Client, records ...Record) {
	t.Helper()
	if err := c.Produce(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
}

func TestAHandlerThatFailsIsGivenTheSameRecordsAgain(t *testing.T) {
	_, c := fake(t, 1)
	mustProduce(t, c, numbered(0, 0, 3)...)
	r := newRecorder()
	failures := 0
	r.fail = func(Fetch) error {
		if failures++; failures <= 2 {
			return errors.New("not now")
		}
		return nil
	}
	consume(t, c, r)
	r.await(t, func() bool { return len(r.records()) >= 3 })
	if diff := cmp.Diff([]string{"0", "1", "2"}, values(r.records())); diff != "" {
		t.Error(diff)
	}
	if r.closed != 2 {
		t.Errorf("%d handlers were closed, want 2", r.closed)
	}
}

func TestARetentionGapIsLost(t *testing.T) {
	cluster, c := fake(t, 1)
	mustProduce(t, c, numbered(0, 0, 10)...)
	first := newRecorder()
	stop := consume(t, c, first)
	first.await(t, func() bool { return len(first.records()) == 10 })
	stop()
	mustProduce(t, c, numbered(0, 10, 10)...)
	deleteRecords(t, cluster, "t", 0, 14)
	second := newRecorder()
	consume(t, c, second)
	second.await(t, func() bool { return len(second.records()) == 6 })
	if second.fetches[0].Lost != 4 {
		t.Errorf("lost %d, want 4", second.fetches[0].Lost)
	}
}

func TestATopicMadeAnewIsReadFromItsStart(t *testing.T) {
	_, c := fake(t, 1)
	mustProduce(t, c, numbered(0, 0, 2)...)
	r := reader{client: c, topic: "t", position: 1000}
	f, err := r.next(t.Context())
	if err != nil || !f.Restarted || f.Lost != 0 || r.position != 0 {
		t.Errorf("%+v at %d: %v", f, r.position, err)
	}
}

func TestPartitionsAreSharedAmongMembers(t *testing.T) {
	_, c := fake(t, 2)
	first, second := newRecorder(), newRecorder()
	consume(t, c, first)
	mustProduce(t, c, numbered(0, 0, 1)...)
	first.await(t, func() bool { return len(first.records()) == 1 })
	stop := consume(t, c, second)
	second.await(t, func() bool {
		mustProduce(t, c, append(numbered(0, 0, 1), numbered(1, 0, 1)...)...)
		return len(second.records()) > 0
	})
	stop()
	before := len(first.records())
	mustProduce(t, c, append(numbered(0, 99, 1), numbered(1, 99, 1)...)...)
	first.await(t, func() bool {
		seen := first.records()[before:]
		at := func(p int) bool { return slices.ContainsFunc(seen, func(r Record) bool { return r.Partition == p }) }
		return at(0) && at(1)
	})
}
