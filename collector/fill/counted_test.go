package fill

import (
	"testing"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/schema"
)

func TestASummaryIsARowThatNeverWasInTheRing(t *testing.T) {
	b := newBench(schema.CapabilityCheck)
	key := bpf.CountKey{Epoch: 3, Kind: uint16(bpf.KindCapabilityCheck)}
	*key.Capability() = bpf.CapabilityKey{Capability: 21, Refused: 1, Options: uint8(bpf.CapabilityNoAudit)}
	actor := bpf.Actor{Key: bpf.ProcessKey{Tgid: 7, StartNs: 5000}, Tid: 7, Euid: 1000}
	if err := b.Summary(key, bpf.Count{Actor: actor, Count: 40, FirstNs: 8_000_000}, 9000); err != nil {
		t.Fatal(err)
	}
	read := b.read(t).Proto()
	g, common := read.GetCapabilityCheck(), read.GetCommon()
	if g.GetCapability()[0] != 21 || !g.GetRefused()[0] || !g.GetUnaudited()[0] || g.GetCount()[0] != 40 || g.GetFirstUs()[0] != 8000 {
		t.Errorf("row %v", g)
	}
	if common.GetTimeUs()[0] != 9000 || common.GetSequence()[0] != 0 || read.GetProcesses().GetTgid()[0] != 7 {
		t.Errorf("common %v of processes %v", common, read.GetProcesses())
	}
	if got := b.Counts(schema.CapabilityCheck); got != (Counts{Summaries: 1, Summarised: 40}) {
		t.Errorf("counted as %+v", got)
	}
}
