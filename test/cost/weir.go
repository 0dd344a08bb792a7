package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/weirproject/weir/internal/broker"
	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// weir is weir-collector as it is shipped, with its spool, and with a broker that it publishes to.
type weir struct {
	process
	attachment string
	broker     *broker.Broker
	client     *kafka.Client

	next  int64 // offset of the first record that was not read
	found map[int]int
	sums  tally
}

func startWeir(ctx context.Context, b *bench, _ Workload) (watcher, error) {
	dir, err := os.MkdirTemp(b.dir, "weir-")
	if err != nil {
		return nil, err
	}
	w := &weir{attachment: filepath.Base(b.dir), found: make(map[int]int)}
	quiet := slog.New(slog.DiscardHandler)
	w.broker, err = broker.Start(ctx, broker.Options{Dir: filepath.Join(dir, "broker"), Topics: broker.Topics(config.GiB), Log: quiet})
	if err != nil {
		return nil, err
	}
	settings := kafka.Default()
	settings.Brokers = []string{w.broker.Addr()}
	if w.client, err = kafka.Open(settings, quiet); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	file := filepath.Join(dir, "collector.yaml")
	text := fmt.Sprintf("data: %s/data\nattachment: %s\nkafka:\n  brokers: [%s]\n", dir, w.attachment, w.broker.Addr())
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	if err := w.process.start(dir, exec.Command(b.collector, "-config", file)); err != nil {
		return nil, errors.Join(err, w.stop())
	}
	return w, nil
}

func (w *weir) settle(ctx context.Context, l load, wanted int) error {
	return await(ctx, wanted, func() (tally, error) { return w.seen(ctx, l) })
}

// seen reads what has come to weir.batches, and counts the rows that are the workload's.
func (w *weir) seen(ctx context.Context, l load) (tally, error) {
	if err := w.ended(); err != nil {
		return tally{}, err
	}
	err := w.read(ctx)
	now := w.sums
	now.operations = w.found[l.Port]
	return now, err
}

func (w *weir) read(ctx context.Context) error {
	end, err := w.client.End(ctx, kafka.Batches, 0)
	if err != nil || w.next >= end {
		return err
	}
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	return w.client.Follow(ctx, kafka.Batches, 0, w.next, func(f kafka.Fetch) error {
		for _, r := range f.Records {
			w.next = r.Offset + 1
			if err := w.count(r.Value); err != nil {
				return err
			}
		}
		if w.next >= end {
			stop()
		}
		return nil
	})
}

func (w *weir) count(record []byte) error {
	b, err := batch.Read(record, batch.DefaultReadLimits())
	if err != nil {
		return err
	}
	w.sums.events += b.Len()
	w.sums.bytes += int64(len(record))
	p := b.Proto()
	for row := range b.Rows() {
		switch row.Kind {
		case schema.ProcessExec:
			process := schema.At(p.Common.Process, row.Index)
			if process > 0 && string(b.Text(schema.At(p.Processes.Comm, int(process-1)))) == mark {
				w.found[0]++
			}
		case schema.NetworkConnect:
			w.found[int(schema.At(p.NetworkConnect.DestinationPort, row.GroupRow))]++
		}
	}
	return nil
}

func (w *weir) stop() error {
	err := w.process.stop()
	if w.client != nil {
		err = errors.Join(err, w.client.Close())
	}
	return errors.Join(err, w.broker.Close(), os.RemoveAll(filepath.Join("/sys/fs/bpf/weir", w.attachment)))
}

// buildCollector builds weir-collector as make build does.
func buildCollector(ctx context.Context, to string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, "github.com/weirproject/weir/cmd/weir-collector")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%sgo build: %w", out, err)
	}
	return nil
}
