package sink

import (
	"fmt"
	"time"
)

// Counts are numbers of events by kind, such as "process.exec".
type Counts map[string]uint64

// Tally says how the delivery of one batch ended. Its four counts add up to the batch's rows.
type Tally struct {
	Delivered    Counts // the destination has taken it
	Duplicate    Counts // the destination had it already
	DeadLettered Counts // refused, and put aside
	Filtered     Counts // not for this lane
}

// tallies are the open tallies of the batches in delivery.
type tallies map[*Batch]*Tally

func newTallies(batches []*Batch) tallies {
	ts := make(tallies, len(batches))
	for _, b := range batches {
		ts[b] = &Tally{Delivered: Counts{}, Duplicate: Counts{}, DeadLettered: Counts{}, Filtered: Counts{}}
	}
	return ts
}

// answer is what one attempt leaves to be done.
type answer struct {
	dead   []DeadRow
	again  []Row
	after  time.Duration // longest wait that was asked for
	reason string        // of the first row to be tried again
}

// divide counts the rows that were taken, and returns the others. It reuses rows.
func (ts tallies) divide(rows []Row, verdicts []Verdict) answer {
	a := answer{again: rows[:0]}
	for i, v := range verdicts {
		row := rows[i]
		switch v.State {
		case Accepted:
			ts[row.Batch].Delivered[row.KindName()]++
		case Duplicate:
			ts[row.Batch].Duplicate[row.KindName()]++
		case Refused:
			a.dead = append(a.dead, DeadRow{Row: row, EventID: row.ID(), Reason: v.Reason})
		case Retry:
			if len(a.again) == 0 {
				a.reason = v.Reason
			}
			a.again = append(a.again, row)
			a.after = max(a.after, v.After)
		default:
			panic(fmt.Sprintf("sink: verdict %d of row %d has no such state", v.State, i))
		}
	}
	return a
}

// buried counts rows that are in the dead letters.
func (ts tallies) buried(dead []DeadRow) {
	for _, d := range dead {
		ts[d.Row.Batch].DeadLettered[d.Row.KindName()]++
	}
}
