// Package elasticsearch is the destination elasticsearch: a data stream of Elasticsearch or OpenSearch, over
// HTTP alone.
//
//	rows ──body──► POST /weir-events/_bulk ──► one item a row ──► verdicts
//
// Every event is created under its id. What the stream's newest backing index has already is answered with
// 409 and counts as a duplicate, so an event is there once however often it is sent, unless the stream
// rolled over between two attempts: then it may be there twice, with the same _id and event.id.
//
// An item that the server cannot take now (429, 5xx, a blocked index) is retried alone; one that it will
// never take (a mapping that refuses it) is refused with the server's reason, and so is one that the server
// diverted to its failure store. A request that is too large is cut in halves.
package elasticsearch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/weirproject/weir/schema/ecs"
	"github.com/weirproject/weir/sink"
)

// Destination is the kind of sink.
var Destination = sink.Destination{Type: "elasticsearch", Config: func() sink.Config { return Default() }}

// Sink is an open destination. Partitions of a lane may deliver at once.
type Sink struct {
	config  *Config
	cluster *cluster
	log     *slog.Logger
	bodies  sync.Pool // of *body: as many as deliver at once
	// Most bytes of a request; it shrinks when the server says that one was too large.
	limit    atomic.Int64
	template template
}

// Open reads the files that the configuration names. It does not wait for the server: what the server needs
// is made before the first request, so that one that is away at the start is an outage like any other.
func (c *Config) Open(_ context.Context, env sink.Env) (sink.Sink, error) {
	s, err := open(c, env.Log)
	if err != nil {
		return nil, fmt.Errorf("open elasticsearch %s: %w", c.DataStream, err)
	}
	return s, nil
}

func open(c *Config, log *slog.Logger) (*Sink, error) {
	body, err := ecs.IndexTemplate(c.DataStream)
	if err != nil {
		return nil, err
	}
	cluster, err := newCluster(c, log)
	if err != nil {
		return nil, err
	}
	s := &Sink{config: c, cluster: cluster, log: log, template: template{body: body}}
	s.bodies.New = newPlainBody
	if c.Compress {
		s.bodies.New = newGzipBody
	}
	s.limit.Store(int64(c.RequestBytes))
	return s, nil
}

// Deliver sends the rows in as many requests as their bytes need.
func (s *Sink) Deliver(ctx context.Context, rows []sink.Row) ([]sink.Verdict, error) {
	if err := s.installTemplate(ctx); err != nil {
		return nil, err
	}
	b := s.bodies.Get().(*body)
	defer s.bodies.Put(b)
	verdicts := make([]sink.Verdict, 0, len(rows))
	for len(verdicts) < len(rows) {
		got, err := s.send(ctx, b, rows[len(verdicts):])
		if err != nil && len(verdicts) == 0 {
			return nil, err
		}
		if err != nil { // what is settled stays settled
			return append(verdicts, later(len(rows)-len(verdicts), sink.Verdict{Reason: err.Error()})...), nil
		}
		verdicts = append(verdicts, got...)
	}
	return verdicts, nil
}

// send makes one request of the first rows, and gives their verdicts: at least one.
func (s *Sink) send(ctx context.Context, b *body, rows []sink.Row) ([]sink.Verdict, error) {
	n, err := b.fill(rows, int(s.limit.Load()))
	if err != nil {
		return nil, err
	}
	verdicts, err := s.post(ctx, b)
	r, isRejected := errors.AsType[*rejected](err)
	switch {
	case !isRejected:
		return verdicts, err
	case r.Status == http.StatusRequestEntityTooLarge && n == 1:
		return []sink.Verdict{{State: sink.Refused, Reason: fmt.Sprintf("event of %d bytes is larger than the server takes: %v", b.plain, r)}}, nil
	case r.Status == http.StatusRequestEntityTooLarge:
		s.shrink(b.plain / 2)
		return s.send(ctx, b, rows[:(n+1)/2])
	case r.After > 0 || r.Status == http.StatusTooManyRequests:
		return later(n, sink.Verdict{After: r.After, Reason: r.Error()}), nil
	}
	return nil, r
}

// shrink makes later requests as small as the server wants them.
func (s *Sink) shrink(limit int) {
	if old := s.limit.Load(); int64(limit) < old && s.limit.CompareAndSwap(old, int64(limit)) {
		s.log.Warn("request is larger than the server takes; requests are smaller from now on", "request_bytes", limit)
	}
}

func (s *Sink) post(ctx context.Context, b *body) ([]sink.Verdict, error) {
	answer, err := s.cluster.do(ctx, request{
		method:      http.MethodPost,
		path:        "/" + s.config.DataStream + "/_bulk?filter_path=" + filterPath,
		contentType: "application/x-ndjson",
		gzip:        b.gzip != nil,
		body:        b.buffer.Bytes(),
	})
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, newRejected(answer.Request.URL.Host, answer)
	}
	defer discard(answer)
	return readItems(answer.Body, b.ids)
}

// later gives n rows the same verdict, to be tried again.
func later(n int, v sink.Verdict) []sink.Verdict {
	v.State = sink.Retry
	return slices.Repeat([]sink.Verdict{v}, n)
}

// Close gives up the idle connections. Nothing is buffered.
func (s *Sink) Close() error {
	s.cluster.client.CloseIdleConnections()
	return nil
}
