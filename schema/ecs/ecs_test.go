package ecs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/schema/ecs"
)

var update = flag.Bool("update", false, "write testdata anew")

func encoder(t testing.TB) *ecs.Encoder {
	t.Helper()
	e, err := ecs.New()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestDocumentOfEachKindIsTheGolden(t *testing.T) {
	b := everyKind(t)
	documents := encoder(t).Batch(b, known(b.Len()))
	for row := range b.Rows() {
		t.Run(row.Kind.Name, func(t *testing.T) {
			document := documents.Append(nil, row)
			decodeStrictly(t, document)
			var indented bytes.Buffer
			if err := json.Indent(&indented, document, "", "  "); err != nil {
				t.Fatal(err)
			}
			indented.WriteByte('\n')
			compareGolden(t, filepath.Join("testdata", row.Kind.Name+".json"), indented.Bytes())
		})
	}
}

func compareGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got; -update writes it anew):\n%s", path, diff)
	}
}

// A column that no golden shows could be encoded in any way.
func TestEveryColumnStandsInItsKindsGolden(t *testing.T) {
	shared := map[string]bool{}
	for k := range schema.Kinds() {
		golden := readGolden(t, k)
		fields, err := ecs.Fields(k)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fields {
			switch present := hasPath(golden, f.Path); {
			case strings.HasPrefix(f.Path, "weir.raw."):
			case f.Own && !present:
				t.Errorf("kind %v: column %s: testdata/%v.json has no %s", k, f.Column, k, f.Path)
			case !f.Own:
				shared[f.Column] = shared[f.Column] || present
			}
		}
	}
	for column, present := range shared {
		if !present {
			t.Errorf("no golden shows %s", column)
		}
	}
}

func readGolden(t *testing.T, k *schema.Kind) map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", k.Name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return decodeStrictly(t, b)
}

func hasPath(document map[string]any, path string) bool {
	name, rest, more := strings.Cut(path, ".")
	member, ok := document[name]
	if !ok || !more {
		return ok
	}
	object, ok := member.(map[string]any)
	return ok && hasPath(object, rest)
}

func TestRowWithoutAnythingHasOnlyWhatEveryEventHas(t *testing.T) {
	s := newSample()
	s.Append(batch.Event{Kind: schema.WeirStopped})
	s.groups.WeirStopped.Reason = append(s.groups.WeirStopped.Reason, 0)
	b := s.read(t)
	document := decodeStrictly(t, encoder(t).Batch(b, nil).Append(nil, b.Row(0)))
	for _, absent := range []string{"process", "user", "container", "weir.raw", "weir.cgroup", "weir.rung", "cloud",
		"event.sequence", "event.reason", "related.user", "weir.self_test", "weir.joined"} {
		if hasPath(document, absent) {
			t.Errorf("%s is there", absent)
		}
	}
	if got := document["@timestamp"]; got != "2026-11-24T07:00:00.000000Z" {
		t.Errorf("@timestamp %v", got)
	}
}

func TestRowsAreJoinedWithTheirSpan(t *testing.T) {
	s := newSample()
	for range 4 {
		samples[schema.WeirStopped](s)
	}
	b := s.read(t)
	documents := encoder(t).Batch(b, &weirv1.Enrichment{
		Deploys: []*weirv1.Deploy{{App: "one"}, {App: "two"}},
		Spans:   []*weirv1.Span{{Rows: 1, Deploy: 1}, {Rows: 1}, {Rows: 1, Deploy: 2}},
	})
	var apps []string
	for row := range b.Rows() {
		service, _ := decodeStrictly(t, documents.Append(nil, row))["service"].(map[string]any)
		name, _ := service["name"].(string)
		apps = append(apps, name)
	}
	if diff := cmp.Diff([]string{"one", "", "two", ""}, apps); diff != "" {
		t.Error(diff)
	}
}

func TestArgumentsOfTheRowWinOverTheEntrysCutOnes(t *testing.T) {
	s := newSample()
	samples[schema.ProcessExec](s)
	samples[schema.ProcessExec](s)
	s.groups.ProcessExec.Arguments[1] = 0 // none of its own: the entry's are better than nothing
	b := s.read(t)
	documents := encoder(t).Batch(b, nil)
	var count []int
	for row := range b.Rows() {
		process := decodeStrictly(t, documents.Append(nil, row))["process"].(map[string]any)
		count = append(count, len(process["args"].([]any)))
	}
	if diff := cmp.Diff([]int{5, 3}, count); diff != "" {
		t.Error(diff)
	}
}

func TestBytesStandAtTheEndThatSentThem(t *testing.T) {
	s := newSample()
	samples[schema.NetworkClose](s)
	samples[schema.NetworkClose](s)
	s.groups.NetworkClose.Direction[1] = weirv1.Direction_DIRECTION_INBOUND
	b := s.read(t)
	documents := encoder(t).Batch(b, nil)
	var source, destination []any
	for row := range b.Rows() {
		document := decodeStrictly(t, documents.Append(nil, row))
		source = append(source, document["source"].(map[string]any)["bytes"])
		destination = append(destination, document["destination"].(map[string]any)["bytes"])
	}
	if diff := cmp.Diff([][]any{{json.Number("517"), json.Number("0")}, {json.Number("0"), json.Number("517")}},
		[][]any{source, destination}); diff != "" {
		t.Error(diff)
	}
}

