package kafka

import (
	"context"
	"errors"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"
)

// fetchTimeout is the watchdog of a fetch: how long a broker may take for an answer, beyond maxWait. A
// connection that is silent for longer is closed.
const fetchTimeout = requestTimeout

// reader reads one partition onwards from a position. It belongs to one goroutine.
type reader struct {
	client    *Client
	topic     string
	partition int
	position  int64 // the offset to read next, or kafkago.FirstOffset
}

// next reads what comes at the position and moves it. The fetch has neither records nor losses where
// nothing came in time, or only what readers do not see: transaction markers, batches that compaction
// emptied. After an error it can be called again.
func (r *reader) next(ctx context.Context) (Fetch, error) {
	f := Fetch{Topic: r.topic, Partition: r.partition}
	if r.position < 0 {
		if err := r.rewind(ctx); err != nil {
			return f, err
		}
	}
	answer, err := r.fetch(ctx)
	switch {
	case errors.Is(err, kafkago.OffsetOutOfRange):
		return r.recover(ctx, f)
	case err != nil:
		r.client.cluster.forget(r.topic)
		return f, err
	}
	d := decode(answer.records, r.position, answer.void, answer.whole)
	for i := range d.records {
		d.records[i].Topic, d.records[i].Partition = r.topic, r.partition
	}
	f.Records, f.Damaged, f.End = d.records, d.damaged, answer.end
	r.position = d.next
	return f, nil
}

func (r *reader) fetch(ctx context.Context) (answer fetched, err error) {
	address, err := r.client.cluster.leader(ctx, r.topic, r.partition)
	if err != nil {
		return answer, err
	}
	err = r.client.cluster.on(ctx, address, func(ctx context.Context, c *conn) error {
		ctx, cancel := context.WithTimeout(ctx, maxWait+fetchTimeout)
		defer cancel()
		answer, err = c.fetch(ctx, r.topic, r.partition, r.position, int(r.client.config.FetchBytes))
		return err
	})
	if err != nil {
		return answer, err
	}
	if answer.err != nil {
		return answer, fmt.Errorf("broker %s: %w", address, answer.err)
	}
	return answer, nil
}

func (r *reader) rewind(ctx context.Context) error {
	first, err := r.client.offset(ctx, r.topic, r.partition, kafkago.FirstOffset)
	if err != nil {
		r.client.cluster.forget(r.topic)
		return err
	}
	r.position = first
	return nil
}

// recover moves a position that the partition does not have: retention passed it by, or the partition is
// not the one that it was.
func (r *reader) recover(ctx context.Context, f Fetch) (Fetch, error) {
	sought := r.position
	if err := r.rewind(ctx); err != nil {
		return f, err
	}
	end, err := r.client.offset(ctx, r.topic, r.partition, kafkago.LastOffset)
	if err != nil {
		r.position = sought
		return f, err
	}
	f.End = end
	if r.position > sought {
		f.Lost = r.position - sought
	} else {
		f.Restarted = true
	}
	return f, nil
}
