package enrich

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/weirproject/weir/enrich/balance"
	"github.com/weirproject/weir/enrich/books"
	"github.com/weirproject/weir/enrich/deadletter"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/schema"
)

// outbox collects what is to be written before offsets may be committed. What is in it when a write fails
// is written with the next one.
type outbox struct {
	client    *kafka.Client
	partition int
	lanes     []string // names of those that are configured, in order
	log       *slog.Logger

	records []outgoing
	changed map[schema.HostID]struct{}
}

// outgoing is a record, and the one that it was made of; that has no topic where it was made of none.
type outgoing struct{ record, source kafka.Record }

func (o *outbox) add(r outgoing) { o.records = append(o.records, r) }

// putAside adds a dead letter of the whole record.
func (o *outbox) putAside(r kafka.Record, reason error) error {
	letter, err := deadletter.OfRecord(deadletter.Enrich, r, reason, time.Now())
	if err != nil {
		return err
	}
	o.add(outgoing{record: letter, source: r})
	return nil
}

// flush writes the records, then the balances that changed: a balance must never have what is nowhere.
func (o *outbox) flush(ctx context.Context, b *books.Books) error {
	if err := o.produce(ctx); err != nil {
		return err
	}
	var balances []kafka.Record
	for host := range o.changed {
		state := b.Balance(host)
		if state == nil {
			continue // nobody's: a claim that was refused
		}
		state.Lanes = o.lanes
		r, err := balance.HostRecord(state, o.partition)
		if err != nil {
			return err
		}
		balances = append(balances, r)
	}
	if err := balance.Save(ctx, o.client, balances, o.log, b.Drop); err != nil {
		return fmt.Errorf("save balances: %w", err)
	}
	o.records = o.records[:0]
	clear(o.changed)
	return nil
}

// produce writes the records. One that its topic will never take is put aside, and the others are written
// again: lanes recognise what they have.
func (o *outbox) produce(ctx context.Context) error {
	for {
		records := make([]kafka.Record, len(o.records))
		for i, r := range o.records {
			records[i] = r.record
		}
		err := o.client.Produce(ctx, records...)
		refused, ok := errors.AsType[*kafka.RecordError](err)
		if !ok {
			return err
		}
		if !kafka.IsRefused(err) {
			return err
		}
		if err := o.replace(refused); err != nil {
			return err
		}
	}
}

// replace puts a dead letter in place of a record that is refused; of a dead letter that is refused
// itself, only the reason and the origin are kept.
func (o *outbox) replace(refused *kafka.RecordError) error {
	r := o.records[refused.Index]
	if r.source.Value == nil {
		return refused // a report, or what is left of a dead letter: there is no smaller form
	}
	if r.record.Topic == kafka.DeadLetter {
		r.source.Value = nil
	}
	o.log.Error("record is put aside, as its topic does not take it", "origin",
		deadletter.Origin(r.source.Topic, r.source.Partition, r.source.Offset), "error", refused)
	letter, err := deadletter.OfRecord(deadletter.Enrich, r.source, refused, time.Now())
	if err != nil {
		return err
	}
	o.records[refused.Index] = outgoing{record: letter, source: r.source}
	return nil
}
