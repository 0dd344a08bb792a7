package collector

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/schema/ledger"
)

func TestAKilledCollectorLosesNothingAndTellsNothingTwice(t *testing.T) {
	const kills = 12
	v := newVictim(t)
	v.start()
	v.runs(0)
	done, port := make(chan struct{}), 0
	did := workload(t, &port, done)
	for range kills {
		time.Sleep(time.Duration(rand.IntN(500)) * time.Millisecond) // at a random moment, of its start too
		v.kill()
		v.start()
	}
	close(done)
	v.check(<-did, port)
}

// The moments that a kill at random hardly meets: between what a batch's way into the spool consists of.
func TestACollectorThatIsKilledWhileItStoresABatch(t *testing.T) {
	v := newVictim(t)
	v.start()
	v.runs(0)
	done, port := make(chan struct{}), 0
	did := workload(t, &port, done)
	v.kill()
	for _, end := range []string{"saved:1", "stored:1", "saved:2", "stored:2", "saved:5", "stored:5", "stored:5", "saved:9", "stored:9"} {
		v.killsItselfAt(end)
	}
	close(done)
	v.start()
	v.check(<-did, port)
}

// check stops the collector, detaches the hooks, and holds what is stored against what was done.
func (v *victim) check(want work, port int) {
	t := v.T
	t.Helper()
	v.runs(len(v.batches()))
	v.stop()
	v.detach()

	batches := v.batches()
	got := seen(batches, port)
	slices.Sort(want.Ports)
	slices.Sort(got.Ports)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%d execs and %d connects; done (-), told (+):\n%s", len(want.Execs), len(want.Ports), diff)
	}
	t.Logf("%d execs, %d connects, %d batches", len(want.Execs), len(want.Ports), len(batches))
	checkNumbers(t, batches)
	checkClosing(t, batches)
	if _, err := os.Stat(v.pins()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left behind (%v)", v.pins(), err)
	}
}

// checkNumbers wants each sequence number of a CPU once at most in each attachment.
func checkNumbers(t *testing.T, batches []*batch.Batch) {
	t.Helper()
	type number struct {
		attachment string
		cpu        uint32
		sequence   int64
	}
	had := make(map[number]bool)
	for _, b := range batches {
		c := b.Proto().GetCommon()
		for row := range b.Rows() {
			n := number{string(b.Header().GetAttachmentId()), schema.At(c.GetCpu(), row.Index), schema.At(c.GetSequence(), row.Index)}
			if n.sequence != 0 && had[n] {
				t.Errorf("number %d of CPU %d came twice", n.sequence, n.cpu)
			}
			had[n] = true
		}
	}
}

// checkClosing holds each attachment's last ledger against itself and against all of it that is in the spool.
func checkClosing(t *testing.T, batches []*batch.Batch) {
	t.Helper()
	attachments := make(map[string][]*batch.Batch)
	for _, b := range batches {
		id := string(b.Header().GetAttachmentId())
		attachments[id] = append(attachments[id], b)
	}
	for _, all := range attachments {
		checkClosed(t, all)
	}
}

func checkClosed(t *testing.T, batches []*batch.Batch) {
	t.Helper()
	last := batches[len(batches)-1]
	l := last.Ledger()
	if !l.GetClosing() {
		t.Fatal("the last batch has no closing ledger")
	}
	for _, wrong := range ledger.Check(l) {
		t.Error(wrong)
	}
	rows, ofRun := make(map[string]uint64), make(map[string]uint64)
	var before *weirv1.Ledger
	for _, b := range batches {
		for _, g := range b.Groups() {
			rows[g.GetKind()] += uint64(g.GetRows())
			if b.Run() == last.Run() {
				ofRun[g.GetKind()] += uint64(g.GetRows())
			}
		}
		if b.Ledger() == nil {
			continue
		}
		for _, r := range ledger.Rewinds(before, b.Ledger()) {
			t.Error(r)
		}
		before = b.Ledger()
	}
	for _, k := range l.GetKinds() {
		if k.GetBatched() != rows[k.GetKind()] || k.GetRunBatched() != ofRun[k.GetKind()] {
			t.Errorf("%v\nthe spool has %d rows of it, %d of the last run", k, rows[k.GetKind()], ofRun[k.GetKind()])
		}
	}
}

