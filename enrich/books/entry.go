package books

import (
	"fmt"
	"slices"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// entry is one batch on its way into its host's balance.
type entry struct {
	Entry
	Batch
	balance *balance
	run     *run
}

func (e *entry) enter() {
	e.run = e.balance.run(e.Run)
	if e.run == nil {
		e.begin()
	} else if e.known() {
		return
	}
	e.Verdict = Fresh
	e.checkInterleaved()
	late := e.Number < e.run.numbers.Last
	e.number()
	e.rows(late)
	e.run.stopped = e.run.stopped || e.Stopped
	if late {
		return // its ledger is older than the one that the books have
	}
	if e.Ledger != nil {
		e.checkWatched()
	}
	e.run.sealedAt = e.SealedAt
	e.balance.sealedAt = e.SealedAt
	e.balance.publicKey, e.balance.hostname, e.balance.version = e.PublicKey, e.Hostname, e.Version
	if e.Ledger != nil {
		e.checkLedger()
	}
	e.balance.attachment = e.Attachment
}

// begin opens the run, after the one before.
func (e *entry) begin() {
	before := e.balance.current()
	e.run = e.balance.begin(e.Run, e.Boot)
	switch {
	case before == nil:
	case !before.stopped:
		e.uncleanEnd(before)
	case e.Attachment != e.balance.attachment && e.balance.isOpen(before):
		e.goneMeanwhile(before)
	}
}

// known reports whether the batch's numbers have all come before, and judges it then.
func (e *entry) known() bool {
	covered := e.covered()
	if !e.run.numbers.hasAll(covered) {
		return false
	}
	if e.run.same(covered.Last, e.lastHash()) {
		e.Verdict = Duplicate
		e.balance.duplicates++
		return true
	}
	e.Verdict = Refused
	e.object(weirv1.Finding_FINDING_REWIND, covered, "batch %d came again with another content", covered.Last)
	return true
}

// covered returns the numbers that the batch stands for: its own, or its tombstone's.
func (e *entry) covered() Range {
	if t := e.Tombstone; t != nil && t.GetFirst() > 0 && t.GetFirst() <= t.GetLast() {
		return Range{t.GetFirst(), t.GetLast()}
	}
	return Range{e.Number, e.Number}
}

// lastHash returns the chain hash of the last number that the batch stands for.
func (e *entry) lastHash() (hash [32]byte) {
	if e.Tombstone == nil {
		return e.Hash
	}
	copy(hash[:], e.Tombstone.GetLastHash())
	return hash
}

func (e *entry) checkInterleaved() {
	if e.run == e.balance.current() || e.run.interleaved || e.Number <= e.run.numbers.Last {
		return
	}
	e.run.interleaved = true
	e.object(weirv1.Finding_FINDING_CLONED_KEY, Range{e.Number, e.Number},
		"run %s goes on with batch %d although run %s has begun: two machines may have the host's key",
		brief(e.Run[:]), e.Number, brief(e.balance.current().id[:]))
}

// number enters the batch's numbers and checks its place in the chain.
func (e *entry) number() {
	covered := e.covered()
	if !e.run.follows(covered.First, e.Previous) {
		e.object(weirv1.Finding_FINDING_BROKEN_CHAIN, covered, "batch %d follows hash %s, which is not that of batch %d",
			covered.First, brief(e.Previous[:]), covered.First-1)
	}
	if gap := e.run.add(covered, e.lastHash()); !gap.IsZero() {
		e.object(weirv1.Finding_FINDING_GAP, gap, "batches %d to %d are missing", gap.First, gap.Last)
	}
}

// rows enters what the batch holds, or what its tombstone says is gone.
func (e *entry) rows(late bool) {
	if e.Tombstone != nil {
		e.evict()
	}
	e.run.received.add(e.Groups)
	e.balance.received.add(e.Groups)
	if !late {
		return
	}
	for _, g := range slices.Concat(e.Groups, e.Tombstone.GetLost()) { // they were told as lost, and are not
		if lost := e.run.lost[g.GetKind()]; lost > 0 {
			e.run.lost[g.GetKind()] = lost - min(lost, uint64(g.GetRows()))
		}
	}
}

func (e *entry) evict() {
	lost := e.Tombstone.GetLost()
	e.run.evicted.add(lost)
	e.balance.evicted.add(lost)
	place := PlaceSpool
	if e.Tombstone.GetReason() != spoolFull {
		place = PlaceBroker
	}
	for _, g := range lost {
		e.lose(g.GetKind(), uint64(g.GetRows()), place, "batches %d to %d of run %s: %s",
			e.Tombstone.GetFirst(), e.Tombstone.GetLast(), brief(e.Run[:]), e.Tombstone.GetReason())
	}
}

// spoolFull is Tombstone.reason where the spool made room.
const spoolFull = "spool full"

func (e *entry) object(kind weirv1.Finding, numbers Range, format string, args ...any) {
	f := Finding{Kind: kind, Run: e.run.id, Numbers: numbers, Detail: fmt.Sprintf(format, args...)}
	e.Findings = append(e.Findings, e.balance.object(f))
}

func (e *entry) lose(kind string, events uint64, place Place, format string, args ...any) {
	e.Losses = append(e.Losses, Loss{
		Host: e.Host, Kind: kind, Events: events, Place: place, Detail: fmt.Sprintf(format, args...),
	})
}
