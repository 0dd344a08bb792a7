package enrich

import (
	"context"
	"strconv"
	"time"

	"github.com/weirproject/weir/enrich/balance"
	"github.com/weirproject/weir/enrich/books"
	"github.com/weirproject/weir/enrich/inventory"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/schema"
)

// watch is since when a partition's hosts would have been heard, had they said something. It is no longer
// one while the enricher is behind, or cannot reach the broker.
type watch struct {
	silence time.Duration
	run     schema.RunID  // of reports; other bounds of silence are numbered apart
	since   time.Time     // by this machine's clock
	ahead   time.Duration // the broker's clock less this machine's, at least
	heard   bool          // ahead is known
	number  uint64        // of the last report
}

func newWatch(topic string, partition int, silence time.Duration, now time.Time) watch {
	return watch{silence: silence, since: now, run: reportRun("weir silence", topic, strconv.Itoa(partition), silence.String())}
}

// every is how often silent hosts are looked for.
func (w *watch) every() time.Duration { return w.silence / 6 }

// handled notes a fetch that took from begun to now to handle, with so many records behind it.
func (w *watch) handled(f kafka.Fetch, behind int64, begun, now time.Time) {
	if n := len(f.Records); n > 0 {
		if ahead := f.Records[n-1].Time.Sub(begun); ahead > w.ahead || !w.heard {
			w.ahead, w.heard = ahead, true
		}
	}
	if behind > 0 || now.Sub(begun) > w.every() {
		w.since = now
	}
}

// broker returns what the broker's clock showed at that moment, or less: whom silence is found by it said
// nothing for at least so long.
func (w *watch) broker(at time.Time) time.Time { return at.Add(w.ahead) }

// next numbers the report of a silence: by the µs at which the silence began to be one, so that whoever
// takes over reports it under the same number.
func (w *watch) next(at time.Time) uint64 {
	w.number = max(w.number+1, uint64(at.UnixMicro()))
	return w.number
}

// watchSilence looks for silent hosts in all assigned partitions until ctx ends.
func (e *Enricher) watchSilence(ctx context.Context) error {
	w := watch{silence: e.config.Silence}
	ticker := time.NewTicker(w.every())
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		for _, p := range e.watchedPartitions() {
			if err := p.look(ctx, w.every()); err != nil && ctx.Err() == nil {
				e.log.Warn("silent hosts cannot be looked for; the broker does not answer", "partition", p.number, "error", err)
			}
		}
	}
}

// look reports the partition's silent hosts. Where the broker cannot be reached, the hosts may not reach it
// either: the watch begins anew.
func (p *partition) look(ctx context.Context, patience time.Duration) error {
	if !p.mu.TryLock() {
		return nil // a fetch is in work
	}
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := p.tick(ctx)
	if err != nil {
		p.watch.since = time.Now()
	}
	return err
}

func (p *partition) tick(ctx context.Context) error {
	if _, err := p.enricher.deps.Client.End(ctx, kafka.Batches, p.number); err != nil {
		return err
	}
	for _, f := range p.books.Tick(p.watch.broker(time.Now()), p.watch.broker(p.watch.since), p.watch.silence) {
		p.out.changed[f.Host] = struct{}{}
		about := inventory.Host{HostID: f.Host.String(), Hostname: p.books.Balance(f.Host).GetHostname()}
		r := report{run: p.watch.run, number: p.watch.next(f.At), at: f.At, about: about, findings: []books.Finding{f}}
		if err := p.report(r); err != nil {
			return err
		}
	}
	for _, host := range p.books.Forget(p.watch.broker(time.Now()), forgetAfter) {
		p.forget(host)
	}
	return p.out.flush(ctx, p.books)
}

// forgetAfter is after how long a host that stopped or fell silent has no balance any more. Fleets renew
// their machines in days; a host that comes back after this begins anew, with a gap.
const forgetAfter = 30 * 24 * time.Hour

// forget deletes the host's balances, those of the lanes too.
func (p *partition) forget(host schema.HostID) {
	p.out.add(outgoing{record: balance.NoHost(host, p.number)})
	for name := range p.enricher.config.Sinks.Lanes {
		p.out.add(outgoing{record: balance.NoLane(host, name, p.number)})
	}
}
