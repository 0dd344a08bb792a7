package enrich

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"google.golang.org/protobuf/proto"

	"github.com/weirproject/weir/enrich/balance"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/internal/telemetry"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/sink"
)

const partitions = 2

// stage is a broker with the stream's topics, on which enrichers start and stop.
type stage struct {
	t       *testing.T
	cluster *kfake.Cluster
	client  *kafka.Client
	config  Config
	health  *telemetry.Health
}

func newStage(t *testing.T) *stage {
	t.Helper()
	t.Parallel() // most of a test's time is spent in joining groups
	return emptyStage(t).withTopics()
}

// emptyStage has no topics.
func emptyStage(t *testing.T) *stage {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	s := &stage{t: t, cluster: cluster, config: Default(nil)}
	s.config.Kafka.Brokers = cluster.ListenAddrs()
	s.config.Data = t.TempDir()
	s.config.Sinks.Lanes = map[string]Sink{}
	s.client = s.open()
	return s
}

// withTopics makes the topics, each as change leaves it.
func (s *stage) withTopics(change ...func(*kafka.Topic)) *stage {
	s.t.Helper()
	layout := kafka.DefaultLayout()
	layout.Partitions = partitions
	topics := kafka.Topics(layout)
	for i := range topics {
		for _, f := range change {
			f(&topics[i])
		}
	}
	if err := s.client.EnsureTopics(s.t.Context(), topics); err != nil {
		s.t.Fatal(err)
	}
	return s
}

func (s *stage) open() *kafka.Client {
	c, err := kafka.Open(s.config.Kafka, s.log())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	return c
}

func (s *stage) log() *slog.Logger {
	return slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// deliver adds a lane to the sink.
func (s *stage) deliver(name string, to *memory) {
	s.config.Sinks.Lanes[name] = Sink{
		RunnerConfig: sink.RunnerConfig{RequestEvents: 10, RetryFirst: time.Millisecond, RetryLongest: time.Millisecond},
		To:           To{Type: "fake", Config: &fakeConfig{open: func() (sink.Sink, error) { return to, nil }}},
	}
}

// start runs an enricher until stop is called.
func (s *stage) start() (e *Enricher, stop func()) {
	s.t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	host := schema.NewHostID(key.Public().(ed25519.PublicKey))
	s.health = telemetry.NewHealth()
	e, err := New(s.config, Deps{
		Key:    key,
		Header: &weirv1.Header{HostId: host[:], BootId: make([]byte, 16), Hostname: "enricher", WeirVersion: "test"},
		Client: s.open(), Registry: prometheus.NewRegistry(), Health: s.health, Log: s.log(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("Run: %v", err)
		}
	})
	s.t.Cleanup(stop)
	return e, stop
}

func (s *stage) drain(e *Enricher) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 60*time.Second)
	defer cancel()
	if err := e.Drain(ctx); err != nil {
		s.t.Fatal(err)
	}
}

// play runs an enricher until it has done all that there is to do.
func (s *stage) play() {
	s.t.Helper()
	e, stop := s.start()
	s.drain(e)
	stop()
}

func (s *stage) produce(records ...kafka.Record) {
	s.t.Helper()
	if err := s.client.Produce(s.t.Context(), records...); err != nil {
		s.t.Fatal(err)
	}
}

