package lane

import (
	"context"
	"fmt"
	"time"

	"github.com/weirproject/weir/enrich/balance"
	"github.com/weirproject/weir/enrich/deadletter"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/schema/ecs"
	"github.com/weirproject/weir/sink"
)

// chunkRows bounds the rows that are held decoded at once, for each partition.
const chunkRows = 10_000

// partition delivers one partition: it implements [kafka.Handler].
type partition struct {
	lane    *Lane
	number  int
	hosts   map[schema.HostID]*held
	changed map[*held]struct{}

	// The chunk in hand.
	batches   []*sink.Batch
	documents []*ecs.Documents
	rows      int
}

// Handle delivers the fetch's batches, and returns once their tallies are in weir.hosts.
func (p *partition) Handle(ctx context.Context, f kafka.Fetch) error {
	p.changed = map[*held]struct{}{}
	p.lost(f)
	for _, r := range f.Records {
		if err := p.take(ctx, r); err != nil {
			return err
		}
		if p.rows < chunkRows {
			continue
		}
		if err := p.deliver(ctx); err != nil {
			return err
		}
	}
	if err := p.deliver(ctx); err != nil {
		return err
	}
	if err := p.save(ctx); err != nil {
		return err
	}
	if n := len(f.Records); n > 0 {
		p.lane.Metrics.lag(p.lane.Name, p.number, f.End-f.Records[n-1].Offset-1)
	}
	return nil
}

// lost tells what cannot be delivered because the topic does not have it any more. The lane's balance will
// lack it for ever, and so weir ledger shows it as a difference.
func (p *partition) lost(f kafka.Fetch) {
	lost := f.Lost
	for _, d := range f.Damaged {
		lost += d.Last - d.First + 1
	}
	if lost > 0 {
		p.lane.Metrics.lost(p.lane.Name, lost)
		p.lane.log.Error("enriched batches are gone before the sink had them; lengthen the retention of the topic, or mend the sink sooner",
			"topic", f.Topic, "partition", f.Partition, "records", lost)
	}
}

// Close implements [kafka.Handler].
func (p *partition) Close() error {
	p.lane.Metrics.forget(p.lane.Name, p.number)
	return nil
}

// take adds the record's batch to the chunk, unless the lane has it already.
func (p *partition) take(ctx context.Context, r kafka.Record) error {
	b, known, err := batch.ReadEnriched(r.Value, readLimits())
	if err != nil {
		return p.putAside(ctx, r, err)
	}
	h := p.hosts[b.Host()]
	if h == nil {
		h = newHeld(b.Host(), p.lane.Name)
		p.hosts[b.Host()] = h
	}
	p.changed[h] = struct{}{}
	if !h.enter(b, r.Offset) {
		p.lane.Metrics.batch(p.lane.Name, "duplicate")
		return nil
	}
	h.given(b.Groups(), known.GetOffset())
	documents := p.lane.Encoder.Batch(b, known)
	p.documents = append(p.documents, documents)
	p.batches = append(p.batches, &sink.Batch{
		Batch: b, Enrichment: known, Documents: documents,
		Origin: sink.Origin{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset},
	})
	p.rows += b.Len()
	return nil
}

// readLimits has room for the largest batch with what is known about it.
func readLimits() batch.ReadLimits {
	l := batch.DefaultReadLimits()
	l.Record *= 2
	return l
}

func (p *partition) putAside(ctx context.Context, r kafka.Record, reason error) error {
	p.lane.Metrics.batch(p.lane.Name, "unreadable")
	letter, err := deadletter.OfRecord(p.lane.Name, r, reason, time.Now())
	if err != nil {
		return err
	}
	return p.lane.Client.Produce(ctx, letter)
}

// deliver hands the chunk to the sink, and enters how that ended.
func (p *partition) deliver(ctx context.Context) error {
	if len(p.batches) == 0 {
		return nil
	}
	tallies, err := p.lane.runner.Deliver(ctx, p.batches, p.keep)
	if err != nil {
		return err
	}
	for i, b := range p.batches {
		p.hosts[b.Host()].add(tallies[i])
		p.documents[i].Release()
		p.lane.Metrics.batch(p.lane.Name, "delivered")
	}
	p.batches, p.documents, p.rows = p.batches[:0], p.documents[:0], 0
	return nil
}

// keep leaves out what the lane is not for, and what weir did to itself to see that its hooks fire.
func (p *partition) keep(row sink.Row) bool {
	if schema.At(row.Batch.Proto().GetCommon().GetSelfTest(), row.Index) {
		return false
	}
	return p.lane.Kinds.Has(row.KindName())
}

// save writes the balances that changed.
func (p *partition) save(ctx context.Context) error {
	records := make([]kafka.Record, 0, len(p.changed))
	for h := range p.changed {
		r, err := balance.LaneRecord(h.state(), p.number)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	drop := func(host schema.HostID) { delete(p.hosts, host) }
	if err := balance.Save(ctx, p.lane.Client, records, p.lane.log, drop); err != nil {
		return fmt.Errorf("lane %s: save balances: %w", p.lane.Name, err)
	}
	return nil
}
