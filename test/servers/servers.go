// Package servers starts real servers for tests: Apache Kafka, OpenSearch, Elasticsearch. Their jars come
// from Maven Central into .cache/servers at the root of the repository, once for all packages; a server
// takes free ports on 127.0.0.1, keeps its data and its log in the test's directory, and dies with the test.
//
//	var cluster = servers.NewShared(func(t servers.T) *servers.Kafka { return servers.StartKafka(t, servers.KafkaOptions{}) })
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Run(m)) }
//
// What it needs of the machine are Debian's packages maven and openjdk-17-jdk-headless. With a JDK 25 or
// newer beside it, the search servers are newer ones. What is missing is a failure that says so.
package servers

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// T is what a server needs of a test. *testing.T is one.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	TempDir() string
	Failed() bool
}

// Shared are servers that the tests of one package share: they are started by the first that asks for
// them, since a fuzz worker or a single test asks for none, and stopped after the last test.
type Shared[V any] struct {
	start func(T) V

	mu      sync.Mutex // guards what follows
	started bool
	whole   whole
	value   V
}

// NewShared returns servers that start starts.
func NewShared[V any](start func(T) V) *Shared[V] { return &Shared[V]{start: start} }

// Get returns the servers, and starts them where they are not.
func (s *Shared[V]) Get(t T) V {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		s.whole.test = t
		s.value = s.start(&s.whole)
		s.started = true
	}
	return s.value
}

// Run runs the package's tests, stops the servers and returns the exit code.
func (s *Shared[V]) Run(m *testing.M) (code int) {
	code = m.Run()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole.failed = code != 0
	s.whole.end()
	return code
}

// whole is the T of a whole package. What fails is the test that asked for the servers.
type whole struct {
	test     T
	dirs     []string
	failed   bool
	cleanups []func()
}

func (w *whole) Helper()                           {}
func (w *whole) Logf(format string, args ...any)   { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (w *whole) Fatalf(format string, args ...any) { w.test.Fatalf(format, args...) }
func (w *whole) Cleanup(f func())                  { w.cleanups = append(w.cleanups, f) }
func (w *whole) Failed() bool                      { return w.failed }

func (w *whole) TempDir() string {
	dir, err := os.MkdirTemp("", "weir-servers-")
	if err != nil {
		w.Fatalf("%v", err)
	}
	w.dirs = append(w.dirs, dir)
	return dir
}

func (w *whole) end() {
	for i := len(w.cleanups) - 1; i >= 0; i-- {
		w.cleanups[i]()
	}
	for _, dir := range w.dirs {
		if err := os.RemoveAll(dir); err != nil {
			w.Logf("%v", err)
		}
	}
}