// read returns all records of a topic, partition after partition.
func (s *stage) read(topic string) (all []kafka.Record) {
	s.t.Helper()
	for p := range partitions {
		err := s.client.ReadAll(s.t.Context(), topic, p, func(r kafka.Record) error {
			all = append(all, r)
			return nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return all
}

// enriched is what weir.enriched has, in its order: of a host "run/number", of the enricher what it found.
func (s *stage) enriched() (list []string) {
	for _, r := range s.read(kafka.Enriched) {
		b, known, err := batch.ReadEnriched(r.Value, batch.DefaultReadLimits())
		if err != nil {
			s.t.Fatal(err)
		}
		switch {
		case b.Header().GetOrigin() == weirv1.Origin_ORIGIN_ENRICHER:
			list = append(list, told(b)...)
		default:
			first, last := b.Numbers()
			list = append(list, fmt.Sprintf("%s/%d-%d %s", b.Header().GetHostname(), first, last, word(known.GetJoined().String(), "JOINED_")))
		}
	}
	return list
}

// told says what a batch of findings holds.
func told(b *batch.Batch) (list []string) {
	gap, loss := b.Proto().GetWeirGap(), b.Proto().GetWeirLoss()
	for row := range b.Rows() {
		switch i := row.GroupRow; row.Kind {
		case schema.WeirGap:
			list = append(list, fmt.Sprintf("gap: %s %d-%d", word(gap.Finding[i].String(), "FINDING_"), schema.At(gap.First, i), schema.At(gap.Last, i)))
		case schema.WeirLoss:
			list = append(list, fmt.Sprintf("loss: %d %s", schema.At(loss.Events, i), b.Text(loss.Place[i])))
		}
	}
	return list
}

func (s *stage) deadLetters() (list []string) {
	for _, r := range s.read(kafka.DeadLetter) {
		var d weirv1.DeadLetter
		if err := proto.Unmarshal(r.Value, &d); err != nil {
			s.t.Fatal(err)
		}
		list = append(list, d.GetLane()+": "+d.GetReason())
	}
	return list
}

// balance returns the host's balances.
func (s *stage) balance(h *machine) balance.Host {
	s.t.Helper()
	all, err := balance.All(s.t.Context(), s.client, s.log())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, b := range all {
		if b.Is(h.name) {
			return b
		}
	}
	s.t.Fatalf("host %s has no balance", h.name)
	return balance.Host{}
}

// machine makes batches as a collector does.
type machine struct {
	t     testing.TB
	name  string
	id    schema.HostID
	key   ed25519.PrivateKey
	draft *batch.Draft
	chain *batch.Chain
	runs  byte
}

func newHost(t testing.TB, name string) *machine {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	key := ed25519.NewKeyFromSeed(seed)
	h := &machine{t: t, name: name, key: key, id: schema.NewHostID(key.Public().(ed25519.PublicKey))}
	h.draft = batch.NewDraft(&weirv1.Header{HostId: h.id[:], BootId: make([]byte, 16), Hostname: name}, batch.DefaultLimits())
	h.begin()
	return h
}

// begin begins a run.
func (h *machine) begin() {
	h.runs++
	h.chain = batch.NewChain(h.key, schema.RunID{h.runs})
}

var epoch = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)

// batch seals the next batch: so many process.exit, a second apart from epoch on, of which the first is
// a self test where there is more than one.
func (h *machine) batch(exits int) kafka.Record {
	for i := range exits {
		h.draft.Append(batch.Event{
			Kind: schema.ProcessExit, Time: schema.BootTime(i * 1e6), SelfTest: exits > 1 && i == 0,
		})
		g := h.draft.Columns().ProcessExit
		g.ExitCode = append(g.ExitCode, uint32(i))
		g.Signal = append(g.Signal, 0)
		g.CoreDumped = append(g.CoreDumped, false)
		g.UserUs = append(g.UserUs, 0)
		g.SystemUs = append(g.SystemUs, 0)
		g.PeakMemoryBytes = append(g.PeakMemoryBytes, 0)
	}
	return h.seal()
}

// stop seals the run's last batch.
func (h *machine) stop() kafka.Record {
	h.draft.Append(batch.Event{Kind: schema.WeirStopped})
	g := h.draft.Columns().WeirStopped
	g.Reason = append(g.Reason, h.draft.Text([]byte("test")))
	return h.seal()
}

func (h *machine) seal() kafka.Record {
	h.t.Helper()
	sealed, err := h.draft.Seal(h.chain, batch.Times{Boot: epoch, Sealed: time.Now()})
	if err != nil {
		h.t.Fatal(err)
	}
	r := kafka.Record{Topic: kafka.Batches, Partition: kafka.AnyPartition, Key: h.id[:], Value: sealed.Record}
	for key, value := range sealed.Headers() {
		r.Headers = append(r.Headers, kafka.Header{Key: key, Value: value})
	}
	return r
}

// memory is a sink that keeps what it is given, by event id.
type memory struct {
	mu     sync.Mutex
	rows   map[schema.EventID]string // "host kind"
	again  int                       // rows that came more than once
	refuse func(kind string) bool
	dead   bool
}

func (m *memory) Deliver(_ context.Context, rows []sink.Row) ([]sink.Verdict, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dead {
		return nil, fmt.Errorf("nobody answers")
	}
	if m.rows == nil {
		m.rows = map[schema.EventID]string{}
	}
	verdicts := make([]sink.Verdict, len(rows))
	for i, r := range rows {
		verdicts[i].State = sink.Accepted
		if m.refuse != nil && m.refuse(r.KindName()) {
			verdicts[i] = sink.Verdict{State: sink.Refused, Reason: "no mapping"}
			continue
		}
		if _, ok := m.rows[r.ID()]; ok {
			m.again++
		}
		m.rows[r.ID()] = r.Batch.Header().GetHostname() + " " + r.KindName()
	}
	return verdicts, nil
}

func (m *memory) Close() error { return nil }

// counts returns how many rows of each kind of each host there are.
func (m *memory) counts() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := map[string]int{}
	for _, what := range m.rows {
		counts[what]++
	}
	return counts
}

func want[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("it never came that %s", what)
		}
		select {
		case <-t.Context().Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}
