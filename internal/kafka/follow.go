package kafka

import (
	"context"
	"fmt"
)

// End returns the offset that the next record of a partition will get. It waits for the partition's leader
// until ctx ends.
func (c *Client) End(ctx context.Context, topic string, partition int) (int64, error) {
	trouble := outage{log: c.log, action: "read end", quiet: 1, args: []any{"topic", topic, "partition", partition}}
	end, err := c.end(ctx, topic, partition, &trouble)
	if err != nil {
		return 0, fmt.Errorf("end of %s/%d: %w", topic, partition, err)
	}
	return end, nil
}

// Follow calls fn for what a partition holds from an offset on, and for what comes to it, without a group
// and without commits, until ctx ends; then it returns nil. It returns fn's first error. Troubles with the
// cluster are logged and outlasted.
func (c *Client) Follow(ctx context.Context, topic string, partition int, from int64, fn func(Fetch) error) error {
	trouble := outage{log: c.log, action: "follow", quiet: 1, args: []any{"topic", topic, "partition", partition}}
	r := reader{client: c, topic: topic, partition: partition, position: from}
	for ctx.Err() == nil {
		f, err := r.next(ctx)
		if err != nil {
			trouble.failed(err)
			_ = trouble.pause(ctx) // the loop looks at ctx
			continue
		}
		trouble.over()
		if err := fn(f); err != nil {
			return err
		}
	}
	return nil
}
