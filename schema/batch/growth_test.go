package batch_test

import (
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/batch"
)

// packedColumn is a column as bytes: what a newer weir writes that this one has no name for.
func packedColumn(number protowire.Number, values ...uint64) []byte {
	var column []byte
	for _, v := range values {
		column = protowire.AppendVarint(column, v)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), column)
}

func appendField(b []byte, number protowire.Number, field []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), field)
}

// newer is the small batch as a weir of the future writes it: with a kind more, a column more in a known kind,
// in Common and in a table, a table more and a field more in the header.
func newer(t *testing.T) []byte {
	t.Helper()
	b := small()
	b.Common.Kind = append(b.Common.Kind, 388, 102, 388)
	b.Common.TimeUs = append(b.Common.TimeUs, 1, 1, 1)
	b.Common.Process = append(b.Common.Process, 0, 0, 0)
	b.Common.Credentials = append(b.Common.Credentials, 1, 1, 1)
	b.Common.Rung = append(b.Common.Rung, 0, 0, 0)
	b.Groups[0].Rows = 3
	b.Groups = append(b.Groups, &weirv1.Group{Number: 388, Kind: "quantum.leap", Rows: 2})
	b.ProcessExit.ExitCode = append(b.ProcessExit.ExitCode, 9)
	raw, err := proto.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	raw = appendField(raw, 388, packedColumn(1, 11, 12))
	raw = appendField(raw, 102, packedColumn(77, 1, 2, 3))
	raw = appendField(raw, 7, packedColumn(77, 1, 2, 3, 4, 5, 6))
	raw = appendField(raw, 3, packedColumn(77, 1, 2))
	raw = appendField(raw, 1, protowire.AppendVarint(protowire.AppendTag(nil, 77, protowire.VarintType), 5))
	raw = appendField(raw, 55, packedColumn(1, 1))
	return batch.SealBytes(key, raw, weirv1.Codec_CODEC_NONE, len(raw))
}

func TestAnOlderReaderNamesAndCountsWhatItDoesNotKnow(t *testing.T) {
	b := mustRead(t, newer(t))
	var names []string
	for row := range b.Rows() {
		names = append(names, b.KindName(row))
		if known := row.Kind != nil; known != (b.KindName(row) != "quantum.leap") {
			t.Errorf("row %d: kind %v", row.Index, row.Kind)
		}
	}
	want := []string{"process.exit", "network.listen", "process.exit", "quantum.leap", "process.exit", "quantum.leap"}
	if len(names) != len(want) {
		t.Fatalf("rows %v", names)
	}
	for i := range want {
		if names[i] != want[i] {
			t.Errorf("row %d is %s, not %s", i, names[i], want[i])
		}
	}
	// Rows of known kinds keep their places, unknown ones have one as well.
	if b.Row(4).GroupRow != 2 || b.Row(5).GroupRow != 1 {
		t.Errorf("rows %+v, %+v", b.Row(4), b.Row(5))
	}
	if got := b.Proto().GetProcessExit().GetExitCode()[b.Row(4).GroupRow]; got != 9 {
		t.Errorf("exit code %d", got)
	}
	counted := uint32(0)
	for _, g := range b.Groups() {
		if g.GetKind() == "quantum.leap" {
			counted = g.GetRows()
		}
	}
	if counted != 2 {
		t.Errorf("%d rows of the unknown kind", counted)
	}
}

func TestWhatAnOlderReaderPassesOnKeepsTheUnknown(t *testing.T) {
	record := newer(t)
	enriched, err := batch.MarshalEnriched(record, &weirv1.Enrichment{})
	if err != nil {
		t.Fatal(err)
	}
	var e weirv1.EnrichedBatch
	if err := proto.Unmarshal(enriched, &e); err != nil {
		t.Fatal(err)
	}
	if string(e.GetSealed()) != string(record) {
		t.Error("the sealed bytes were changed")
	}
}

// A column of later date is 0 in every row of an older batch, and 0 means that the row has none.
func TestANewerReaderMeetsAnOlderBatch(t *testing.T) {
	b := small()
	b.ProcessExit = nil
	got := mustRead(t, seal(t, b))
	if got.Len() != 3 || got.Row(2).GroupRow != 1 {
		t.Errorf("%d rows, the last is %+v", got.Len(), got.Row(2))
	}
	if n := len(got.Proto().GetProcessExit().GetExitCode()); n != 0 {
		t.Errorf("%d exit codes", n)
	}
}

// A spool passes on what a newer weir has left in it.
func TestInspectTakesANewerVersion(t *testing.T) {
	b := small()
	b.Header.SchemaVersion = 9
	s, err := batch.Inspect(seal(t, b))
	if err != nil || s.SchemaVersion != 9 || s.Last != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// Another reader of the same bytes gets the same: order of the fields, and fields in parts, do not matter.
func TestFieldsMayComeInPartsAndInAnyOrder(t *testing.T) {
	whole, err := proto.Marshal(small())
	if err != nil {
		t.Fatal(err)
	}
	late := small().Header
	part, err := proto.Marshal(&weirv1.Batch{Header: late})
	if err != nil {
		t.Fatal(err)
	}
	raw := append(whole, part...)
	b := mustRead(t, batch.SealBytes(key, raw, weirv1.Codec_CODEC_NONE, len(raw)))
	if b.Len() != 3 {
		t.Errorf("%d rows", b.Len())
	}
}
