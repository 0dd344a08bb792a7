package kafka

import (
	"context"
	"fmt"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

// commitInterval is how often a lane commits while it has something to commit. A consumer that is killed
// sees so much again.
const commitInterval = time.Second

// lane handles one partition during one generation of a group. It belongs to one goroutine.
type lane struct {
	reader reader
	open   Opener
	commit func(offset int64) error

	handled     int64 // everything before it is done; handled >= committed
	committed   int64
	committedAt time.Time

	fetching, handling, committing outage
}

func newLane(c *Client, generation *kafkago.Generation, topic string, p kafkago.PartitionAssignment, open Opener) *lane {
	trouble := func(action string, quiet int) outage {
		args := []any{"group", generation.GroupID, "topic", topic, "partition", p.ID}
		return outage{log: c.log, action: action, quiet: quiet, args: args}
	}
	return &lane{
		reader: reader{client: c, topic: topic, partition: p.ID, position: p.Offset},
		open:   open,
		commit: func(offset int64) error {
			return generation.CommitOffsets(map[string]map[int]int64{topic: {p.ID: offset}})
		},
		handled:    p.Offset,
		committed:  p.Offset,
		fetching:   trouble("fetch", 1),
		handling:   trouble("handle", 0),
		committing: trouble("commit", 1),
	}
}

// run handles the partition until ctx ends, with one handler after the other where they fail.
func (l *lane) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := l.handle(ctx)
		l.flush()
		if ctx.Err() == nil {
			l.handling.failed(err)
			_ = l.handling.pause(ctx) // its error is ctx's, which the loop sees
		}
	}
}

// handle takes the partition through one handler, from what is handled on, until the handler fails or ctx
// ends.
func (l *lane) handle(ctx context.Context) (err error) {
	handler, err := l.open(ctx, l.reader.topic, l.reader.partition)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	defer func() {
		if closing := handler.Close(); err == nil {
			err = closing
		}
	}()
	l.reader.position = l.handled
	for ctx.Err() == nil {
		f, err := l.reader.next(ctx)
		if err != nil {
			l.fetching.failed(err)
			_ = l.fetching.pause(ctx)
			continue
		}
		l.fetching.over()
		if !f.isEmpty() {
			if err := handler.Handle(ctx, f); err != nil {
				return err
			}
			l.handling.over()
		}
		l.handled = l.reader.position
		if time.Since(l.committedAt) >= commitInterval {
			l.flush()
		}
	}
	return nil
}

func (f Fetch) isEmpty() bool {
	return len(f.Records) == 0 && len(f.Damaged) == 0 && f.Lost == 0 && !f.Restarted
}

// flush commits what is handled.
func (l *lane) flush() {
	l.committedAt = time.Now()
	if l.handled == l.committed {
		return
	}
	switch err := l.commit(l.handled); {
	case err == nil:
		l.committing.over()
		l.committed = l.handled
	case !isStale(err):
		l.committing.failed(err)
	}
}
