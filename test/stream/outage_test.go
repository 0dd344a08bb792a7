package stream_test

import (
	"fmt"
	"testing"
)

func TestABrokersDeathLosesNothing(t *testing.T) {
	s := newStream(t)
	s.enrichers = racedEnricher
	s.enrich(s.toSearch())
	s.collects()
	l := newWorkload(t).goOn()
	s.arrive(l.marker, 200)

	s.kafka.Kill(0)
	l.doesMore(100)
	s.kafka.Restart(0)
	s.collector.hasSaid(`msg="kafka takes batches again"`, 1)
	l.doesMore(100)

	l.stop()
	s.settles()
	s.enricher.stop()
	compare(t, "OpenSearch", l.done(), s.search.marked(t, l.marker))
	s.noDeadLetters()
}

func TestACollectorWaitsForItsBroker(t *testing.T) {
	s := newStream(t)
	s.kafka.Kill(0)
	s.collect()
	s.collector.hasSaid(`msg="kafka takes no batches; they stay in the spool until it does"`, 1)
	w := newWorkload(t)
	w.processes(100)
	w.network(5)
	s.enrich(s.toSearch())
	s.enricher.hasSaid(`msg="kafka is unreachable; waiting for it"`, 1)

	s.kafka.Restart(0)
	s.collector.hasSaid(`msg="kafka takes batches again"`, 1)
	s.settles()
	s.enricher.stop()
	compare(t, "OpenSearch", w.done(), s.search.marked(t, w.marker))
}

// arrive waits until n more of a workload's events can be found in OpenSearch.
func (s *stream) arrive(marker string, n int) {
	s.t.Helper()
	want := s.search.count(s.t, marker) + n
	await(s.t, "OpenSearch", func() error {
		if have := s.search.count(s.t, marker); have < want {
			return fmt.Errorf("%d events, not %d", have, want)
		}
		return nil
	})
}
