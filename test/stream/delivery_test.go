package stream_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/weirproject/weir/schema"
)

func TestEveryEventArrivesOnceInOpenSearch(t *testing.T) {
	s := newStream(t)
	s.inventory(time.Time{})
	s.enrich(s.toSearch(), s.toFiles(), s.toKafka())
	s.collects()
	w := newWorkload(t)

	w.joined = fact{Instance: "i-test", Service: "shop", Version: "1"}
	w.processes(300)
	w.network(10)
	rolledOut := time.Now().Add(5 * time.Second).Truncate(time.Second)
	s.inventory(rolledOut)
	s.enricher.hasSaid("deploys=2", 1)
	w.processes(20) // the enricher knows the next version: it is not yet what runs
	if time.Now().After(rolledOut) {
		t.Fatal("the machine is too slow to do anything before the next version")
	}
	await(t, "the next version", func() error {
		if left := time.Until(rolledOut); left > 0 {
			return fmt.Errorf("it comes in %s", left)
		}
		return nil
	})
	w.joined.Version = "2"
	w.processes(50)
	w.network(10)

	books := s.settles()
	s.enricher.stop()
	facts := w.done()
	compare(t, "OpenSearch", facts, s.search.marked(t, w.marker))
	compare(t, "files", facts, marked(s.files(), w.marker))
	compare(t, "weir.events", facts, marked(s.rows(), w.marker))
	s.noDeadLetters()
	books.holds(t, facts)
}

// inventory tells the enricher what this machine is, and of a second roll-out where there is one.
func (s *stream) inventory(second time.Time) {
	s.t.Helper()
	hostname, err := os.Hostname()
	if err != nil {
		s.t.Fatal(err)
	}
	deploys := "  - {id: d-1, valid_from: 2020-01-01T00:00:00Z, group: web, app: shop, version: '1'}\n"
	if !second.IsZero() {
		at := second.UTC().Format(time.RFC3339)
		deploys = "  - {id: d-1, valid_from: 2020-01-01T00:00:00Z, valid_to: " + at + ", group: web, app: shop, version: '1'}\n" +
			"  - {id: d-2, valid_from: " + at + ", group: web, app: shop, version: '2'}\n"
	}
	s.write("inventory.yaml", "instances:\n  - {id: i-test, hostname: %q, group: web}\ndeploys:\n%s", hostname, deploys)
}

// holds fails the test where the ledger has fewer events of a kind than the workload, lost some, or one of the
// lanes has fewer than were received.
func (l ledger) holds(t *testing.T, facts []fact) {
	t.Helper()
	for kind, n := range count(facts) {
		row := l.kinds[kind]
		if row["seen"] < n || row["sent"] != row["seen"] || row["batched"] != row["seen"] || row["difference"] != 0 {
			t.Errorf("%s: the workload did %d:\n%s", kind, n, l.text)
		}
	}
	if l.kinds[schema.WeirStopped.Name]["received"] == 0 {
		t.Errorf("weir.stopped is not in the books:\n%s", l.text)
	}
}
