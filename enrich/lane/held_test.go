package lane

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/weirproject/weir/enrich/books"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/sink"
)

func TestABalanceSurvivesItsRecord(t *testing.T) {
	h := newHeld(schema.HostID{1}, "siem")
	h.offset = 7
	h.run(schema.RunID{1}).numbers.Add(books.Range{First: 3, Last: 4})
	h.run(schema.RunID{2}).advance(9)
	h.add(sink.Tally{Delivered: sink.Counts{"process.exec": 2}, Filtered: sink.Counts{"process.exit": 1}})
	h.add(sink.Tally{Delivered: sink.Counts{"process.exec": 1}, DeadLettered: sink.Counts{"process.exec": 1}})
	want := &weirv1.LaneBalance{
		HostId: append([]byte{1}, make([]byte, 15)...), Lane: "siem", InputOffset: 7, BeforeOffset: -1,
		Delivered:    map[string]uint64{"process.exec": 3},
		DeadLettered: map[string]uint64{"process.exec": 1},
		Filtered:     map[string]uint64{"process.exit": 1},
		Runs: []*weirv1.LaneRun{
			{RunId: append([]byte{1}, make([]byte, 15)...), BatchNumber: 4, Missing: []*weirv1.NumberRange{{First: 1, Last: 2}}},
			{RunId: append([]byte{2}, make([]byte, 15)...), BatchNumber: 9},
		},
	}
	if diff := cmp.Diff(want, h.state(), protocmp.Transform()); diff != "" {
		t.Errorf("state (-want +got):\n%s", diff)
	}
	loaded, ok := load(want)
	if !ok {
		t.Fatal("it is not loaded")
	}
	if diff := cmp.Diff(want, loaded.state(), protocmp.Transform()); diff != "" {
		t.Errorf("loaded state (-want +got):\n%s", diff)
	}
}

func TestOldRunsAreDropped(t *testing.T) {
	h := newHeld(schema.HostID{1}, "siem")
	for i := range byte(maxRuns + 3) {
		h.run(schema.RunID{i + 1})
	}
	if len(h.runs) != maxRuns || h.runs[0].id != (schema.RunID{4}) {
		t.Errorf("%d runs, the first %s", len(h.runs), h.runs[0].id)
	}
}

func TestKindsAreChosenByNameOrFirstWord(t *testing.T) {
	kinds := Kinds{"process.*", "weir.gap"}
	for kind, want := range map[string]bool{
		"process.exec": true, "process.exit": true, "weir.gap": true,
		"weir.loss": false, "network.connect": false, "processes.exec": false,
	} {
		if kinds.Has(kind) != want {
			t.Errorf("%s: %v", kind, !want)
		}
		if !(Kinds(nil)).Has(kind) {
			t.Errorf("no patterns leave %s out", kind)
		}
	}
}

func TestPatternsAreChecked(t *testing.T) {
	for text, want := range map[string]bool{
		"process.exec": true, "process.*": true,
		"exec": false, "*": false, "*.exec": false, "process.ex*": false, "process.": false, ".exec": false, "a.b.c": false, "a b.c": false,
	} {
		var p Pattern
		if err := p.UnmarshalText([]byte(text)); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
