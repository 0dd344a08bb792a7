package books

import (
	"fmt"
	"strings"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
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
	e.balance.ledger, e.balance.ledgerRun = e.Ledger, e.Run
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
