// Package sink is the seam between the enricher's lanes and the destinations: what a destination has to
// do (Sink), how it is configured (Destination, Config), and the runner that gives every one of them
// batching, retry, back-pressure and verdicts an event.
//
// It knows nothing of Kafka, of enrichment, or of any destination.
package sink

import (
	"context"
	"log/slog"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/batch"
)

// Origin is where a batch was read from.
type Origin struct {
	Topic     string
	Partition int
	Offset    int64
}

// Batch is one enriched batch on its way to a destination. Sinks take the shape that they want of it.
type Batch struct {
	*batch.Batch
	Enrichment *weirv1.Enrichment
	Origin     Origin
	// Documents renders rows as nested ECS JSON.
	Documents Documents
}

// Documents renders the rows of one batch, each as one JSON object without a line's end.
type Documents interface {
	Append(dst []byte, row batch.Row) []byte
}

// Row is one event of a batch.
type Row struct {
	Batch *Batch
	batch.Row
}

// State is how the delivery of one row ended.
type State uint8

const (
	// Accepted: the destination has the event.
	Accepted State = iota + 1
	// Duplicate: the destination had it already.
	Duplicate
	// Retry: not now; the same event may be taken later.
	Retry
	// Refused: this event will never be taken; it goes to weir.deadletter.
	Refused
)

// Verdict is what the destination said of one row.
type Verdict struct {
	State  State
	After  time.Duration // Retry: not before; 0 leaves it to the runner
	Reason string        // Retry, Refused: the destination's words
}

// Sink is one open destination. A lane has one, and its partitions may call Deliver at the same time.
type Sink interface {
	// Deliver hands over the rows and returns once the destination has told what became of them, or ctx
	// ends: one verdict a row, in their order. An error means that no row was taken, or that it is not
	// known; all of them may be tried again.
	Deliver(ctx context.Context, rows []Row) ([]Verdict, error)
	// Close flushes what the destination still buffers.
	Close() error
}

// Env is what a sink gets from the process that it runs in.
type Env struct {
	Log *slog.Logger
	// Data is a directory for files that belong to this sink, or empty.
	Data string
}

// Config is the configuration of one destination, decoded strictly into defaults.
type Config interface {
	// Validate joins all faults.
	Validate() error
	// Open makes the sink ready; it may wait for the destination until ctx ends.
	Open(ctx context.Context, env Env) (Sink, error)
}

// Destination is a kind of sink; sink/all lists them.
type Destination struct {
	// Type is the configuration's word for it, such as "elasticsearch".
	Type string
	// Config returns a new configuration that holds the defaults.
	Config func() Config
}
