package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/produce"
	"golang.org/x/sync/errgroup"
)

const (
	// ackTimeout is how long a leader may wait for its in-sync replicas.
	ackTimeout = 30 * time.Second
	// requestBytes is how much goes into one request: below the brokers' usual bound of 1 MiB. A larger
	// record goes alone, and the broker judges it.
	requestBytes = 900 << 10
	// maxRecordBytes is below the 100 MiB at which a broker closes the connection without a word.
	maxRecordBytes = 64 << 20
	// recordOverhead is at least what a record takes beside its bytes: lengths, deltas, attributes.
	recordOverhead = 32
	// maxParallel bounds the partitions that one Produce writes to at once.
	maxParallel = 8
)

// Produce writes the records and returns once all in-sync replicas have them. Within a partition they
// keep their order. What may succeed later is tried until ctx ends, and may then be there twice; what
// never will is a *RecordError (of several, the first that was met). Records for different partitions are
// written at the same time.
//
// Two calls at the same time may write to the same partition in either order: who needs one write in
// flight makes one call at a time.
func (c *Client) Produce(ctx context.Context, records ...Record) error {
	lanes, err := c.route(ctx, records)
	if err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	if len(lanes) == 1 {
		return lanes[0].run(ctx)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxParallel)
	for _, lane := range lanes {
		group.Go(func() error { return lane.run(ctx) })
	}
	return group.Wait()
}

// writing is what one Produce has for one partition.
type writing struct {
	client    *Client
	topic     string
	partition int
	records   []Record
	indexes   []int // of records, in Produce's arguments
	outage    outage
	doubtful  time.Time // since when the failure is one that is only retried briefly
}

// route sorts the records by partition.
func (c *Client) route(ctx context.Context, records []Record) ([]*writing, error) {
	type place struct {
		topic     string
		partition int
	}
	var order []*writing
	byPlace := map[place]*writing{}
	for i, r := range records {
		number, err := c.partition(ctx, i, r)
		if err != nil {
			return nil, err
		}
		at := place{r.Topic, number}
		w := byPlace[at]
		if w == nil {
			w = &writing{client: c, topic: r.Topic, partition: number}
			w.outage = outage{log: c.log, action: "produce", quiet: 1, args: []any{"topic", r.Topic, "partition", number}}
			byPlace[at] = w
			order = append(order, w)
		}
		w.records, w.indexes = append(w.records, r), append(w.indexes, i)
	}
	return order, nil
}

// partition returns where a record goes, waiting for its topic's metadata where the key decides.
func (c *Client) partition(ctx context.Context, index int, r Record) (int, error) {
	if r.Partition != AnyPartition {
		return r.Partition, nil
	}
	w := writing{client: c, topic: r.Topic, partition: AnyPartition, indexes: []int{index}}
	w.outage = outage{log: c.log, action: "find topic", quiet: 1, args: []any{"topic", r.Topic}}
	for {
		layout, err := c.cluster.layout(ctx, r.Topic)
		if err == nil && len(layout.ids) > 0 {
			w.outage.over()
			return partition(r.Key, layout.ids), nil
		}
		if err == nil {
			err = kafkago.LeaderNotAvailable
		}
		if err := w.wait(ctx, err); err != nil {
			return 0, err
		}
	}
}

// run writes the records in order, as many at once as a request may hold.
func (w *writing) run(ctx context.Context) error {
	for start := 0; start < len(w.records); {
		end := w.fill(start)
		if err := w.write(ctx, start, end); err != nil {
			return fmt.Errorf("produce: %w", err)
		}
		start = end
	}
	return nil
}

// fill returns the end of the records from start that one request holds: at least one.
func (w *writing) fill(start int) int {
	total := 0
	for i, r := range w.records[start:] {
		if total += size(r); total > requestBytes && i > 0 {
			return start + i
		}
	}
	return len(w.records)
}

func size(r Record) int {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 2*5 + len(h.Key) + len(h.Value)
	}
	return n
}

// write writes the records start to end, until it succeeds, is in vain, or ctx ends.
func (w *writing) write(ctx context.Context, start, end int) error {
	if end-start == 1 && size(w.records[start]) > maxRecordBytes {
		return w.refuse(start, ErrTooLarge)
	}
	for {
		err := w.try(ctx, w.records[start:end])
		if err == nil {
			w.outage.over()
			w.doubtful = time.Time{}
			return nil
		}
		remedy, reason := judge(err)
		if remedy == split && end-start > 1 {
			middle := start + (end-start)/2
			if err := w.write(ctx, start, middle); err != nil {
				return err
			}
			return w.write(ctx, middle, end)
		}
		if remedy == split || remedy == giveUp {
			return w.refuse(start, fmt.Errorf("%w: %w", reason, err))
		}
		if err := w.waitFor(ctx, start, err); err != nil {
			return err
		}
	}
}

// wait is waitFor on behalf of the first record.
func (w *writing) wait(ctx context.Context, err error) error { return w.waitFor(ctx, 0, err) }

// waitFor pauses after a failure. It returns an error when there is no use in trying again.
func (w *writing) waitFor(ctx context.Context, start int, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s/%d: %w", w.topic, w.partition, errors.Join(context.Cause(ctx), err))
	}
	switch remedy, reason := judge(err); {
	case remedy == giveUp:
		return w.refuse(start, fmt.Errorf("%w: %w", reason, err))
	case remedy != retryBriefly:
		w.doubtful = time.Time{}
	case w.doubtful.IsZero():
		w.doubtful = time.Now()
	case time.Since(w.doubtful) > w.client.patience:
		return w.refuse(start, fmt.Errorf("%w: %w", reason, err))
	}
	w.client.cluster.forget(w.topic)
	w.outage.failed(err)
	if w.outage.pause(ctx) != nil {
		return fmt.Errorf("%s/%d: %w", w.topic, w.partition, errors.Join(context.Cause(ctx), err))
	}
	return nil
}

func (w *writing) refuse(at int, reason error) error {
	return &RecordError{Index: w.indexes[at], Topic: w.topic, Partition: w.partition, Err: reason}
}

// try sends one request to the partition's leader.
func (w *writing) try(ctx context.Context, records []Record) error {
	address, err := w.client.cluster.leader(ctx, w.topic, w.partition)
	if err != nil {
		return err
	}
	message, err := w.client.cluster.do(ctx, address, produceRequest(w.topic, w.partition, records), ackTimeout+requestTimeout)
	if err != nil {
		return err
	}
	response := message.(*produce.Response)
	if len(response.Topics) != 1 || len(response.Topics[0].Partitions) != 1 {
		return fmt.Errorf("broker %s answers for another partition", address)
	}
	p := response.Topics[0].Partitions[0]
	return brokerError(p.ErrorCode, p.ErrorMessage)
}

func produceRequest(topic string, partition int, records []Record) *produce.Request {
	out := make([]protocol.Record, len(records))
	for i, r := range records {
		out[i] = protocol.Record{Key: protocol.NewBytes(r.Key), Value: protocol.NewBytes(r.Value), Time: r.Time}
		for _, h := range r.Headers {
			out[i].Headers = append(out[i].Headers, protocol.Header{Key: h.Key, Value: h.Value})
		}
	}
	set := protocol.RecordSet{Version: 2, Records: protocol.NewRecordReader(out...)}
	return &produce.Request{
		Acks:    int16(kafkago.RequireAll),
		Timeout: int32(ackTimeout.Milliseconds()),
		Topics: []produce.RequestTopic{{
			Topic:      topic,
			Partitions: []produce.RequestPartition{{Partition: int32(partition), RecordSet: set}},
		}},
	}
}
