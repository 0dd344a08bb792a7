package stream_test

import (
	"math/rand/v2"
	"testing"
)

// kills is how often a test kills its program.
const kills = 3

func TestAKilledEnricherLosesNothing(t *testing.T) {
	s := newStream(t)
	s.enrich(s.toSearch())
	s.collects()
	l := newWorkload(t).goOn()
	for range kills {
		s.arrive(l.marker, 1+rand.IntN(300)) // it is at work
		s.enricher.kill()
		l.doesMore(20)
		s.enrich(s.toSearch())
	}
	s.arrive(l.marker, 1)

	l.stop()
	s.settles()
	s.enricher.stop()
	compare(t, "OpenSearch", l.done(), s.search.marked(t, l.marker))
	s.noDeadLetters()
}
