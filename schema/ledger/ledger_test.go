package ledger_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/ledger"
)

// balanced is a ledger in which everything is of a different size, and every equation holds.
func balanced() *weirv1.Ledger {
	return &weirv1.Ledger{
		TimeUs:  5,
		Closing: true,
		Programs: []*weirv1.ProgramSums{
			{Program: "process__sched_process_exec", Runs: 166, Ignored: 20, Merged: 3, Seen: 143, Missed: 7},
			{Program: "network__inet_sock_set_state", Runs: 9, Ignored: 9, MissedUnknown: true},
		},
		Kinds: []*weirv1.KindSums{
			{
				Kind: "process.exec", Seen: 143, Sent: 128, Filtered: 1, Counted: 2, RateLimited: 3, RingFull: 4,
				TableFull: 5, Batched: 111, Absorbed: 18, RunBatched: 60, Missed: 7, Summaries: 1, Summarised: 2,
			},
			{Kind: "weir.heartbeat", Seen: 2, Sent: 2, Batched: 2, RunBatched: 2},
		},
	}
}

func TestABalancedLedgerHasNoImbalance(t *testing.T) {
	if found := ledger.Check(balanced()); len(found) > 0 {
		t.Errorf("found %v", found)
	}
}

// Whichever counter that stands in an equation is off by one, the closing ledger shows it.
func TestEveryCounterIsHeldByAnEquation(t *testing.T) {
	free := map[string]bool{"missed": true, "run_batched": true} // stand in no equation of the ledger itself
	for _, of := range []string{"kind", "program"} {
		sums := func(l *weirv1.Ledger) proto.Message {
			if of == "kind" {
				return l.Kinds[0]
			}
			return l.Programs[0]
		}
		for name := range counters(sums(balanced())) {
			l := balanced()
			bump(sums(l), name)
			if found := ledger.Check(l); len(found) == 0 && !free[name] {
				t.Errorf("%s: %s is off by one, and every equation holds", of, name)
			}
		}
	}
}

func TestALedgerReadWhileProgramsRunMayBeAheadALittle(t *testing.T) {
	for _, c := range []struct {
		ahead   uint64
		closing bool
		holds   bool
	}{{0, true, true}, {1, true, false}, {1, false, true}, {ledger.InFlight, false, true}, {ledger.InFlight + 1, false, false}} {
		l := balanced()
		l.Closing = c.closing
		l.Programs[0].Runs += c.ahead
		if found := ledger.Check(l); len(found) == 0 != c.holds {
			t.Errorf("runs %d ahead, closing %v: %v", c.ahead, c.closing, found)
		}
	}
}

func TestALedgerIsNeverBehind(t *testing.T) {
	l := balanced()
	l.Closing = false
	l.Programs[0].Runs--
	want := []ledger.Imbalance{{"process__sched_process_exec", "runs = ignored + merged + seen", 165, 166}}
	if diff := cmp.Diff(want, ledger.Check(l)); diff != "" {
		t.Error(diff)
	}
}

func TestACounterThatGoesBackIsNamed(t *testing.T) {
	before, after := balanced(), balanced()
	after.Kinds[0].Sent--
	after.Kinds[0].RunBatched = 0 // another run of the attachment
	after.Programs = after.Programs[:1]
	want := []ledger.Rewind{
		{"process.exec", "sent", 128, 127},
		{"network__inet_sock_set_state", "runs", 9, 0},
		{"network__inet_sock_set_state", "ignored", 9, 0},
	}
	if diff := cmp.Diff(want, ledger.Rewinds(before, after), sortRewinds); diff != "" {
		t.Error(diff)
	}
	if found := ledger.Rewinds(before, before); len(found) > 0 {
		t.Errorf("a ledger goes back from itself: %v", found)
	}
}

// Whatever events do, a ledger that counts each of them at each fork is balanced, and one that counts one of them
// at one fork less is not.
func TestCountingEachEventOnceIsBalance(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		l := &weirv1.Ledger{
			Closing:  true,
			Programs: []*weirv1.ProgramSums{{Program: "process__exec"}},
			Kinds:    []*weirv1.KindSums{{Kind: "process.exec"}, {Kind: "process.exit"}},
		}
		for range 1 + r.IntN(50) {
			oneRun(r, l)
		}
		if found := ledger.Check(l); len(found) > 0 {
			t.Fatalf("%v: %v", l, found)
		}
		forget(r, l)
		if len(ledger.Check(l)) == 0 {
			t.Fatalf("balanced, but for what was forgotten: %v", l)
		}
	}
}
