package kafka

import (
	"context"
	"fmt"

	kafkago "github.com/segmentio/kafka-go"
)

// DamagedError tells, after everything else was read, what could not be.
type DamagedError struct {
	Topic     string
	Partition int
	Damaged   []Damage
}

func (e *DamagedError) Error() string {
	d := e.Damaged[0]
	return fmt.Sprintf("read %s/%d: %d damaged places, the first at offsets %d to %d: %v", e.Topic, e.Partition, len(e.Damaged), d.First, d.Last, d.Err)
}

// ReadAll calls fn for each record of a partition, from its first to what is its end when ReadAll begins,
// and returns fn's first error. It waits for the partition's leader until ctx ends. Where records could
// not be read it goes on behind them, and returns a *DamagedError at the end: what is rebuilt from a topic
// must not lack a part in silence, and one bad record must not keep the rest away.
func (c *Client) ReadAll(ctx context.Context, topic string, partition int, fn func(Record) error) error {
	trouble := outage{log: c.log, action: "read", quiet: 1, args: []any{"topic", topic, "partition", partition}}
	end, err := c.end(ctx, topic, partition, &trouble)
	if err != nil {
		return fmt.Errorf("read %s/%d: %w", topic, partition, err)
	}
	var damaged []Damage
	r := reader{client: c, topic: topic, partition: partition, position: kafkago.FirstOffset}
	for r.position < end {
		f, err := r.next(ctx)
		if err != nil {
			trouble.failed(err)
			if ctx.Err() != nil || trouble.pause(ctx) != nil {
				return fmt.Errorf("read %s/%d: %w", topic, partition, err)
			}
			continue
		}
		trouble.over()
		if f.Restarted { // it was cut off while it was read, and may never reach its old end
			end = min(end, f.End)
		}
		damaged = append(damaged, f.Damaged...)
		for _, record := range f.Records {
			if err := fn(record); err != nil {
				return err
			}
		}
	}
	if len(damaged) > 0 {
		return &DamagedError{Topic: topic, Partition: partition, Damaged: damaged}
	}
	return nil
}

func (c *Client) end(ctx context.Context, topic string, partition int, trouble *outage) (int64, error) {
	for {
		end, err := c.offset(ctx, topic, partition, kafkago.LastOffset)
		if err == nil {
			trouble.over()
			return end, nil
		}
		c.cluster.forget(topic)
		trouble.failed(err)
		if ctx.Err() != nil || trouble.pause(ctx) != nil {
			return 0, err
		}
	}
}
