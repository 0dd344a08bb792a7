package collector

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/internal/config"
)

// spoolCommand lets people look into a spool.
func spoolCommand() cli.Command {
	return cli.Command{
		Name:  "spool",
		Short: "look into the spool",
		Sub: []cli.Command{{
			Name:  "list",
			Args:  "DIR",
			Short: "list the batches of the spool in a data directory, and check every byte",
			Run: func(_ context.Context, env cli.Env) error {
				if len(env.Args) != 1 {
					return cli.Usagef("one data directory is wanted, such as /var/lib/weir")
				}
				return listSpool(env, env.Args[0])
			},
		}},
	}
}

func listSpool(env cli.Env, dir string) error {
	table := cli.NewTable(env.Stdout, cli.Width(env.Stdout),
		cli.Column{Title: "SEGMENT", Width: 16},
		cli.Column{Title: "OFFSET", Width: 10, Right: true},
		cli.Column{Title: "BYTES", Width: 10, Right: true},
		cli.Column{Title: "BATCH", Width: 14, Right: true},
		cli.Column{Title: "IN KAFKA", Width: 8},
		cli.Column{Title: "WHAT", Width: 24},
	)
	if err := table.Header(); err != nil {
		return err
	}
	damaged := 0
	for l, err := range spool.List(filepath.Join(dir, "spool")) {
		if err != nil {
			return err
		}
		if l.Damage != nil {
			damaged++
		}
		if err := table.Row(l.Segment, fmt.Sprint(l.Offset), config.Size(l.Bytes).String(), numbers(l), inKafka(l), what(l)); err != nil {
			return err
		}
	}
	if damaged > 0 {
		return fmt.Errorf("spool %s: %d damaged places; what they held is told as lost when the collector starts", dir, damaged)
	}
	return nil
}

func numbers(l spool.Listing) string {
	if l.Damage != nil {
		return ""
	}
	b := l.Entry.Sealed()
	if b.First != b.Last {
		return fmt.Sprintf("%d-%d", b.First, b.Last)
	}
	return fmt.Sprint(b.Last)
}

func inKafka(l spool.Listing) string {
	if l.InKafka {
		return "yes"
	}
	return "no"
}

func what(l spool.Listing) string {
	if l.Damage != nil {
		return "damaged: " + l.Damage.Error()
	}
	b := l.Entry.Sealed()
	if b.Tombstone {
		return fmt.Sprintf("evicted, %d events", rowsOf(b))
	}
	return fmt.Sprintf("%d events of run %s", rowsOf(b), b.Run)
}
