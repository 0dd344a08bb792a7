package batch_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// threeBatches seals three batches of one chain.
func threeBatches(t *testing.T) []batch.Sealed {
	t.Helper()
	d, c, g := batch.NewDraft(header(), batch.DefaultLimits()), batch.NewChain(key, run), newGenerator(3)
	var all []batch.Sealed
	for range 3 {
		fill(d, g.event([]*schema.Kind{schema.ProcessExit}))
		fill(d, g.event([]*schema.Kind{schema.NetworkListen}))
		all = append(all, mustSeal(t, d, c))
	}
	return all
}

func TestBatchesFormAChain(t *testing.T) {
	var before batch.Hash
	for i, s := range threeBatches(t) {
		b := mustRead(t, s.Record)
		first, last := b.Numbers()
		if first != uint64(i+1) || last != first || s.First != first || s.Last != first {
			t.Errorf("batch %d: numbers %d to %d", i+1, first, last)
		}
		if b.Previous() != before || s.Previous != before || b.Hash() != s.Hash {
			t.Errorf("batch %d: previous %v, want %v", i+1, b.Previous(), before)
		}
		if b.Host() != s.Host || b.Run() != run || !b.PublicKey().Equal(key.Public()) {
			t.Errorf("batch %d: host %v, run %v, key %x", i+1, b.Host(), b.Run(), b.PublicKey())
		}
		before = b.Hash()
	}
}

// The chain hash as docs/format/batch.md describes it, byte by byte.
func TestTheChainHashIsAsDocumented(t *testing.T) {
	for _, s := range threeBatches(t) {
		var sealed weirv1.SealedBatch
		if err := proto.Unmarshal(s.Record, &sealed); err != nil {
			t.Fatal(err)
		}
		body := sha256.Sum256(sealed.Batch)
		input := []byte("weir batch v1\x00")
		input = append(input, append(sealed.PreviousHash, make([]byte, 32-len(sealed.PreviousHash))...)...)
		input = fmt.Appendf(input, "\x00\x00\x00%c", sealed.Codec)
		input = append(input, byte(sealed.RawSize>>24), byte(sealed.RawSize>>16), byte(sealed.RawSize>>8), byte(sealed.RawSize))
		if hash := batch.Hash(sha256.Sum256(append(input, body[:]...))); hash != s.Hash {
			t.Errorf("batch %d: %v, want %v", s.Last, s.Hash, hash)
		}
	}
}

// A tombstone keeps numbers and chain whole: the batch before it and the batch behind it fit.
func TestATombstoneStandsInTheChain(t *testing.T) {
	all := threeBatches(t)
	lost := &weirv1.Group{Number: 102, Kind: "process.exit", Rows: 2}
	tomb := &weirv1.Tombstone{
		First: 2, Last: 3, LastHash: all[2].Hash[:], Reason: "spool full", Lost: []*weirv1.Group{lost},
	}
	s, err := batch.SealTombstone(key, all[1].Header, tomb, all[0].Hash)
	if err != nil {
		t.Fatal(err)
	}
	b := mustRead(t, s.Record)
	if first, last := b.Numbers(); first != 2 || last != 3 || b.Previous() != all[0].Hash || b.Hash() != all[2].Hash {
		t.Errorf("batches %d to %d, previous %v, hash %v", first, last, b.Previous(), b.Hash())
	}
	if diff := cmp.Diff(tomb, b.Tombstone(), protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	inspected, err := batch.Inspect(s.Record)
	if diff := cmp.Diff(s, inspected, protocmp.Transform()); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestATombstoneOfNothingIsRefused(t *testing.T) {
	hash := make([]byte, 32)
	for want, tomb := range map[string]*weirv1.Tombstone{
		"seal tombstone: tombstone: batches 3 to 2, number 2: malformed": {First: 3, Last: 2, LastHash: hash},
		"seal tombstone: tombstone: batches 0 to 2, number 2: malformed": {Last: 2, LastHash: hash},
		"seal tombstone: tombstone: last_hash: 0 bytes: malformed":       {First: 1, Last: 2},
	} {
		if _, err := batch.SealTombstone(key, header(), tomb, batch.Hash{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestInspectTellsWhatSealTold(t *testing.T) {
	for _, s := range threeBatches(t) {
		got, err := batch.Inspect(s.Record)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
}

func TestHeadersTellWhatAConsumerMaySkip(t *testing.T) {
	s := threeBatches(t)[0]
	got := map[string]string{}
	for k, v := range s.Headers() {
		got[k] = string(v)
	}
	want := map[string]string{
		"weir.schema_version": "1",
		"weir.host":           s.Host.String(),
		"weir.run":            run.String(),
		"weir.batch":          "1",
		"weir.kinds":          "process.exit,network.listen",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The id of an event as docs/format/batch.md describes it.
func TestEventIDsAreAsDocumented(t *testing.T) {
	b := mustRead(t, threeBatches(t)[2].Record)
	h := b.Header()
	sum := sha256.Sum256(slices.Concat(h.HostId, h.RunId, []byte{0, 0, 0, 0, 0, 0, 0, 3}))
	base := new(big.Int).SetBytes(sum[:16])
	for _, row := range []int{0, 1, 1 << 40} {
		want := new(big.Int).Add(base, big.NewInt(int64(row)))
		want.And(want, new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1)))
		id := b.EventID(row)
		if got := hex.EncodeToString(id[:]); got != fmt.Sprintf("%032x", want) {
			t.Errorf("row %d: %s, want %032x", row, got, want)
		}
	}
}

func TestEnrichmentLeavesTheSealedBytesAlone(t *testing.T) {
	s := threeBatches(t)[0]
	e := &weirv1.Enrichment{
		Instances: []*weirv1.Instance{{Id: "i-1"}},
		Spans:     []*weirv1.Span{{Rows: 2, Instance: 1}},
	}
	record, err := batch.MarshalEnriched(s.Record, e)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(record, s.Record) {
		t.Error("the sealed bytes are not in the record")
	}
	b, got, err := batch.ReadEnriched(record, batch.DefaultReadLimits())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(e, got, protocmp.Transform()); diff != "" || b.Hash() != s.Hash {
		t.Errorf("%s, hash %v", diff, b.Hash())
	}
}

func TestAnEnrichmentThatDoesNotFitIsRefused(t *testing.T) {
	s := threeBatches(t)[0]
	for name, e := range map[string]*weirv1.Enrichment{
		"more rows than there are": {Spans: []*weirv1.Span{{Rows: 1}, {Rows: 2}}},
		"no such instance":         {Spans: []*weirv1.Span{{Rows: 1, Instance: 1}}},
		"no such deploy":           {Deploys: []*weirv1.Deploy{{}}, Spans: []*weirv1.Span{{Rows: 1, Deploy: 2}}},
	} {
		record, err := batch.MarshalEnriched(s.Record, e)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, name, func() error {
			_, _, err := batch.ReadEnriched(record, batch.DefaultReadLimits())
			return err
		}, batch.ErrColumns)
	}
}
