package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

const (
	// fetchVersion is the newest that kafka-go writes; brokers have it since Kafka 2.3.
	fetchVersion = 11
	// maxWait is how long a broker may hold back an answer that would be empty.
	maxWait = time.Second
	// readCommitted hides what transactions have not committed.
	readCommitted = 1
	// responseSlack is what a response takes beside its records: a few numbers, a name, aborted transactions.
	responseSlack = 1 << 20
)

// fetched is one answer to a fetch of one partition.
type fetched struct {
	err     error
	end     int64 // of what may be read now
	void    []aborted
	records []byte
	whole   bool
}

// fetch asks for the records of a partition from an offset on. It reads the answer itself, as no more of
// it may be held than limit, whatever the broker sends: what is beyond is discarded.
func (c *conn) fetch(ctx context.Context, topic string, partition int, offset int64, limit int) (f fetched, err error) {
	if v := c.versions[protocol.Fetch]; v != fetchVersion {
		return f, fmt.Errorf("it is older than Kafka 2.3: fetch version %d, need %d", v, fetchVersion)
	}
	err = c.within(ctx, func() error {
		if err := protocol.WriteRequest(c.wire, fetchVersion, 0, c.clientID, fetchRequest(topic, partition, offset, limit)); err != nil {
			return err
		}
		data, whole, err := readFrame(c.wire, limit+responseSlack)
		if err != nil {
			return err
		}
		f, err = parseFetch(data, whole)
		return err
	})
	return f, err
}

func fetchRequest(topic string, partition int, offset int64, limit int) *fetch.Request {
	return &fetch.Request{
		ReplicaID:      -1,
		MaxWaitTime:    int32(maxWait.Milliseconds()),
		MinBytes:       1,
		MaxBytes:       int32(limit),
		IsolationLevel: readCommitted,
		SessionEpoch:   -1, // no session
		Topics: []fetch.RequestTopic{{
			Topic: topic,
			Partitions: []fetch.RequestPartition{{
				Partition:          int32(partition),
				CurrentLeaderEpoch: -1,
				FetchOffset:        offset,
				LogStartOffset:     -1,
				PartitionMaxBytes:  int32(limit),
			}},
		}},
	}
}

// readFrame reads one response, of which it keeps limit bytes.
func readFrame(r io.Reader, limit int) (data []byte, whole bool, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, false, err
	}
	size := int64(int32(binary.BigEndian.Uint32(head[:])))
	if size < 4 {
		return nil, false, errFetchResponse
	}
	data = make([]byte, min(size, int64(limit)))
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, false, err
	}
	rest := size - int64(len(data))
	_, err = io.CopyN(io.Discard, r, rest)
	return data, rest == 0, err
}

var errFetchResponse = errors.New("a fetch response that does not fit its lengths")

// parseFetch reads a version 11 response for one partition. Its records are the last field, which may be
// cut where the frame was.
func parseFetch(data []byte, whole bool) (fetched, error) {
	in := fields{data: data}
	in.skip(4 + 4) // correlation, throttle
	if code := in.int16(); code != 0 {
		return fetched{err: kafkago.Error(code)}, nil
	}
	in.skip(4) // session
	topics := in.int32()
	in.skip(int(in.int16())) // the topic's name
	partitions := in.int32()
	in.skip(4) // the partition
	code := in.int16()
	in.skip(8) // high watermark
	f := fetched{err: brokerError(code, ""), end: in.int64(), whole: whole}
	in.skip(8) // log start
	for n := in.int32(); n > 0 && !in.bad; n-- {
		f.void = append(f.void, aborted{producer: in.int64(), first: in.int64()})
	}
	in.skip(4) // preferred replica
	size := in.int32()
	if in.bad || topics != 1 || partitions != 1 {
		return fetched{}, errFetchResponse
	}
	f.records = in.data
	if size >= 0 && int(size) < len(f.records) {
		f.records = f.records[:size]
	}
	return f, nil
}

// fields reads fixed numbers. After an error it stays bad.
type fields struct {
	data []byte
	bad  bool
}

func (f *fields) take(n int) []byte {
	if n < 0 || n > len(f.data) {
		f.bad = true
	}
	if f.bad {
		return make([]byte, 8)
	}
	part := f.data[:n]
	f.data = f.data[n:]
	return part
}

func (f *fields) skip(n int)   { f.take(n) }
func (f *fields) int16() int16 { return int16(binary.BigEndian.Uint16(f.take(2))) }
func (f *fields) int32() int32 { return int32(binary.BigEndian.Uint32(f.take(4))) }
func (f *fields) int64() int64 { return int64(binary.BigEndian.Uint64(f.take(8))) }

// offset returns a partition's first offset, or the end of what is committed.
func (c *Client) offset(ctx context.Context, topic string, partition int, which int64) (int64, error) {
	address, err := c.cluster.leader(ctx, topic, partition)
	if err != nil {
		return 0, err
	}
	message, err := c.cluster.do(ctx, address, &listoffsets.Request{
		ReplicaID:      -1,
		IsolationLevel: readCommitted,
		Topics: []listoffsets.RequestTopic{{
			Topic:      topic,
			Partitions: []listoffsets.RequestPartition{{Partition: int32(partition), CurrentLeaderEpoch: -1, Timestamp: which}},
		}},
	}, requestTimeout)
	if err != nil {
		return 0, err
	}
	response := message.(*listoffsets.Response)
	if len(response.Topics) != 1 || len(response.Topics[0].Partitions) != 1 {
		return 0, fmt.Errorf("broker %s answers for another partition", address)
	}
	p := response.Topics[0].Partitions[0]
	return p.Offset, brokerError(p.ErrorCode, "")
}
