// Package kafka is all that weir asks of Kafka, over kafka-go, with that client's traps closed: producing
// with acks=all and endless retry, consuming in a group with contiguous commits and visible retention
// gaps, reading a compacted topic to its end, and the topics themselves.
//
// It knows nothing of what is in a record.
package kafka

import (
	"context"
	"time"
)

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Record is one record of a topic.
type Record struct {
	Topic     string
	Partition int // AnyPartition when producing: by murmur2 of Key, as Java's client
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time
}

// AnyPartition leaves the choice to the key.
const AnyPartition = -1

// Fetch is a run of records of one partition, in order.
type Fetch struct {
	Topic     string
	Partition int
	Records   []Record
	// Lost is how many offsets before the first record were deleted by retention before they were read.
	Lost int64
	// End is the partition's end at the time of the fetch: the offset that the next record will get.
	End int64
}

// Handler works on one partition of a group, for as long as it is assigned. Its methods are called by one
// goroutine.
type Handler interface {
	// Handle returns nil when everything that the records ask for is done: then their offsets are
	// committed. It blocks while it cannot go on; an error ends the partition, and it starts again from
	// the last commit after a pause.
	Handle(ctx context.Context, f Fetch) error
	// Close is called when the partition is given up.
	Close() error
}
