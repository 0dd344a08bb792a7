// Package servers starts real servers for tests: Apache Kafka, OpenSearch, Elasticsearch. Their jars come
// from Maven Central into .cache/servers at the root of the repository, once for all packages; a server
// takes free ports on 127.0.0.1, keeps its data and its log in the test's directory, and dies with the test.
//
//	func TestMain(m *testing.M) {
//		servers.Main(m, func(t servers.T) { cluster = servers.StartKafka(t, servers.KafkaOptions{}) })
//	}
//
// What it needs of the machine are Debian's packages maven and openjdk-17-jdk-headless. With a JDK 25 or
// newer beside it, the search servers are newer ones. What is missing is a failure that says so.
package servers

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// T is what a server needs of a test. *testing.T is one; Main makes another for a whole package.
type T interface {
	Helper()
	Logf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	TempDir() string
	Failed() bool
}

// Main runs a package's tests between the start and the end of the servers that start starts, and exits.
func Main(m *testing.M, start func(T)) { os.Exit(run(m, start)) }

func run(m *testing.M, start func(T)) (code int) {
	dir, err := os.MkdirTemp("", "weir-servers-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p := &whole{dir: dir, failed: true}
	defer p.end()
	defer func() {
		if r := recover(); r != nil {
			if r != any(p) {
				panic(r)
			}
			code = 1
		}
	}()
	start(p)
	code = m.Run()
	p.failed = code != 0
	return code
}

// whole is the T of a whole package.
type whole struct {
	dir      string
	dirs     int
	failed   bool
	cleanups []func()
}

func (w *whole) Helper()                         {}
func (w *whole) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
func (w *whole) Cleanup(f func())                { w.cleanups = append(w.cleanups, f) }
func (w *whole) Failed() bool                    { return w.failed }

// Fatalf ends run, as nobody but a test can be failed.
func (w *whole) Fatalf(format string, args ...any) {
	w.Logf(format, args...)
	panic(w)
}

func (w *whole) TempDir() string {
	w.dirs++
	dir := filepath.Join(w.dir, fmt.Sprint(w.dirs))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.Fatalf("%v", err)
	}
	return dir
}

func (w *whole) end() {
	for i := len(w.cleanups) - 1; i >= 0; i-- {
		w.cleanups[i]()
	}
	if err := os.RemoveAll(w.dir); err != nil {
		w.Logf("%v", err)
	}
}