func TestOneCollectorHasAnAttachment(t *testing.T) {
	v := newVictim(t)
	v.start()
	v.runs(0)
	cfg := testConfig(v.data)
	cfg.Data = t.TempDir()
	_, err := New(cfg, slog.New(slog.DiscardHandler))
	want := fmt.Sprintf("in use by process %d; stop it", v.cmd.Process.Pid)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("New = %v; want it to say %q", err, want)
	}
	v.stop()
}

// A stop in good order leaves the hooks to the next start.
func TestARestartLosesNothing(t *testing.T) {
	v := newVictim(t)
	v.start()
	v.runs(0)
	done, port := make(chan struct{}), 0
	did := workload(t, &port, done)
	for range 5 {
		v.runs(len(v.batches()))
		v.stop()
		time.Sleep(time.Duration(rand.IntN(200)) * time.Millisecond) // nobody is there
		v.start()
	}
	close(done)
	v.check(<-did, port)
	if ids := attachmentsOf(v.batches()); len(ids) != 1 {
		t.Errorf("%d attachments", len(ids))
	}
}

// An upgrade, a downgrade or another configuration has hooks, a ring and samples of its own.
func TestAnotherBuildOrConfigurationLosesNothingAndTellsNothingTwice(t *testing.T) {
	const changes = 6
	v := newVictim(t)
	v.start()
	v.runs(0)
	done, port := make(chan struct{}), 0
	did := workload(t, &port, done)
	for n := range changes {
		v.runs(len(v.batches()))
		if n%2 == 0 {
			v.stop()
		} else {
			v.kill()
		}
		v.Setenv(collectorRing, strconv.Itoa(16<<20<<(n%2)))
		v.start()
	}
	close(done)
	v.check(<-did, port)
	if ids := attachmentsOf(v.batches()); len(ids) < 3 { // some were killed before they had told anything
		t.Errorf("%d attachments, %d were made", len(ids), changes+1)
	}
}

// Killed while it reads what the build before has left, the next one begins with that again.
func TestAnotherBuildThatIsKilledAtItsStart(t *testing.T) {
	v := newVictim(t)
	v.start()
	v.runs(0)
	done, port := make(chan struct{}), 0
	did := workload(t, &port, done)
	for n := range 4 {
		v.runs(len(v.batches()))
		v.kill()
		v.Setenv(collectorRing, strconv.Itoa(16<<20<<(n%2)))
		v.killsItselfAt("attached:1")
		time.Sleep(200 * time.Millisecond) // both tell, and nobody reads
		for range 3 {
			v.start()
			time.Sleep(time.Duration(rand.IntN(1000)) * time.Millisecond)
			v.kill()
		}
		v.start()
	}
	close(done)
	v.check(<-did, port)
}

func attachmentsOf(batches []*batch.Batch) map[string]bool {
	ids := make(map[string]bool)
	for _, b := range batches {
		ids[string(b.Header().GetAttachmentId())] = true
	}
	return ids
}

// What a build does not know of another one's samples it counts, and says by kind how much that was.
func TestAKindThatThisBuildDoesNotReadIsToldAsLost(t *testing.T) {
	const execs = 30
	v := newVictim(t)
	v.start()
	v.runs(0)
	v.kill()
	var w work
	for n := range execs {
		if err := w.exec(n); err != nil {
			t.Fatal(err)
		}
	}
	v.renameKind("process.exit", "process.exot")
	v.Setenv(collectorRing, strconv.Itoa(16<<20))
	before := len(v.batches())
	v.start()
	v.runs(before + 1)
	v.stop()
	v.detach()

	lost := make(map[string]uint64)
	for _, b := range v.batches() {
		g := b.Proto().GetWeirLoss()
		for i := range g.GetEvents() { // the kinds are 0: not known here
			lost[string(b.Text(g.GetDetail()[i]))] += g.GetEvents()[i]
		}
	}
	if len(lost) != 1 || lost["of another build, which tells this kind otherwise: process.exot"] < execs {
		t.Errorf("told as lost: %v", lost)
	}
	if got := seen(v.batches(), 0); len(got.Execs) != execs {
		t.Errorf("%d execs, not %d", len(got.Execs), execs)
	}
	for _, b := range v.batches() {
		for _, wrong := range ledger.Check(b.Ledger()) {
			t.Error(wrong)
		}
	}
}
