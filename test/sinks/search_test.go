// Package sinks_test runs the sinks' conformance suite against real servers: what an in-process stand-in
// answers is what its author has read, not what a server says.
package sinks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/elasticsearch"
	"github.com/weirproject/weir/sink/sinktest"
	"github.com/weirproject/weir/test/servers"
)

func TestOpenSearch(t *testing.T)    { testSearch(t, servers.StartOpenSearch(t)) }
func TestElasticsearch(t *testing.T) { testSearch(t, servers.StartElasticsearch(t)) }

func testSearch(t *testing.T, server string) {
	streams := 0
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		streams++
		s := newSearch(t, server, fmt.Sprintf("weir-test-%d", streams))
		return sinktest.Harness{
			Open:      func(t *testing.T) sink.Sink { return open(t, s.config()) },
			Documents: s.documents,
			Once:      true,
			Break: func(*testing.T) func() {
				s.away.Store(true)
				return func() { s.away.Store(false) }
			},
			Poison: func(document []byte) []byte {
				return bytes.Replace(document, []byte(`"@timestamp":"2`), []byte(`"@timestamp":"no date, 2`), 1)
			},
		}
	})
	t.Run("the index template fits every kind", func(t *testing.T) { testGolden(t, newSearch(t, server, "weir-kinds")) })
	t.Run("a full disk refuses nothing", func(t *testing.T) { testFullDisk(t, newSearch(t, server, "weir-full")) })
	t.Run("a cluster without room for shards refuses nothing", func(t *testing.T) { testNoShards(t, newSearch(t, server, "weir-shards")) })
}

// search is a data stream behind a proxy that can go away.
type search struct {
	server, stream string
	front          *httptest.Server
	away           atomic.Bool
}

func newSearch(t *testing.T, server, stream string) *search {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	s := &search{server: server, stream: stream}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // requests that tests cancel
	s.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away.Load() {
			panic(http.ErrAbortHandler) // closes the connection
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.front.Close)
	return s
}

func (s *search) config() *elasticsearch.Config {
	cfg := elasticsearch.Default()
	cfg.URLs, cfg.DataStream = []string{s.front.URL}, s.stream
	return cfg
}

// call asks the server itself, and fails the test for any status but those.
func (s *search) call(t *testing.T, method, path, body string, statuses ...int) []byte {
	t.Helper()
	return servers.Call(t, method, s.server+path, body, statuses...)
}

// documents are those of the data stream; none where it is not there yet.
func (s *search) documents(t *testing.T) [][]byte {
	t.Helper()
	s.call(t, http.MethodPost, "/"+s.stream+"/_refresh", "", http.StatusNotFound)
	text := s.call(t, http.MethodPost, "/"+s.stream+"/_search?size=10000&ignore_unavailable=true", `{"query":{"match_all":{}}}`)
	var found struct {
		Hits struct {
			Hits []struct {
				Source json.RawMessage `json:"_source"`
			}
		}
	}
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	var list [][]byte
	for _, hit := range found.Hits.Hits {
		list = append(list, hit.Source)
	}
	return list
}

// testFullDisk sets the block that both servers set at the flood-stage watermark.
func testFullDisk(t *testing.T, s *search) {
	target, b := open(t, s.config()), sinktest.Batch(t, 2)
	rows := rowsOf(b)
	deliver(t, target, rows[:1], sink.Accepted)
	path := "/" + s.stream + "/_settings"
	s.call(t, http.MethodPut, path, `{"index.blocks.read_only_allow_delete":true}`)
	deliver(t, target, rows[1:], sink.Retry)
	s.call(t, http.MethodPut, path, `{"index.blocks.read_only_allow_delete":null}`)
	deliver(t, target, rows[1:], sink.Accepted)
}

func testNoShards(t *testing.T, s *search) {
	target, rows := open(t, s.config()), rowsOf(sinktest.Batch(t, 1))
	s.call(t, http.MethodPut, "/_cluster/settings", `{"persistent":{"cluster.max_shards_per_node":1}}`)
	deliver(t, target, rows, sink.Retry)
	s.call(t, http.MethodPut, "/_cluster/settings", `{"persistent":{"cluster.max_shards_per_node":null}}`)
	deliver(t, target, rows, sink.Accepted)
}

func open(t *testing.T, cfg sink.Config) sink.Sink {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := cfg.Open(t.Context(), sink.Env{Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // the suite closes it, unless the test failed before
	return s
}

func rowsOf(b *sink.Batch) []sink.Row {
	var rows []sink.Row
	for row := range b.Rows() {
		rows = append(rows, row)
	}
	return rows
}

func deliver(t *testing.T, s sink.Sink, rows []sink.Row, want sink.State) {
	t.Helper()
	verdicts, err := s.Deliver(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range verdicts {
		if v.State != want {
			t.Errorf("verdict %+v, want state %d", v, want)
		}
	}
}

// golden are the documents of schema/ecs, one a kind, as the rows of a batch.
type golden [][]byte

func readGolden(t *testing.T) golden {
	t.Helper()
	paths, err := filepath.Glob("../../schema/ecs/testdata/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	var g golden
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var line bytes.Buffer
		if err := json.Compact(&line, text); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		g = append(g, line.Bytes())
	}
	return g
}

// Append implements [sink.Documents].
func (g golden) Append(dst []byte, row batch.Row) []byte { return append(dst, g[row.Index]...) }

// testGolden makes sure that the index template fits what the encoder writes: nothing is refused, and no
// field is ignored for its value.
func testGolden(t *testing.T, s *search) {
	documents := readGolden(t)
	b := sinktest.Batch(t, len(documents))
	b.Documents = documents
	deliver(t, open(t, s.config()), rowsOf(b), sink.Accepted)
	if got := len(s.documents(t)); got != len(documents) {
		t.Errorf("%d documents, want %d", got, len(documents))
	}
	text := s.call(t, http.MethodPost, "/"+s.stream+"/_search", `{"query":{"exists":{"field":"_ignored"}}}`)
	if !bytes.Contains(text, []byte(`"hits":[]`)) {
		t.Errorf("fields were ignored: %s", text)
	}
}
