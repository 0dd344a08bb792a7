package stream_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/weirproject/weir/schema"
)

// A collector that does not run is no reader of the ring: what does not fit is counted by the kernel.
func TestWhatTheRingCouldNotHoldIsInTheLedger(t *testing.T) {
	s := newStream(t)
	s.enrich(s.toSearch())
	s.collects("memory: {ring: 64KiB}")
	l := newWorkload(t).goOn()
	l.doesMore(10)
	s.collector.signal(syscall.SIGSTOP)
	l.doesMore(400) // of about 700 bytes each
	s.collector.signal(syscall.SIGCONT)
	l.doesMore(10)
	l.stop()
	s.lost(l.done(), l.marker, "ring full")
}

// A spool that is full before the broker is back gives up its oldest batches, and tells which.
func TestWhatAFullSpoolEvictedIsInTheLedger(t *testing.T) {
	s := newStream(t)
	s.enrich(s.toSearch())
	s.collects("spool: {max_bytes: 256KiB}")
	l := newWorkload(t).goOn()
	s.arrive(l.marker, 1)
	s.kafka.Kill(0)
	await(t, "the spool is full", func() error {
		l.doesMore(20)
		if s.collector.says("spool full") == 0 {
			return fmt.Errorf("not after %d steps", l.steps.Load())
		}
		return nil
	})
	l.doesMore(50)
	l.stop()
	s.kafka.Restart(0)
	s.collector.hasSaid(`msg="kafka takes batches again"`, 1)
	books := s.lost(l.done(), l.marker, "evicted")
	named := s.named()
	for kind, row := range books.kinds {
		if named[kind] != row["evicted"] {
			t.Errorf("%s: weir.loss tells %d, evicted are %d:\n%s", kind, named[kind], row["evicted"], books.text)
		}
	}
}

// lost settles, and fails the test unless the column of the ledger has, by kind, at least what is missing of the
// workload, and something is missing. The books balance: all else was delivered.
func (s *stream) lost(facts []fact, marker, column string) (books ledger) {
	s.t.Helper()
	books = s.settles()
	s.enricher.stop()
	events := s.all(facts, marker)
	missing, more := difference(facts, events)
	if len(more) > 0 {
		s.t.Errorf("OpenSearch has %d events twice, or different from what was done:\n%s", len(more), lines(more))
	}
	noneTwice(s.t, "OpenSearch", events)
	if len(missing) == 0 {
		s.t.Errorf("nothing is lost; the test does not reach what it is for:\n%s", books.text)
	}
	for kind, n := range count(missing) {
		if named := books.kinds[kind][column]; named < n {
			s.t.Errorf("%s: %d of the workload are missing, %d are %s:\n%s", kind, n, named, column, books.text)
		}
	}
	s.noDeadLetters()
	return books
}

// named returns how many events of each kind are told as lost by weir.loss.
func (s *stream) named() map[string]int {
	s.t.Helper()
	n := map[string]int{}
	for _, e := range s.search.of(s.t, "weir.kind", schema.WeirLoss.Name) {
		n[e.Weir.Loss.Kind] += e.Weir.Loss.Events
	}
	return n
}
