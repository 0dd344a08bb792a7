package ledger_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/ledger"
)

var update = flag.Bool("update", false, "write testdata anew")

// host is the balance of a host whose books close, and its two lanes.
func host() (*weirv1.HostBalance, []*weirv1.LaneBalance) {
	return &weirv1.HostBalance{
			Ledger:      balanced(),
			LedgerRunId: []byte("this run"),
			Runs: []*weirv1.RunBalance{
				{RunId: []byte("run before"), Received: map[string]uint64{"process.exec": 50}},
				{
					RunId:    []byte("this run"),
					Received: map[string]uint64{"process.exec": 55, "weir.heartbeat": 2},
					Evicted:  map[string]uint64{"process.exec": 4},
					Lost:     map[string]uint64{"process.exec": 1},
				},
			},
			Received: map[string]uint64{"process.exec": 105, "weir.heartbeat": 2},
			Evicted:  map[string]uint64{"process.exec": 4},
		}, []*weirv1.LaneBalance{
			{Lane: "file", Delivered: map[string]uint64{"process.exec": 105, "weir.heartbeat": 2}},
			{
				Lane:         "elasticsearch",
				Delivered:    map[string]uint64{"process.exec": 100},
				Duplicate:    map[string]uint64{"process.exec": 4},
				DeadLettered: map[string]uint64{"process.exec": 1},
				Filtered:     map[string]uint64{"weir.heartbeat": 2},
			},
		}
}

func TestABalancedHostHasNoDifference(t *testing.T) {
	table := ledger.TableOf(host())
	if n := table.Sum(); n != 0 {
		t.Errorf("difference %d:\n%s", n, table)
	}
}

func TestTheDifferenceIsWhatNobodyCanPlace(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*weirv1.HostBalance, []*weirv1.LaneBalance)
		want   uint64
	}{
		"an outcome is missing":  {func(h *weirv1.HostBalance, _ []*weirv1.LaneBalance) { h.Ledger.Kinds[0].RingFull-- }, 1},
		"a batch is missing":     {func(h *weirv1.HostBalance, _ []*weirv1.LaneBalance) { h.Runs[1].Received["process.exec"] -= 10 }, 10},
		"a lane is short of two": {func(_ *weirv1.HostBalance, l []*weirv1.LaneBalance) { l[0].Delivered["process.exec"] -= 2 }, 2},
		"a lane made three up":   {func(_ *weirv1.HostBalance, l []*weirv1.LaneBalance) { l[1].Delivered["process.exec"] += 3 }, 3},
		"a lane began later": {func(h *weirv1.HostBalance, l []*weirv1.LaneBalance) {
			l[0].Delivered["process.exec"] -= 40
			l[0].Before = map[string]uint64{"process.exec": 40}
		}, 0},
		"two faults are not set off": {func(h *weirv1.HostBalance, l []*weirv1.LaneBalance) {
			l[0].Delivered["process.exec"]++
			l[1].Delivered["process.exec"]--
		}, 2},
		"the books are open, and a lane is behind": {func(h *weirv1.HostBalance, l []*weirv1.LaneBalance) {
			h.Ledger.Closing = false
			h.Runs[1].Received["process.exec"]++
			l[1].Delivered["process.exec"] -= 20
		}, 0},
		"the books are open, and a batch is missing": {func(h *weirv1.HostBalance, _ []*weirv1.LaneBalance) {
			h.Ledger.Closing = false
			h.Runs[1].Received["process.exec"] -= 10
		}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			h, lanes := host()
			c.change(h, lanes)
			if table := ledger.TableOf(h, lanes); table.Sum() != c.want {
				t.Errorf("difference %d, not %d:\n%s", table.Sum(), c.want, table)
			}
		})
	}
}

func TestALaneThatToldNothingOwesEverything(t *testing.T) {
	h, lanes := host()
	h.Ledger.Closing = true
	received := h.Received["process.exec"]
	h.Lanes = []string{lanes[0].Lane, "new"}
	table := ledger.TableOf(h, lanes)
	if diff := cmp.Diff([]string{lanes[0].Lane, lanes[1].Lane, "new"}, table.Lanes); diff != "" {
		t.Errorf("lanes (-want +got):\n%s", diff)
	}
	without := ledger.TableOf(h, lanes[:2])
	without.Lanes = without.Lanes[:2]
	for i, r := range table.Rows {
		if r.Kind != "process.exec" {
			continue
		}
		known := without.Rows[i]
		known.Lanes = known.Lanes[:2]
		if got := table.Difference(r) - without.Difference(known); got != received {
			t.Errorf("the new lane adds %d to the difference, want the %d that it owes", got, received)
		}
	}
}

func TestTablesAreAligned(t *testing.T) {
	quiet, lanes := host()
	quiet.Ledger.Kinds[0] = &weirv1.KindSums{
		Kind: "process.exec", Seen: 60, Sent: 60, Batched: 60, RunBatched: 60, MissedUnknown: true,
	}
	full, all := host()
	full.Received["weir.gap"] = 1
	out := ledger.TableOf(full, all).String() + "\n" + ledger.TableOf(quiet, lanes[:1]).String()
	const golden = "testdata/table.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(out), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if out != string(want) {
		t.Errorf("got\n%swant\n%s", out, want)
	}
}
