package ledger

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// InFlight bounds by how much a ledger that was read while programs run may be open: every CPU is in a few
// programs at once at most, and tasks that were preempted within one are few. A closing ledger is exact.
const InFlight = 4096

// Imbalance is an equation of a ledger that does not hold.
type Imbalance struct {
	Subject     string // the kind or program
	Equation    string // such as "seen = outcomes"
	Left, Right uint64
}

func (i Imbalance) String() string {
	return fmt.Sprintf("%s: %s: %d is not %d", i.Subject, i.Equation, i.Left, i.Right)
}

// Check returns the equations of l that do not hold. Counters are read in an order in which a program that runs
// meanwhile can only make the left side larger: so it may be, by InFlight, unless l is closing.
func Check(l *weirv1.Ledger) []Imbalance {
	c := checker{slack: InFlight}
	if l.GetClosing() {
		c.slack = 0
	}
	var seenByPrograms, seenByKinds uint64
	for _, p := range l.GetPrograms() {
		c.hold(p.GetProgram(), "runs = ignored + merged + seen", p.GetRuns(), p.GetIgnored()+p.GetMerged()+p.GetSeen())
		seenByPrograms += p.GetSeen()
	}
	for _, k := range l.GetKinds() {
		c.hold(k.GetKind(), "seen = outcomes", k.GetSeen(), Outcomes(k))
		c.hold(k.GetKind(), "sent + summaries = batched + absorbed + lost + in_ring", k.GetSent()+k.GetSummaries(),
			k.GetBatched()+k.GetAbsorbed()+k.GetLost()+k.GetInRing())
		c.hold(k.GetKind(), "counted = summarised + in_table", k.GetCounted(), k.GetSummarised()+k.GetInTable())
		c.atMost(k.GetKind(), "run_batched ≤ batched", k.GetRunBatched(), k.GetBatched())
		seenByKinds += k.GetSeen()
	}
	// Kinds that weir makes itself are seen by no program.
	c.atMost("programs", "seen by programs ≤ seen of kinds", seenByPrograms, seenByKinds+c.slack)
	return c.found
}

type checker struct {
	slack uint64
	found []Imbalance
}

func (c *checker) hold(subject, equation string, left, right uint64) {
	if left < right || left-right > c.slack {
		c.found = append(c.found, Imbalance{subject, equation, left, right})
	}
}

func (c *checker) atMost(subject, equation string, left, right uint64) {
	if left > right {
		c.found = append(c.found, Imbalance{subject, equation, left, right})
	}
}

// Rewind is a counter that went back although its attachment lives on.
type Rewind struct {
	Subject string // the kind or program
	Counter string // such as "sent"
	Before  uint64
	After   uint64
}

func (r Rewind) String() string {
	return fmt.Sprintf("%s: %s went back from %d to %d", r.Subject, r.Counter, r.Before, r.After)
}

// Rewinds returns the counters that are less in after than in before, which is an earlier ledger of the same
// attachment.
func Rewinds(before, after *weirv1.Ledger) []Rewind {
	var found []Rewind
	for _, k := range before.GetKinds() {
		found = appendRewinds(found, k.GetKind(), k, kindSums(after, k.GetKind()))
	}
	for _, p := range before.GetPrograms() {
		found = appendRewinds(found, p.GetProgram(), p, programSums(after, p.GetProgram()))
	}
	return found
}

// appendRewinds compares counters by the descriptor, so that a new one cannot be forgotten here. Where after is
// nil, all its counters are 0.
func appendRewinds(found []Rewind, subject string, before, after proto.Message) []Rewind {
	later := after.ProtoReflect()
	before.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Kind() != protoreflect.Uint64Kind || !onlyGrows(f.Name()) {
			return true
		}
		if is := later.Get(f).Uint(); is < v.Uint() {
			found = append(found, Rewind{subject, string(f.Name()), v.Uint(), is})
		}
		return true
	})
	return found
}

// onlyGrows leaves out what falls in good order: run_batched begins anew with each run of an attachment.
func onlyGrows(counter protoreflect.Name) bool {
	return counter != "in_ring" && counter != "in_table" && counter != "run_batched"
}
