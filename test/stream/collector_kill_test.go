package stream_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weirproject/weir/schema"
)

// Hooks and ring outlive the collector: what happens while there is none waits in the ring.
func TestAKilledCollectorLosesNothing(t *testing.T) {
	s := newStream(t)
	s.enrich(s.toSearch())
	s.collects()
	l := newWorkload(t).goOn()
	for range kills {
		l.doesMore(20 + rand.Int64N(100))
		s.collector.kill()
		l.doesMore(rand.Int64N(20))
		s.collects()
	}
	l.doesMore(50)

	l.stop()
	books := s.settles()
	s.enricher.stop()
	compare(t, "OpenSearch", l.done(), s.all(l.done(), l.marker))
	for kind, n := range s.named() {
		t.Errorf("%d of %q are told as lost:\n%s", n, kind, books.text)
	}
	s.noDeadLetters()
}

// Killed and started again before it has reached the broker or the ring's end: the next run finds a spool and a
// ring of the run before.
func TestACollectorThatIsKilledAgainAndAgainSendsNothingTwice(t *testing.T) {
	s := newStream(t)
	s.enrich(s.toSearch())
	s.collects()
	l := newWorkload(t).goOn()
	s.kafka.Kill(0)
	for range 3 * kills {
		l.doesMore(rand.Int64N(15))
		s.collector.kill()
		s.collect()
	}
	s.kafka.Restart(0)
	s.arrive(l.marker, 1)

	l.stop()
	s.settles()
	s.enricher.stop()
	compare(t, "OpenSearch", l.done(), s.all(l.done(), l.marker))
	s.noDeadLetters()
}

// all returns the events of a workload whose beginnings may be unknown: the exec is lost, or was told in a run that
// ended before the next had its table. What comes later of such a process has neither arguments nor parent, and is
// found by the process id.
func (s *stream) all(facts []fact, marker string) []event {
	s.t.Helper()
	events := s.search.marked(s.t, marker)
	missing, _ := difference(facts, events)
	asked := map[int]bool{}
	for _, f := range missing {
		if asked[f.PID] {
			continue
		}
		asked[f.PID] = true
		for _, e := range s.search.of(s.t, "process.pid", fmt.Sprint(f.PID)) {
			if len(e.Process.Args) == 0 {
				s.t.Logf("without arguments: %s", e.fact())
				e.Process.Parent.PID = f.PPID
				events = append(events, e)
			}
		}
	}
	return events
}

// Without an attachment that outlives it, a killed collector loses what is in the ring, and what happens until the
// next one is there: that is told, and nothing comes twice.
func TestAKilledCollectorWithoutAttachmentSaysThatEventsAreLost(t *testing.T) {
	s := newStream(t)
	s.attachment = `""`
	s.enrich(s.toSearch())
	s.collects()
	l := newWorkload(t).goOn()
	l.doesMore(50)
	s.collector.kill()
	l.doesMore(20)
	s.collects()
	l.doesMore(20)

	l.stop()
	s.settles()
	s.enricher.stop()
	events := s.search.marked(t, l.marker)
	missing, more := difference(l.done(), events)
	if len(missing) == 0 || len(more) > 0 {
		t.Errorf("%d events are missing, %d are too many:\n%s", len(missing), len(more), lines(more))
	}
	noneTwice(t, "OpenSearch", events)
	if losses := s.search.of(t, "weir.kind", schema.WeirLoss.Name); !slices.ContainsFunc(losses, func(e event) bool { return e.Weir.Loss.Place == "run" }) {
		t.Errorf("%d weir.loss, and none tells that the run lost events", len(losses))
	}
	if gaps := s.search.of(t, "weir.kind", schema.WeirGap.Name); !slices.ContainsFunc(gaps, func(e event) bool { return e.Weir.Gap.Finding == "unclean_end" }) {
		t.Errorf("%d weir.gap, and none tells that the run ended unclean", len(gaps))
	}
}
