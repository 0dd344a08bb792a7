package enrich

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/weirproject/weir/enrich/balance"
	"github.com/weirproject/weir/enrich/books"
	"github.com/weirproject/weir/enrich/deadletter"
	"github.com/weirproject/weir/enrich/inventory"
	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// partition enriches one partition of weir.batches: it implements [kafka.Handler].
type partition struct {
	enricher *Enricher
	topic    string
	number   int
	run      schema.RunID // of reports that a record gives rise to
	log      *slog.Logger

	mu       sync.Mutex // guards what follows: the watch for silence works on it between fetches
	books    *books.Books
	reporter *reporter
	out      outbox
	watch    watch
	closed   bool // given up: another may have it, and must not be overwritten
}

// openPartition takes a partition over, with the balances of its hosts.
func (e *Enricher) openPartition(ctx context.Context, topic string, number int) (kafka.Handler, error) {
	log := e.log.With("topic", topic, "partition", number)
	p := &partition{
		enricher: e, topic: topic, number: number, log: log,
		run:   reportRun("weir findings", topic, strconv.Itoa(number)),
		books: books.New(), reporter: newReporter(e.deps.Key, e.deps.Header),
		watch: newWatch(topic, number, e.config.Silence, time.Now()),
	}
	p.out = outbox{client: e.deps.Client, partition: number, lanes: slices.Sorted(maps.Keys(e.config.Sinks.Lanes)), log: log, changed: map[schema.HostID]struct{}{}}
	list, err := balance.Hosts(ctx, e.deps.Client, number, log)
	if err != nil {
		return nil, err
	}
	for _, state := range list {
		if err := p.books.Load(state); err != nil {
			log.Error("balance makes no sense; its host's books begin anew", "error", err)
		}
	}
	e.watched(p)
	return p, nil
}

// Handle does all that the fetch asks for.
func (p *partition) Handle(ctx context.Context, f kafka.Fetch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	begun := time.Now()
	if f.Restarted {
		p.log.Error("topic was made anew or cut off; what was in it and not read yet is gone")
		p.books.Restart()
	}
	if err := p.takeAll(ctx, f); err != nil {
		return err
	}
	if err := p.out.flush(ctx, p.books); err != nil {
		return err
	}
	behind := behindOf(f)
	p.watch.handled(f, behind, begun, time.Now())
	p.enricher.metrics.progress(p.number, p.books.Len(), behind)
	return nil
}

// takeAll goes through the fetch in the order of offsets: what was deleted, then records, with damaged
// places among them. Reports are numbered by offsets, and lanes take rising numbers alone.
func (p *partition) takeAll(ctx context.Context, f kafka.Fetch) error {
	if err := p.retentionGap(f); err != nil {
		return err
	}
	damaged := f.Damaged
	for _, r := range f.Records {
		for len(damaged) > 0 && damaged[0].Last < r.Offset {
			if err := p.damage(damaged[0]); err != nil {
				return err
			}
			damaged = damaged[1:]
		}
		if err := p.take(ctx, r); err != nil {
			return err
		}
	}
	for _, d := range damaged {
		if err := p.damage(d); err != nil {
			return err
		}
	}
	return nil
}

// Close implements [kafka.Handler]. It waits for a look for silent hosts that is under way.
func (p *partition) Close() error {
	p.enricher.unwatched(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.enricher.metrics.forget(p.number)
	return nil
}

// behindOf returns how many records the partition had behind the fetch.
func behindOf(f kafka.Fetch) int64 {
	if len(f.Records) == 0 {
		return 0
	}
	return f.End - f.Records[len(f.Records)-1].Offset - 1
}

// take does what one record asks for.
func (p *partition) take(ctx context.Context, r kafka.Record) error {
	b, err := batch.Read(r.Value, batch.DefaultReadLimits())
	if err != nil {
		return p.unreadable(r, err)
	}
	if err := checkOwn(b); err != nil {
		p.enricher.metrics.batches.WithLabelValues(books.Refused.String()).Inc()
		return p.out.putAside(r, err)
	}
	entry := p.books.Add(factsOf(b, r), r.Offset)
	p.enricher.metrics.entered(entry, b.Groups())
	p.out.changed[b.Host()] = struct{}{}
	switch entry.Verdict {
	case books.Fresh:
		err = p.enrich(ctx, b, r, entry.Skew)
	case books.Refused:
		err = p.out.putAside(r, errors.New(entry.Findings[0].Detail))
	}
	if err != nil {
		return err
	}
	return p.report(report{
		run: p.run, number: uint64(r.Offset) + 1, at: r.Time, evidence: deadletter.Origin(r.Topic, r.Partition, r.Offset),
		about: hostOf(b), findings: entry.Findings, losses: entry.Losses,
	})
}

// unreadable puts the record aside. Only a bad signature is a finding: whoever writes garbage into the topic
// says nothing about a host.
func (p *partition) unreadable(r kafka.Record, reason error) error {
	p.enricher.metrics.batches.WithLabelValues("unreadable").Inc()
	if err := p.out.putAside(r, reason); err != nil {
		return err
	}
	if !errors.Is(reason, batch.ErrSignature) {
		return nil
	}
	host := claimedHost(r)
	finding := p.books.Object(books.Finding{Kind: weirv1.Finding_FINDING_BAD_SIGNATURE, Host: host, Detail: reason.Error()})
	return p.report(report{
		run: p.run, number: uint64(r.Offset) + 1, at: r.Time, evidence: deadletter.Origin(r.Topic, r.Partition, r.Offset),
		about: inventory.Host{HostID: host.String()}, findings: []books.Finding{finding},
	})
}

// enrich joins the batch and passes it on.
func (p *partition) enrich(ctx context.Context, b *batch.Batch, r kafka.Record, skew time.Duration) error {
	known := p.enricher.join(ctx, hostOf(b), timesOf(b))
	known.Topic, known.Partition, known.Offset = r.Topic, int32(r.Partition), r.Offset
	known.ReceivedAtUs, known.ClockSkewUs = r.Time.UnixMicro(), skew.Microseconds()
	value, err := batch.MarshalEnriched(r.Value, known)
	if err != nil {
		return fmt.Errorf("enrich %s: %w", deadletter.Origin(r.Topic, r.Partition, r.Offset), err)
	}
	p.out.add(outgoing{source: r, record: kafka.Record{
		Topic: kafka.Enriched, Partition: p.number, Key: r.Key, Value: value, Headers: r.Headers,
	}})
	return nil
}

// report passes on what the books found, as a batch of the enricher's own.
func (p *partition) report(r report) error {
	if r.isEmpty() {
		return nil
	}
	p.enricher.metrics.found(r.findings, r.losses)
	sealed, err := p.reporter.seal(r)
	if err != nil {
		return err
	}
	rows := slices.Repeat([]time.Time{r.at}, len(r.findings)+len(r.losses))
	known := p.enricher.joinNow(r.about, slices.Values(rows))
	known.Topic, known.Partition, known.ReceivedAtUs = p.topic, int32(p.number), r.at.UnixMicro()
	value, err := batch.MarshalEnriched(sealed.Record, known)
	if err != nil {
		return fmt.Errorf("report %d: %w", r.number, err)
	}
	record := kafka.Record{Topic: kafka.Enriched, Partition: p.number, Key: sealed.Host[:], Value: value}
	for key, value := range sealed.Headers() {
		record.Headers = append(record.Headers, kafka.Header{Key: key, Value: value})
	}
	p.out.add(outgoing{record: record})
	return nil
}
