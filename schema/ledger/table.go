package ledger

import (
	"maps"
	"slices"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Table is one host's ledger from hook to each sink, as people see it.
type Table struct {
	Lanes []string // names of the sinks' lanes
	Rows  []Row    // in the order of their kinds
	// Closing: the ledger is the last word of its run, and every equation is exact. Otherwise what came after
	// it is not counted against it, and what lanes do not have yet is on its way.
	Closing bool
}

// Row is one kind in a Table.
type Row struct {
	Kind string
	// Sums by the host, nil where it told none.
	Sums *weirv1.KindSums
	// Of the run that told the sums: rows that the enricher received, that a tombstone names, and that were
	// told as lost.
	Received, Evicted, Lost uint64
	// Total is what was received of all runs, which is what the lanes have had to deliver.
	Total uint64
	// Gone is what tombstones of all runs name.
	Gone  uint64
	Lanes []Lane // as Table.Lanes
}

// Lane is what one sink made of a kind's rows. Each row went exactly one of these ways.
type Lane struct {
	Delivered    uint64 // the destination took it
	Duplicate    uint64 // the destination had it already
	DeadLettered uint64 // the destination refused it: it is in weir.deadletter
	Filtered     uint64 // the lane leaves it out, as configured
	Before       uint64 // it was there before the lane began
}

func (l Lane) sum() uint64 { return l.Delivered + l.Duplicate + l.DeadLettered + l.Filtered + l.Before }

// TableOf makes the table of a host from its balance and those of its lanes. The host's sums are held against
// the run that told them. A lane that has told nothing yet owes all of it.
func TableOf(host *weirv1.HostBalance, lanes []*weirv1.LaneBalance) Table {
	t := Table{Closing: host.GetLedger().GetClosing()}
	lanes = withSilent(host.GetLanes(), lanes)
	for _, l := range lanes {
		t.Lanes = append(t.Lanes, l.GetLane())
	}
	run := runOf(host)
	for _, kind := range kindsOf(host, lanes) {
		row := Row{
			Kind:     kind,
			Received: run.GetReceived()[kind],
			Evicted:  run.GetEvicted()[kind],
			Lost:     run.GetLost()[kind],
			Total:    host.GetReceived()[kind],
			Gone:     host.GetEvicted()[kind],
			Sums:     kindSums(host.GetLedger(), kind),
		}
		for _, l := range lanes {
			row.Lanes = append(row.Lanes, Lane{
				Delivered:    l.GetDelivered()[kind],
				Duplicate:    l.GetDuplicate()[kind],
				DeadLettered: l.GetDeadLettered()[kind],
				Filtered:     l.GetFiltered()[kind],
				Before:       l.GetBefore()[kind],
			})
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// withSilent adds those of the names that have no balance: they told nothing yet.
func withSilent(names []string, lanes []*weirv1.LaneBalance) []*weirv1.LaneBalance {
	all := slices.Clone(lanes)
	for _, name := range names {
		if !slices.ContainsFunc(lanes, func(l *weirv1.LaneBalance) bool { return l.GetLane() == name }) {
			all = append(all, &weirv1.LaneBalance{Lane: name})
		}
	}
	return all
}

func runOf(host *weirv1.HostBalance) *weirv1.RunBalance {
	for _, r := range host.GetRuns() {
		if string(r.GetRunId()) == string(host.GetLedgerRunId()) {
			return r
		}
	}
	return nil
}

func kindsOf(host *weirv1.HostBalance, lanes []*weirv1.LaneBalance) []string {
	kinds := map[string]bool{}
	for _, k := range host.GetLedger().GetKinds() {
		kinds[k.GetKind()] = true
	}
	for kind := range host.GetReceived() {
		kinds[kind] = true
	}
	for _, l := range lanes {
		for kind := range l.GetDelivered() {
			kinds[kind] = true
		}
	}
	return slices.Sorted(maps.Keys(kinds))
}

// Difference returns how many of the row's events the books cannot place: 0 where every equation holds.
func (t Table) Difference(r Row) uint64 {
	open := uint64(0)
	if !t.Closing {
		open = InFlight
	}
	sum := uint64(0)
	if s := r.Sums; s != nil {
		sum += beyond(s.GetSeen(), Outcomes(s), open)
		sum += beyond(s.GetSent()+s.GetSummaries(), s.GetBatched()+s.GetAbsorbed()+s.GetLost()+s.GetInRing(), open)
		sum += beyond(s.GetCounted(), s.GetSummarised()+s.GetInTable(), open)
		sum += t.away(r.Received+r.Evicted+r.Lost, s.GetRunBatched())
	}
	for _, l := range r.Lanes {
		sum += t.away(r.Total, l.sum())
	}
	return sum
}

// Sum returns the difference of all rows.
func (t Table) Sum() uint64 {
	sum := uint64(0)
	for _, r := range t.Rows {
		sum += t.Difference(r)
	}
	return sum
}

// away returns by how much later and earlier differ. Where the books are open still, later may be ahead.
func (t Table) away(later, earlier uint64) uint64 {
	if later >= earlier && !t.Closing {
		return 0
	}
	return beyond(later, earlier, 0)
}

// beyond returns by how much left and right differ, if it is more than slack that left is ahead.
func beyond(left, right, slack uint64) uint64 {
	switch {
	case left < right:
		return right - left
	case left-right > slack:
		return left - right
	default:
		return 0
	}
}
