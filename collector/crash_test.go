package collector

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
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
		v.startUntil(end)
		if err := v.cmd.Wait(); err == nil || v.cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			t.Fatalf("%s: %v\n%s", end, err, v.said.String())
		}
	}
	close(done)
	v.start()
	v.check(<-did, port)
}

// check stops the collector and holds what it has stored against what was done.
func (v *victim) check(want work, port int) {
	t := v.T
	t.Helper()
	v.runs(len(v.batches()))
	v.stop()

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
		t.Errorf("%s is left behind by a stop in good order (%v)", v.pins(), err)
	}
}

// checkNumbers wants each sequence number of a CPU once at most, and one attachment.
func checkNumbers(t *testing.T, batches []*batch.Batch) {
	t.Helper()
	type number struct {
		cpu      uint32
		sequence int64
	}
	had := make(map[number]bool)
	for _, b := range batches {
		if !bytes.Equal(b.Header().GetAttachmentId(), batches[0].Header().GetAttachmentId()) {
			t.Fatal("the attachment did not live on")
		}
		c := b.Proto().GetCommon()
		for row := range b.Rows() {
			n := number{schema.At(c.GetCpu(), row.Index), schema.At(c.GetSequence(), row.Index)}
			if n.sequence != 0 && had[n] {
				t.Errorf("number %d of CPU %d came twice", n.sequence, n.cpu)
			}
			had[n] = true
		}
	}
}

// checkClosing holds the last ledger against itself and against all that is in the spool.
func checkClosing(t *testing.T, batches []*batch.Batch) {
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
		if k.GetBatched() != rows[k.GetKind()] || k.GetRunBatched() != ofRun[k.GetKind()] || k.GetRingFull() != 0 {
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

// What a build or configuration cannot read it ends, and says by kind how much that was.
func TestARingThatIsNotReadAnyMoreIsTold(t *testing.T) {
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
	t.Setenv(collectorRing, strconv.Itoa(1<<20))
	before := len(v.batches())
	v.start()
	v.runs(before)
	v.stop()

	batches := v.batches()
	lost := make(map[string]uint64)
	for _, b := range batches {
		g := b.Proto().GetWeirLoss()
		for i, number := range g.GetKind() {
			kind, ok := schema.KindByNumber(number)
			if !ok || string(b.Text(g.GetPlace()[i])) != "ring" {
				t.Errorf("loss of kind %d in %q", number, b.Text(g.GetPlace()[i]))
				continue
			}
			lost[kind.Name] += g.GetEvents()[i]
		}
	}
	for _, kind := range []*schema.Kind{schema.ProcessFork, schema.ProcessExec, schema.ProcessExit} {
		if lost[kind.Name] < execs {
			t.Errorf("%s: %d are told as lost, of %d of this test alone", kind.Name, lost[kind.Name], execs)
		}
	}
	last := batches[len(batches)-1]
	if bytes.Equal(last.Header().GetAttachmentId(), batches[0].Header().GetAttachmentId()) {
		t.Error("the attachment is the same")
	}
	for _, wrong := range ledger.Check(last.Ledger()) {
		t.Error(wrong)
	}
}
