package collector

import (
	"fmt"

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
	hooks  *attach.Attachment
	filler *fill.Filler
	self   *self
	table  *process.Table
}

// ledger reads the sums up to and with the draft's rows.
func (s *sums) ledger(mode ledgerMode) (*weirv1.Ledger, error) {
	kernel, err := s.counters()
	if err != nil {
		return nil, fmt.Errorf("read ledger: %w", err)
	}
	l := &weirv1.Ledger{
		TimeUs:           uint64(host.Now()),
		Closing:          mode == ledgerClosing,
		EvictedProcesses: s.table.Evicted(),
	}
	programs := make(map[string]*weirv1.ProgramSums)
	for _, p := range kernel.Programs {
		sums := programSums(p)
		programs[sums.Program] = sums
		l.Programs = append(l.Programs, sums)
	}
	for i, k := range kernel.Kinds {
		sums := s.kindSums(mode, k)
		addMissed(sums, s.hooks.Coverage()[i].Rung, programs)
		l.Kinds = append(l.Kinds, sums)
	}
	for kind, rows := range s.self.rows {
		l.Kinds = append(l.Kinds, &weirv1.KindSums{Kind: kind.Name, Seen: rows, Sent: rows, Batched: rows, RunBatched: rows})
	}
	return l, nil
}

// counters reads the kernel's counters once they are not behind what the loop has read: a sample can be read
// a moment before its program has counted it.
func (s *sums) counters() (attach.Counters, error) {
	for {
		kernel, err := s.hooks.Counters()
		if err != nil || !s.behind(kernel) {
			return kernel, err
		}
	}
}

func (s *sums) behind(kernel attach.Counters) bool {
	for _, k := range kernel.Kinds {
		if read := s.counts(k.Kind); k.Outcomes[bpf.OutcomeSent] < read.Rows+read.Absorbed {
			return true
		}
	}
	return false
}

func (s *sums) counts(k bpf.Kind) fill.Counts {
	kind, ok := schema.KindByName(k.String())
	if !ok {
		return fill.Counts{}
	}
	return s.filler.Counts(kind)
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
	counts := s.counts(k.Kind)
	sums := &weirv1.KindSums{
		Kind:        k.Kind.String(),
		Seen:        k.Seen(),
		Sent:        k.Outcomes[bpf.OutcomeSent],
		Filtered:    k.Outcomes[bpf.OutcomeFiltered],
		Counted:     k.Outcomes[bpf.OutcomeCounted],
		RateLimited: k.Outcomes[bpf.OutcomeRateLimited],
		RingFull:    k.Outcomes[bpf.OutcomeRingFull],
		TableFull:   k.Outcomes[bpf.OutcomeTableFull],
		Batched:     counts.Rows,
		RunBatched:  counts.Rows,
		Absorbed:    counts.Absorbed,
	}
	if mode != ledgerClosing {
		sums.InRing = sums.Sent - sums.Batched - sums.Absorbed
	}
	return sums
}

// addMissed adds what the kernel skipped of the programs that give the kind.
func addMissed(sums *weirv1.KindSums, rung *bpf.Rung, programs map[string]*weirv1.ProgramSums) {
	if rung == nil {
		return
	}
	for _, p := range rung.Programs {
		sums.Missed += programs[p.Name].GetMissed()
		sums.MissedUnknown = sums.MissedUnknown || programs[p.Name].GetMissedUnknown()
	}
}
