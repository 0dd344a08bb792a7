// Package publish brings what is in the spool to the topic weir.batches, in order, and tells the spool what
// Kafka has:
//
//	spool ─Take─► records ─Produce─► weir.batches
//	      ◄─Ack──
//
// One request is in flight at a time; what waits, waits in the spool. An outage, however long, is told when
// it begins and when it ends. What Kafka will never take, and what a full spool gave up, becomes a tombstone,
// so that numbers and chain stay whole and nothing stands in the way of the batches behind it.
//
// record.go is the core: items to records. state.go is what people are told. Run has one goroutine beside
// its own, while a request is in flight.
package publish

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/kafka"
)

// Producer is a Kafka client.
type Producer interface {
	// Produce returns once the brokers have all records, tries for as long as that may still succeed and
	// ctx lasts, and returns a *kafka.RecordError where it never will.
	Produce(ctx context.Context, records ...kafka.Record) error
	// Ping says why no broker answers.
	Ping(ctx context.Context) error
}

// One Take, and so one Produce: as much as one request holds, and far more batches than a host makes while
// one request is under way.
const (
	takeItems = 512
	takeBytes = 800 << 10
)

// Pauses after a failure that the producer does not sit out itself.
const firstPause, lastPause = 100 * time.Millisecond, 10 * time.Second

// Publisher publishes one spool. Run is for one goroutine; State may be called by others.
type Publisher struct {
	spool    *spool.Spool
	producer Producer
	key      ed25519.PrivateKey // signs tombstones
	log      *slog.Logger

	state      state
	published  atomic.Uint64
	tombstones atomic.Uint64
	ackFailed  bool // and that was told
}

// New returns a publisher that does nothing yet.
func New(s *spool.Spool, producer Producer, key ed25519.PrivateKey, log *slog.Logger) *Publisher {
	return &Publisher{spool: s, producer: producer, key: key, log: log, state: state{log: log, since: time.Now()}}
}

// Run publishes until ctx ends; the rest stays in the spool. Its error is the spool's.
func (p *Publisher) Run(ctx context.Context) error {
	for {
		items, err := p.spool.Take(ctx, takeItems, takeBytes)
		if err == nil {
			err = p.publish(ctx, items)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// publish returns when Kafka has the items or a tombstone in their place, or ctx ends.
func (p *Publisher) publish(ctx context.Context, items []spool.Item) error {
	pending := p.records(items)
	for pause := firstPause; len(pending) > 0; {
		err := p.produce(ctx, pending)
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		refused, ok := errors.AsType[*kafka.RecordError](err)
		switch {
		case err == nil:
			p.done(pending)
			return nil
		case ok && isForGood(refused):
			p.done(pending[:refused.Index])
			pending = p.bury(pending[refused.Index:], refused)
			pause = firstPause
		default:
			p.state.down(err)
			if sleep(ctx, pause) != nil {
				return ctx.Err()
			}
			pause = min(2*pause, lastPause)
		}
	}
	return nil
}

// isForGood tells what is the record's fault from what is the cluster's or the configuration's: that can be
// put right, and until then the batches wait.
func isForGood(e *kafka.RecordError) bool {
	return errors.Is(e, kafka.ErrTooLarge) || errors.Is(e, kafka.ErrInvalidRecord)
}

// records returns what is to be produced for the items.
func (p *Publisher) records(items []spool.Item) []pending {
	out := make([]pending, 0, len(items))
	for _, item := range items {
		next, err := prepare(item, p.key)
		if err != nil {
			// The books will miss these numbers: there is nothing else that can be told of them.
			p.log.Error("evicted batches cannot be told of", "error", err)
			p.ack(item.Number)
			continue
		}
		out = append(out, next)
	}
	return out
}

// bury puts a tombstone in the place of the first, which the brokers refused.
func (p *Publisher) bury(rest []pending, refused *kafka.RecordError) []pending {
	p.log.Error("kafka refused a batch for good; a tombstone takes its place", "batch", rest[0].sealed.Last, "run", rest[0].sealed.Run, "error", refused)
	stone, err := tombstone(rest[0], refused.Err.Error(), p.key)
	if err != nil {
		p.log.Error("batch cannot be told of", "batch", rest[0].sealed.Last, "run", rest[0].sealed.Run, "error", err)
		p.ack(rest[0].number)
		return rest[1:]
	}
	rest[0] = stone
	return rest
}

// done notes that Kafka has these.
func (p *Publisher) done(have []pending) {
	if len(have) == 0 {
		return
	}
	p.state.up()
	for _, one := range have {
		if one.sealed.Tombstone {
			p.tombstones.Add(1)
		}
	}
	p.published.Add(uint64(len(have)))
	p.ack(have[len(have)-1].number)
}

// ack tells the spool that nothing up to number is to be sent any more.
func (p *Publisher) ack(number uint64) {
	err := p.spool.Ack(number)
	if err != nil && !p.ackFailed {
		p.log.Error("kafka has batches that the spool will send again after a restart", "error", err)
	}
	p.ackFailed = err != nil
}

// slow is how long a request may take before people are told.
const slow = 5 * time.Second

// produce watches over one request: the producer does not return as long as there is hope.
func (p *Publisher) produce(ctx context.Context, batch []pending) error {
	records := make([]kafka.Record, len(batch))
	for i := range batch {
		records[i] = batch[i].record
	}
	watch, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() {
		for sleep(watch, slow) == nil {
			p.state.down(p.diagnose(watch))
		}
	})
	return p.producer.Produce(ctx, records...)
}

// errNoAck is what there is to say when brokers answer.
var errNoAck = errors.New("brokers answer and do not acknowledge; too few replicas may be in sync")

// diagnose says why a request takes so long, or nothing if the request ended meanwhile.
func (p *Publisher) diagnose(ctx context.Context) error {
	ping, cancel := context.WithTimeout(ctx, slow)
	defer cancel()
	err := p.producer.Ping(ping)
	if ctx.Err() != nil {
		return nil
	}
	if err == nil {
		return errNoAck
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
