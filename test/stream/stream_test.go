package stream_test

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/weirproject/weir/test/servers"
)

// stream is one collector and one enricher between this machine's kernel and its sinks.
type stream struct {
	t      *testing.T
	dir    string
	kafka  *servers.Kafka
	search search // where a lane named search goes
	// attachment names the collector's hooks in the kernel: each test has its own.
	attachment string
	enrichers  string // the program's name, where it is not weir-enrich
	lanes      []lane
	collector  *program
	enricher   *program
}

// newStream starts a Kafka, and nothing else yet.
func newStream(t *testing.T) *stream {
	t.Helper()
	name := strings.ToLower(regexp.MustCompile(`[a-z][A-Z]`).ReplaceAllStringFunc(t.Name(), func(s string) string { return s[:1] + "-" + s[1:] }))
	s := &stream{
		t: t, dir: t.TempDir(), kafka: servers.StartKafka(t, servers.KafkaOptions{}),
		search:     search{url: shared.Get(t).openSearch, stream: "weir-" + strings.TrimPrefix(name, "test-")},
		attachment: fmt.Sprintf("test-%016x", rand.Uint64()),
	}
	t.Cleanup(func() { // a collector that was killed leaves its hooks behind
		if err := os.RemoveAll(filepath.Join("/sys/fs/bpf/weir", s.attachment)); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *stream) in(name string) string { return filepath.Join(s.dir, name) }

func (s *stream) write(name, format string, args ...any) (path string) {
	s.t.Helper()
	path = s.in(name)
	if err := os.WriteFile(path+".new", fmt.Appendf(nil, format, args...), 0o644); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// collect starts the collector, with further lines of configuration.
func (s *stream) collect(also ...string) {
	s.t.Helper()
	path := s.write("collector.yaml", `
data: %s
attachment: %s
kafka:
  brokers: [%s]
kinds: [process.exec, process.exit, network.connect, network.accept, network.listen, network.close]
require: [process.exec, process.exit, network.connect, network.listen, network.close]
batch:
  age: 100ms
heartbeat: 1s
%s
`, s.in("collector"), s.attachment, s.kafka.Addresses[0], strings.Join(also, "\n"))
	s.collector = start(s.t, s.dir, "weir-collector", "-config", path)
}

// collects starts the collector and waits until its hooks are attached.
func (s *stream) collects(also ...string) {
	s.t.Helper()
	before := 0
	if s.collector != nil {
		before = s.collector.says(published)
	}
	s.collect(also...)
	s.collector.hasSaid(published, before+1)
}

// published is what the collector says once Kafka has its first batch, that of weir.started.
const published = `msg="kafka takes batches"`

// lane is the configuration of one lane.
type lane struct{ name, text string }

// to is a lane that does not wait long to try again.
func to(name, destination string, args ...any) lane {
	return lane{name, fmt.Sprintf("  %s:\n    retry_longest: 500ms\n    to:\n      %s\n", name, fmt.Sprintf(destination, args...))}
}

// The lanes of most tests.

func (s *stream) toSearch() lane {
	return to("search", "elasticsearch: {urls: ['%s'], data_stream: %s}", s.search.url, s.search.stream)
}

func (s *stream) toFiles() lane { return to("files", "file: {directory: %s}", s.in("events")) }

func (s *stream) toKafka() lane { return to("rows", "kafka: {brokers: [%s]}", s.kafka.Addresses[0]) }

// enrich starts the enricher with these lanes.
func (s *stream) enrich(lanes ...lane) {
	s.t.Helper()
	s.lanes = lanes
	if _, err := os.Stat(s.in("inventory.yaml")); err != nil {
		s.write("inventory.yaml", "instances: []\n")
	}
	var sinks strings.Builder
	for _, l := range lanes {
		sinks.WriteString(l.text)
	}
	path := s.write("enrich.yaml", `
data: %s
kafka:
  brokers: [%s]
topics:
  partitions: 3
inventory:
  files: [%s]
sinks:
%s`, s.in("enrich"), s.kafka.Addresses[0], s.in("inventory.yaml"), &sinks)
	s.enricher = start(s.t, s.dir, cmp.Or(s.enrichers, "weir-enrich"), "-config", path)
}

// settles stops the collector in good order, takes its hooks off, and waits until the books balance.
func (s *stream) settles() ledger {
	s.t.Helper()
	s.collector.stop()
	s.detach()
	return s.balances()
}

// detach takes the hooks off that a collector has left.
func (s *stream) detach() {
	s.t.Helper()
	start(s.t, s.dir, "weir-collector", "detach", "-config", s.in("collector.yaml")).ends()
}

// balances waits until every lane has all that was sent and the books are closed without a difference.
func (s *stream) balances() (books ledger) {
	s.t.Helper()
	await(s.t, "the books close", func() (err error) {
		books, err = s.ledger()
		return errors.Join(err, books.closed(s.lanes))
	})
	return books
}
