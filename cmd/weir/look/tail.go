package look

import (
	"context"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/schema/batch"
)

// Tail is "weir tail": events of weir.enriched as they come.
func Tail() cli.Command {
	var client clientFlags
	return cli.Command{
		Name:  "tail",
		Short: "show events of weir.enriched as they come",
		Long:  "Shows what all hosts do from now on, until Ctrl-C. It joins no consumer group and commits nothing.",
		Flags: client.add,
		Run: func(ctx context.Context, env cli.Env) error {
			c, err := client.open(ctx, env.Log)
			if err != nil {
				return err
			}
			defer c.Close()
			from, err := Ends(ctx, c)
			if err != nil {
				return err
			}
			return Follow(ctx, c, from, env.Stdout)
		},
	}
}

// Ends returns where each partition of weir.enriched ends now.
func Ends(ctx context.Context, c *kafka.Client) (map[int]int64, error) {
	partitions, err := c.Partitions(ctx, kafka.Enriched)
	if err != nil {
		return nil, err
	}
	ends := make(map[int]int64)
	for _, p := range partitions {
		if ends[p], err = c.End(ctx, kafka.Enriched, p); err != nil {
			return nil, err
		}
	}
	return ends, nil
}

// Follow prints what weir.enriched holds from these offsets on, by partition, until ctx ends.
func Follow(ctx context.Context, c *kafka.Client, from map[int]int64, w io.Writer) error {
	printer := NewPrinter(w, cli.Width(w))
	if err := printer.Header(); err != nil {
		return err
	}
	batches := make(chan *batch.Batch) // partitions come together in one table
	g, ctx := errgroup.WithContext(ctx)
	for partition, offset := range from {
		g.Go(func() error {
			return c.Follow(ctx, kafka.Enriched, partition, offset, func(f kafka.Fetch) error {
				return send(ctx, batches, f)
			})
		})
	}
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case b := <-batches:
				if err := printer.Batch(b); err != nil {
					return err
				}
			}
		}
	})
	return g.Wait()
}

// send reads the batches of a fetch. One that cannot be read is the enricher's to tell of.
func send(ctx context.Context, to chan<- *batch.Batch, f kafka.Fetch) error {
	for _, r := range f.Records {
		b, _, err := batch.ReadEnriched(r.Value, batch.DefaultReadLimits())
		if err != nil {
			return fmt.Errorf("%s/%d offset %d: %w", r.Topic, r.Partition, r.Offset, err)
		}
		select {
		case to <- b:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}
