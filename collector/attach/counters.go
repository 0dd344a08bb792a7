package attach

import (
	"fmt"

	"github.com/cilium/ebpf/btf"

	"github.com/weirproject/weir/bpf"
)

// Counters is the ledger's kernel side at one moment, summed over the CPUs: for every program
// runs = ignored + merged + seen, and the programs' seen together are the kinds'. While programs run, runs may
// be larger, by those that have not ended yet.
type Counters struct {
	Programs []ProgramSums
	Kinds    []KindSums
}

// ProgramSums is what one program did.
type ProgramSums struct {
	Program       bpf.Program
	Runs          uint64
	Ignored       uint64
	Merged        uint64
	Seen          uint64
	Missed        uint64 // runs that the kernel left out, as another was under way
	MissedUnknown bool   // this kernel does not count them
}

// KindSums is what became of one kind's events.
type KindSums struct {
	Kind     bpf.Kind // KindNone: a kind that this build does not know
	Name     string
	Programs []string // that give it
	Outcomes [bpf.OutcomeCount]uint64
}

func newKindSums(c Coverage) *KindSums {
	sums := &KindSums{Kind: c.Kind, Name: c.Kind.String()}
	if c.Rung != nil {
		sums.Programs = programsOf(c.Rung)
	}
	return sums
}

// Seen is the sum of all outcomes.
func (s KindSums) Seen() (sum uint64) {
	for _, n := range s.Outcomes {
		sum += n
	}
	return sum
}

// Counters reads the sums. It reads the ways out of the programs before their runs, so that a program that
// ends meanwhile cannot have more of them than runs.
func (a *Attachment) Counters() (Counters, error) {
	c := Counters{Programs: make([]ProgramSums, len(a.order))}
	kinds := make(map[bpf.Kind]*KindSums)
	for _, covered := range a.coverage {
		kinds[covered.Kind] = newKindSums(covered)
	}
	for i, p := range a.order {
		c.Programs[i].Program = p.Program
		if err := a.addOutcomes(&c.Programs[i], kinds); err != nil {
			return Counters{}, err
		}
	}
	for i, p := range a.order {
		if err := a.addRuns(&c.Programs[i], p); err != nil {
			return Counters{}, err
		}
	}
	for _, covered := range a.coverage {
		c.Kinds = append(c.Kinds, *kinds[covered.Kind])
	}
	return c, nil
}

func (a *Attachment) addOutcomes(sums *ProgramSums, kinds map[bpf.Kind]*KindSums) error {
	counted, err := a.counted(sums.Program)
	if err != nil {
		return err
	}
	for _, cpu := range counted {
		sums.Ignored += cpu.Ignored
		sums.Merged += cpu.Merged
		for kind, outcomes := range cpu.Outcomes {
			for outcome, n := range outcomes {
				if n == 0 {
					continue
				}
				sums.Seen += n
				kinds[bpf.Kind(kind)].Outcomes[outcome] += n
			}
		}
	}
	return nil
}

func (a *Attachment) addRuns(sums *ProgramSums, p *program) error {
	counted, err := a.counted(p.Program)
	if err != nil {
		return err
	}
	for _, cpu := range counted {
		sums.Runs += cpu.Runs
	}
	stats, err := p.loaded.Stats()
	if err != nil {
		return fmt.Errorf("read misses of %s: %w", p.Name, err)
	}
	sums.Missed, sums.MissedUnknown = stats.RecursionMisses, !a.misses
	return nil
}

// counted returns what the program has counted on each CPU.
func (a *Attachment) counted(p bpf.Program) ([]bpf.ProgramCounters, error) {
	var cpus []bpf.ProgramCounters
	if err := a.objects.Maps[bpf.MapCounters].Lookup(uint32(p.Index), &cpus); err != nil {
		return nil, fmt.Errorf("read counters of %s: %w", p.Name, err)
	}
	return cpus, nil
}

// countsMisses reports whether the kernel tells how often it did not run a program: from 5.12 on.
func countsMisses(kernel *btf.Spec) bool {
	var info *btf.Struct
	if err := kernel.TypeByName("bpf_prog_info", &info); err != nil {
		return false
	}
	for _, m := range info.Members {
		if m.Name == "recursion_misses" {
			return true
		}
	}
	return false
}
