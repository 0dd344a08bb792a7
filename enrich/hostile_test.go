package enrich

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

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
	g.BeginUs, g.EndUs = append(g.BeginUs, 0), append(g.EndUs, 0)
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

// TestABalanceThatIsTooLargeStopsNobodyElse has a host invent kinds until its balance does not fit into weir.hosts.
func TestABalanceThatIsTooLargeStopsNobodyElse(t *testing.T) {
	s, h, other := newStage(t), newHost(t, "web"), newHost(t, "other")
	s.deliver("siem", &memory{})
	records := []kafka.Record{h.invent(1, 600), h.invent(2, 600), h.invent(3, 600), other.batch(1)}
	for _, r := range records {
		r.Partition = 0
		s.produce(r)
	}
	s.play()
	want(t, "received of the other", map[string]uint64{"process.exit": 1}, s.balance(other).GetReceived())
	want(t, "delivered of the other", map[string]uint64{"process.exit": 1}, s.balance(other).Lanes[0].GetDelivered())
}

// invent makes a run's only batch: so many kinds that nobody knows, of one row each, with long names.
func (h *machine) invent(run byte, kinds int) kafka.Record {
	h.t.Helper()
	runID := schema.RunID{run}
	b := &weirv1.Batch{
		Header: &weirv1.Header{SchemaVersion: schema.Version, HostId: h.id[:], BootId: make([]byte, 16), RunId: runID[:], BatchNumber: 1, Hostname: h.name},
		Common: &weirv1.Common{},
	}
	for i := range kinds {
		number := 10_000*uint32(run) + uint32(i)
		b.Common.Kind = append(b.Common.Kind, number)
		b.Groups = append(b.Groups, &weirv1.Group{Number: number, Kind: fmt.Sprintf("%d%s", number, strings.Repeat("x", 1000)), Rows: 1})
	}
	raw, err := proto.Marshal(b)
	if err != nil {
		h.t.Fatal(err)
	}
	return kafka.Record{Topic: kafka.Batches, Partition: kafka.AnyPartition, Key: h.id[:], Value: h.sign(raw)}
}

// sign seals bytes, as the comment of SealedBatch.signature says, as a run's first batch.
func (h *machine) sign(raw []byte) []byte {
	var numbers [8]byte
	binary.BigEndian.PutUint32(numbers[:4], uint32(weirv1.Codec_CODEC_NONE))
	binary.BigEndian.PutUint32(numbers[4:], uint32(len(raw)))
	body := sha256.Sum256(raw)
	hash := sha256.Sum256(slices.Concat([]byte("weir batch v1\x00"), make([]byte, 32), numbers[:], body[:]))
	record, err := proto.Marshal(&weirv1.SealedBatch{
		Codec: weirv1.Codec_CODEC_NONE, RawSize: uint32(len(raw)), Batch: raw,
		PublicKey: h.key.Public().(ed25519.PublicKey), Signature: ed25519.Sign(h.key, hash[:]),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return record
}
