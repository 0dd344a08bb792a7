package enrich

import (
	"testing"

	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// TestARecordWithHeadersThatAreNoTextIsPutAside has names and values of Kafka headers that protobuf does not
// take as text.
func TestARecordWithHeadersThatAreNoTextIsPutAside(t *testing.T) {
	s, h := newStage(t), newHost(t, "web")
	garbage, good := h.batch(1), h.batch(1)
	garbage.Value = []byte("no batch")
	garbage.Headers = []kafka.Header{{Key: "\xff", Value: []byte("\xfe")}}
	s.produce(garbage, good)
	s.play()
	want(t, "enriched", []string{"web/2-2 none", "gap: gap 1-1"}, s.enriched())
	want(t, "dead letters", 1, len(s.deadLetters()))
}

// TestAHostCannotTellOfAnotherHost has a host send what only the enricher may: findings, and losses of others.
func TestAHostCannotTellOfAnotherHost(t *testing.T) {
	s, h, victim := newStage(t), newHost(t, "web"), newHost(t, "victim")
	gap := h.gap(victim.id)
	loss := h.loss(victim.id)
	own := h.loss(h.id)
	s.produce(gap, loss, own)
	s.play()
	want(t, "enriched", []string{"web/3-3 none", "gap: gap 1-2"}, s.enriched())
	want(t, "dead letters", []string{
		"enrich: weir.gap is the enricher's to tell: not a host's own",
		"enrich: weir.loss of host " + victim.id.String() + ": not a host's own",
	}, s.deadLetters())
}

func (h *machine) gap(about schema.HostID) kafka.Record {
	h.draft.Append(batch.Event{Kind: schema.WeirGap})
	g, text := h.draft.Columns().WeirGap, h.draft.Text
	g.Host = append(g.Host, text(about[:]))
	g.Run = append(g.Run, 0)
	g.Finding = append(g.Finding, weirv1.Finding_FINDING_CLONED_KEY)
	g.First, g.Last = append(g.First, 1), append(g.Last, 1)
	g.Detail, g.Evidence = append(g.Detail, 0), append(g.Evidence, 0)
	return h.seal()
}

func (h *machine) loss(of schema.HostID) kafka.Record {
	h.draft.Append(batch.Event{Kind: schema.WeirLoss})
	g, text := h.draft.Columns().WeirLoss, h.draft.Text
	g.Host = append(g.Host, text(of[:]))
	g.Kind = append(g.Kind, 0)
	g.Events = append(g.Events, 1)
	g.Place = append(g.Place, text([]byte("spool")))
	g.Detail = append(g.Detail, 0)
	return h.seal()
}
