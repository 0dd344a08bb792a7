package enrich

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/weirproject/weir/enrich/lane"
	"github.com/weirproject/weir/internal/kafka"
)

// drainPause is between two looks at how far the groups are; they commit once a second.
const drainPause = 100 * time.Millisecond

// Drain returns once what is in weir.batches when it is called is enriched, and every lane has delivered
// it. When ctx ends before, the error names who is behind and by how much. Run goes on meanwhile.
func (e *Enricher) Drain(ctx context.Context) error {
	if err := e.caughtUp(ctx, Group, kafka.Batches); err != nil {
		return err
	}
	var errs []error
	for name := range e.config.Sinks.Lanes {
		errs = append(errs, e.caughtUp(ctx, lane.Group(name), kafka.Enriched))
	}
	return errors.Join(errs...)
}

// caughtUp waits until the group has committed what the topic holds now.
func (e *Enricher) caughtUp(ctx context.Context, group, topic string) error {
	client := e.deps.Client
	partitions, err := client.Partitions(ctx, topic)
	if err != nil {
		return err
	}
	ends := map[int]int64{}
	for _, p := range partitions {
		if ends[p], err = client.End(ctx, topic, p); err != nil {
			return err
		}
	}
	for {
		committed, err := client.Committed(ctx, group, topic)
		behind := int64(0)
		for p, end := range ends {
			behind += max(0, end-committed[p])
		}
		if err == nil && behind == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("%s is %d records of %s behind", group, behind, topic), err)
		case <-time.After(drainPause):
		}
	}
}