func TestCommunityIDIsTheSameFromBothEndsAndAbsentWithoutThem(t *testing.T) {
	s := newSample()
	for range 3 {
		samples[schema.NetworkConnect](s)
	}
	g := s.groups.NetworkConnect
	g.Source[1], g.SourcePort[1], g.Destination[1], g.DestinationPort[1] = g.Destination[0], g.DestinationPort[0], g.Source[0], g.SourcePort[0]
	g.SourcePort[2] = 0 // no port was free: there was no flow
	b := s.read(t)
	documents := encoder(t).Batch(b, nil)
	var got []any
	for row := range b.Rows() {
		network := decodeStrictly(t, documents.Append(nil, row))["network"].(map[string]any)
		got = append(got, network["community_id"])
	}
	if got[0] == nil || got[0] != got[1] || got[2] != nil {
		t.Errorf("%v", got)
	}
}

// What a connect came to is told once: by its own event, or, where that is pending, by its close.
func TestOutcomeOfAConnectIsUnknownAsLongAsItIsPending(t *testing.T) {
	s := newSample()
	for range 4 {
		samples[schema.NetworkConnect](s)
	}
	g := s.groups.NetworkConnect
	g.Errno = []uint32{0, 111, 0, 0}
	g.FailedUnknown = []bool{false, false, false, false}
	g.Pending = []bool{false, false, true, false}
	g.Abandoned = []bool{false, false, false, true}
	samples[schema.NetworkClose](s)
	samples[schema.NetworkClose](s)
	s.groups.NetworkClose.NotEstablished = []bool{true, false}
	b := s.read(t)
	documents := encoder(t).Batch(b, nil)
	var got []any
	for row := range b.Rows() {
		event := decodeStrictly(t, documents.Append(nil, row))["event"].(map[string]any)
		got = append(got, event["outcome"])
	}
	if diff := cmp.Diff([]any{"success", "failure", "unknown", "failure", "failure", "success"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestKindThatThisWeirDoesNotKnowIsShownByItsName(t *testing.T) {
	b := everyKind(t)
	row := batch.Row{Index: 0}
	document := decodeStrictly(t, encoder(t).Batch(b, nil).Append(nil, row))
	if !hasPath(document, "weir.kind") || !hasPath(document, "event.id") {
		t.Errorf("%v", document)
	}
}

func TestDocumentsAreUsedAgainWithoutAnythingLeftBehind(t *testing.T) {
	e := encoder(t)
	first := everyKind(t)
	var want [][]byte
	for row := range first.Rows() {
		want = append(want, e.Batch(first, known(first.Len())).Append(nil, row))
	}
	s := newSample()
	samples[schema.WeirStopped](s)
	other := s.read(t)
	d := e.Batch(other, nil)
	d.Append(nil, other.Row(0))
	d.Release()
	d = e.Batch(first, known(first.Len()))
	for i, row := range collect(first) {
		if got := d.Append(nil, row); !bytes.Equal(got, want[i]) {
			t.Errorf("%v: %s\nwant %s", row.Kind, got, want[i])
		}
	}
}

func collect(b *batch.Batch) (rows []batch.Row) {
	for row := range b.Rows() {
		rows = append(rows, row)
	}
	return rows
}

func TestAppendAllocatesNothing(t *testing.T) {
	b := everyKind(t)
	rows := collect(b)
	documents := encoder(t).Batch(b, known(b.Len()))
	var dst []byte
	all := func() {
		for _, row := range rows {
			dst = documents.Append(dst[:0], row)
		}
	}
	all() // what rows share is rendered
	if n := testing.AllocsPerRun(100, all); n != 0 {
		t.Errorf("%v allocations for %d events", n, len(rows))
	}
}

// decodeStrictly decodes a document, and fails where a key comes twice in an object or an object is empty.
func decodeStrictly(t testing.TB, document []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	v, err := strictValue(d)
	if err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	if d.More() {
		t.Fatalf("more than one value in %s", document)
	}
	return v.(map[string]any)
}

func strictValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	switch {
	case err != nil:
		return nil, err
	case token == nil:
		return nil, fmt.Errorf("null before byte %d", d.InputOffset())
	case token == json.Delim('{'):
		return strictObject(d)
	case token == json.Delim('['):
		return strictArray(d)
	default:
		return token, nil
	}
}

func strictObject(d *json.Decoder) (any, error) {
	object := map[string]any{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		if _, twice := object[key.(string)]; twice {
			return nil, fmt.Errorf("key %q twice before byte %d", key, d.InputOffset())
		}
		if object[key.(string)], err = strictValue(d); err != nil {
			return nil, err
		}
	}
	if len(object) == 0 {
		return nil, fmt.Errorf("an empty object at byte %d", d.InputOffset())
	}
	_, err := d.Token()
	return object, err
}

func strictArray(d *json.Decoder) (any, error) {
	array := []any{}
	for d.More() {
		v, err := strictValue(d)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	_, err := d.Token()
	return array, err
}
