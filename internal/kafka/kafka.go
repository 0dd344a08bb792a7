// Package kafka is all that weir asks of Kafka: producing with acks=all and endless retry, consuming in
// a group with contiguous commits and visible retention gaps, reading a compacted topic to its end, and
// the topics themselves.
//
// kafka-go gives the protocol's messages, the group membership and the partitioner; connections,
// metadata, produce, fetch and the decoding of what is fetched are here, since that is where its traps
// are (docs/decisions/0003-kafka-client.md). The files, from the outside in:
//
//	kafka.go     records, fetches and handlers       config.go, security.go  what is configured
//	client.go    Open, Ping, WaitReachable           topics.go, ensure.go    names, specs, creation, checks
//	produce.go   records to leaders                  consume.go, lane.go     a group, a partition of it
//	readall.go   a compacted topic                   reader.go, decode.go    one partition; bytes to records
//	cluster.go   metadata, connections by broker     conn.go                 one connection
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
	Value     []byte // nil is a tombstone
	Headers   []Header
	Time      time.Time // when producing, zero is now
}

// AnyPartition leaves the choice to the key.
const AnyPartition = -1

// Fetch is a run of records of one partition, in order. Its bytes are the receiver's.
type Fetch struct {
	Topic     string
	Partition int
	Records   []Record
	// Lost is how many offsets before the first record were deleted by retention before they were read.
	Lost int64
	// Restarted says that the partition ends before what was to be read: its topic was made anew or cut
	// off. Reading goes on at its beginning, with offsets that came before.
	Restarted bool
	// Damaged are the offsets, among or around the records, that could not be read and are skipped.
	Damaged []Damage
	// End is the partition's end at the time of the fetch: the offset that the next record will get.
	End int64
}

// Damage is a run of offsets whose records cannot be read, first to last, both included.
type Damage struct {
	First, Last int64
	Err         error
}

// Handler works on one partition of a group, for as long as it is assigned. Its methods are called by one
// goroutine.
type Handler interface {
	// Handle returns nil when everything that the fetch asks for is done: then its offsets are committed
	// within a second, or at once when the partition is given up. It blocks while it cannot go on, and
	// returns soon after ctx ends, since a group waits for all its members; an error ends the partition,
	// and it starts again, with a new handler and from the last commit, after a pause.
	Handle(ctx context.Context, f Fetch) error
	// Close is called when the partition is given up.
	Close() error
}
