package books

import (
	"fmt"
	"strings"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/ledger"
)

// checkLedger holds the batch's ledger against itself, against the one before, and against what came.
func (e *entry) checkLedger() {
	e.checkEquations()
	if before := e.balance.ledger; before != nil && e.Attachment == e.balance.attachment {
		e.checkBackwards(before)
	}
	for _, sums := range e.Ledger.GetKinds() {
		e.checkReceived(sums)
	}
	e.balance.ledger, e.balance.ledgerRun, e.balance.ledgerAt = e.Ledger, e.Run, e.at(e.Ledger.GetTimeUs())
}

// at is the time of the host's CLOCK_BOOTTIME by its clock.
func (e *entry) at(bootTime uint64) time.Time {
	return e.Booted.Add(time.Duration(bootTime) * time.Microsecond)
}

// checkWatched finds the time without hooks before an attachment that does not follow another one at once. Where the
// one before it was not closed, its end is not known: it is blamed from its last batch on.
func (e *entry) checkWatched() {
	before := e.balance
	if before.attachment == e.Attachment || before.attachment == (schema.AttachmentID{}) || e.Ledger.GetSinceUs() == 0 {
		return
	}
	begin, earliest := before.sealedAt, " at the earliest"
	if before.ledger.GetClosing() {
		begin, earliest = before.ledgerAt, ""
	}
	end := e.at(e.Ledger.GetSinceUs())
	if !end.After(begin) {
		return
	}
	f := Finding{
		Kind: weirv1.Finding_FINDING_UNWATCHED, Run: e.Run, Begin: begin, End: end,
		Detail: fmt.Sprintf("no hook was attached from %s%s to %s, %s", begin.UTC().Format(time.RFC3339Nano), earliest,
			end.UTC().Format(time.RFC3339Nano), end.Sub(begin).Round(time.Millisecond)),
	}
	e.Findings = append(e.Findings, before.object(f))
}

// isOpen reports whether the run stopped and left its hooks to the next one.
func (h *balance) isOpen(r *run) bool {
	return h.ledger != nil && h.ledgerRun == r.id && !h.ledger.GetClosing()
}

// goneMeanwhile tells what the hooks that a run had left to the next one have told since, and nobody has read: the
// machine was booted, or the pins were removed.
func (e *entry) goneMeanwhile(before *run) {
	e.inRing(before)
	e.lose("", 0, PlaceRun, "run %s stopped and left its hooks attached; they are gone, and what they told since %s is not known",
		brief(before.id[:]), e.balance.ledgerAt.UTC().Format(time.RFC3339))
}

// checkEquations tells what does not add up once, and again only when that changes.
func (e *entry) checkEquations() {
	text := join(ledger.Check(e.Ledger))
	if text != "" && text != e.balance.objected {
		e.object(weirv1.Finding_FINDING_UNBALANCED, Range{e.Number, e.Number}, "ledger: %s", text)
	}
	e.balance.objected = text
}

// checkBackwards finds counters of one attachment that fell.
func (e *entry) checkBackwards(before *weirv1.Ledger) {
	if text := join(ledger.Rewinds(before, e.Ledger)); text != "" {
		e.object(weirv1.Finding_FINDING_REWIND, Range{e.Number, e.Number}, "ledger: %s", text)
	}
}

func join[T fmt.Stringer](list []T) string {
	var texts []string
	for _, v := range list {
		texts = append(texts, v.String())
	}
	return strings.Join(texts, "; ")
}

// checkReceived holds the rows of one kind that came against those that the run says it has batched. The
// rows of missing batches are named here: only the ledger knows them.
func (e *entry) checkReceived(sums *weirv1.KindSums) {
	kind, want := sums.GetKind(), sums.GetRunBatched()
	have := e.run.received[kind] + e.run.evicted[kind] + e.run.lost[kind]
	switch {
	case have < want:
		e.deficit(kind, want-have)
	case have-want > e.run.surplus[kind]:
		e.object(weirv1.Finding_FINDING_UNBALANCED, Range{e.Number, e.Number},
			"%s: %d rows came, %d are evicted, %d lost; by the ledger the run has batched %d",
			kind, e.run.received[kind], e.run.evicted[kind], e.run.lost[kind], want)
		e.run.surplus[kind] = have - want
	}
}

func (e *entry) deficit(kind string, events uint64) {
	if len(e.run.numbers.Missing) == 0 {
		e.object(weirv1.Finding_FINDING_UNBALANCED, Range{e.Number, e.Number},
			"%s: no batch is missing, but the run has batched %d rows more than came", kind, events)
	}
	e.run.lost[kind] += events
	e.lose(kind, events, PlaceTopic, "of run %s up to batch %d: batched by its ledger, and not received", brief(e.Run[:]), e.Number)
}

// uncleanEnd tells what the run before, which did not stop in good order, left unspooled: number by
// number what its last ledger had in the ring, and that what came after is not known. An attachment that
// lives on keeps its ring and its counters, and the new run's ledger tells.
func (e *entry) uncleanEnd(before *run) {
	f := Finding{
		Kind: weirv1.Finding_FINDING_UNCLEAN_END, Run: before.id,
		Detail: fmt.Sprintf("run %s ended after batch %d, sealed at %s, without weir.stopped; run %s follows",
			brief(before.id[:]), before.numbers.Last, before.sealedAt.UTC().Format(time.RFC3339), brief(e.Run[:])),
	}
	e.Findings = append(e.Findings, e.balance.object(f))
	if e.Attachment == e.balance.attachment {
		return
	}
	if e.balance.ledgerRun == before.id {
		e.inRing(before)
	}
	e.lose("", 0, PlaceRun, "run %s: what was sent after its last ledger and is in none of its %d batches is not known",
		brief(before.id[:]), before.numbers.Last)
}

// inRing tells what the last ledger of a run that is over had in the ring, and that never came: the ring
// is read in order, so that what came after the ledger was in the ring first.
func (e *entry) inRing(before *run) {
	for _, sums := range e.balance.ledger.GetKinds() {
		kind := sums.GetKind()
		since := before.received[kind] + before.evicted[kind] + before.lost[kind]
		since -= min(since, sums.GetRunBatched())
		if sums.GetInRing() > since {
			e.lose(kind, sums.GetInRing()-since, PlaceRun,
				"run %s: %d were sent and not batched when its last ledger was read, %d came after it",
				brief(before.id[:]), sums.GetInRing(), since)
		}
	}
}
