package collector

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/fill"
	"github.com/weirproject/weir/collector/process"
	"github.com/weirproject/weir/internal/host"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// ledgerMode says which ledger a batch gets.
type ledgerMode uint8

const (
	ledgerNone ledgerMode = iota
	// ledgerOpen is read while hooks run.
	ledgerOpen
	// ledgerClosing is read when they are detached and the ring is empty: it is exact.
	ledgerClosing
)

// sums puts the ledger together: what the kernel counted, and what the loop did with it.
type sums struct {
	hooks  hooks
	filler *fill.Filler
	self   *self
	table  *process.Table
	before map[string]done   // by runs before
	lost   map[string]uint64 // by this run, of kinds that it may not know
}

func newSums(h hooks, filler *fill.Filler, self *self, table *process.Table, before map[string]done) *sums {
	return &sums{hooks: h, filler: filler, self: self, table: table, before: before, lost: make(map[string]uint64)}
}

// done returns what became of a kind's samples, over all runs of the attachment.
func (s *sums) done(name string) done {
	sum := s.before[name]
	sum.Lost += s.lost[name]
	if kind, ok := schema.KindByName(name); ok {
		counts := s.filler.Counts(kind)
		sum.Batched += counts.Rows + counts.Summaries + s.self.rows[kind]
		sum.Summaries += counts.Summaries
		sum.Summarised += counts.Summarised
		sum.Absorbed += counts.Absorbed
	}
	return sum
}

// state is where the attachment stands once all rows so far are stored.
func (s *sums) state(run schema.RunID, batch, position uint64) state {
	st := state{Run: run, Batch: batch, Position: position, Kinds: make(map[string]done)}
	names := slices.Concat(slices.Collect(maps.Keys(s.before)), slices.Collect(maps.Keys(s.lost)))
	for kind := range schema.Kinds() {
		names = append(names, kind.Name)
	}
	for _, name := range names {
		if d := s.done(name); d != (done{}) {
			st.Kinds[name] = d
		}
	}
	return st
}

// ledger reads the sums up to and with the draft's rows.
func (s *sums) ledger(mode ledgerMode) (*weirv1.Ledger, error) {
	kernel, err := s.counters(mode)
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	l := &weirv1.Ledger{
		TimeUs:           uint64(host.Now()),
		SinceUs:          uint64(s.hooks.Since()),
		Closing:          mode == ledgerClosing,
		EvictedProcesses: s.table.Evicted(),
	}
	programs := make(map[string]*weirv1.ProgramSums)
	for _, p := range kernel.Programs {
		sums := programSums(p)
		programs[sums.Program] = sums
		l.Programs = append(l.Programs, sums)
	}
	for _, k := range kernel.Kinds {
		sums := s.kindSums(mode, k)
		addMissed(sums, k.Programs, programs)
		l.Kinds = append(l.Kinds, sums)
	}
	l.Kinds = append(l.Kinds, s.selfSums()...)
	return l, nil
}

// selfSums are those of the kinds that the collector makes itself.
func (s *sums) selfSums() (all []*weirv1.KindSums) {
	for kind := range schema.Kinds() {
		if _, kernel := bpf.KindNamed(kind.Name); kernel {
			continue
		}
		if rows := s.done(kind.Name).Batched; rows > 0 {
			all = append(all, &weirv1.KindSums{Kind: kind.Name, Seen: rows, Sent: rows, Batched: rows, RunBatched: s.self.rows[kind]})
		}
	}
	return all
}

// counters reads the kernel's counters once they are not behind what the loop has read: a sample can be read
// a moment before its program has counted it. Those of a closing ledger are read until they stand still: a
// program whose link was pinned may be on its hook for a moment longer, and is ignored. Both take
// microseconds, and pause between two reads; what does not hold after a second is told as it is.
func (s *sums) counters(mode ledgerMode) (attach.Counters, error) {
	for deadline := time.Now().Add(time.Second); ; {
		kernel, err := s.hooks.Counters()
		settled := !s.behind(kernel) && (mode != ledgerClosing || still(kernel))
		if err != nil || settled || time.Now().After(deadline) {
			return kernel, err
		}
		time.Sleep(50 * time.Microsecond)
	}
}

func (s *sums) behind(kernel attach.Counters) bool {
	for _, k := range kernel.Kinds {
		read := s.done(k.Name)
		if k.Outcomes[bpf.OutcomeSent] < read.fromRing() || k.Outcomes[bpf.OutcomeCounted] < read.Summarised {
			return true
		}
	}
	return false
}

// still reports whether no program was under way.
func still(kernel attach.Counters) bool {
	for _, p := range kernel.Programs {
		if p.Runs != p.Ignored+p.Merged+p.Seen {
			return false
		}
	}
	return true
}

func programSums(p attach.ProgramSums) *weirv1.ProgramSums {
	return &weirv1.ProgramSums{
		Program:       p.Program.Name,
		Runs:          p.Runs,
		Ignored:       p.Ignored,
		Merged:        p.Merged,
		Seen:          p.Seen,
		Missed:        p.Missed,
		MissedUnknown: p.MissedUnknown,
	}
}

func (s *sums) kindSums(mode ledgerMode, k attach.KindSums) *weirv1.KindSums {
	done := s.done(k.Name)
	sums := &weirv1.KindSums{
		Kind:        k.Name,
		Seen:        k.Seen(),
		Sent:        k.Outcomes[bpf.OutcomeSent],
		Filtered:    k.Outcomes[bpf.OutcomeFiltered],
		Counted:     k.Outcomes[bpf.OutcomeCounted],
		RateLimited: k.Outcomes[bpf.OutcomeRateLimited],
		RingFull:    k.Outcomes[bpf.OutcomeRingFull],
		TableFull:   k.Outcomes[bpf.OutcomeTableFull],
		Batched:     done.Batched,
		RunBatched:  done.Batched - s.before[k.Name].Batched,
		Absorbed:    done.Absorbed,
		Lost:        done.Lost,
		Summaries:   done.Summaries,
		Summarised:  done.Summarised,
	}
	if mode != ledgerClosing {
		sums.InRing = sums.Sent - min(sums.Sent, done.fromRing())
	}
	if mode != ledgerClosing || k.Kind == bpf.KindNone { // what this build does not know stays counted
		sums.InTable = sums.Counted - min(sums.Counted, sums.Summarised)
	}
	return sums
}

// addMissed adds what the kernel skipped of the programs that give the kind.
func addMissed(sums *weirv1.KindSums, rung []string, programs map[string]*weirv1.ProgramSums) {
	for _, name := range rung {
		sums.Missed += programs[name].GetMissed()
		sums.MissedUnknown = sums.MissedUnknown || programs[name].GetMissedUnknown()
	}
}
