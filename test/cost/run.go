package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Run is what was measured, as it is kept.
type Run struct {
	Machine string            `json:"machine"`
	Build   string            `json:"build"`
	Date    string            `json:"date"`
	Rounds  int               `json:"rounds"`
	Seconds float64           `json:"seconds"` // of each workload
	Broken  map[string]string `json:"broken,omitempty"`
	Samples []Sample          `json:"samples"`
}

// Sample is one turn of a contender.
type Sample struct {
	Round      int      `json:"round"`
	Contender  string   `json:"contender"`
	Workload   Workload `json:"workload"`
	Scenario   Scenario `json:"scenario,omitempty"`
	Operations int      `json:"operations"`
	NS         float64  `json:"ns"`                     // an operation
	BareNS     float64  `json:"bare_ns,omitempty"`      // an operation, without the contender, right before
	WorkNS     float64  `json:"work_ns"`                // CPU time of the workload, an operation
	BareWorkNS float64  `json:"bare_work_ns,omitempty"` // and without the contender
	Seconds    float64  `json:"seconds,omitempty"`      // until all was told

	Programs map[string]programReading `json:"programs,omitempty"`
	CPUNS    int64                     `json:"cpu_ns"`
	Peak     int64                     `json:"peak_bytes"` // of resident memory
	Switches int                       `json:"context_switches"`

	Told   int   `json:"told"` // operations
	Untold bool  `json:"untold,omitempty"`
	Events int   `json:"events"`
	Bytes  int64 `json:"bytes"`
}

func (s *Sample) did(l load) {
	s.Operations, s.NS, s.WorkNS = l.Operations, l.perOperation(l.Elapsed), l.perOperation(l.CPU)
}

func newRun(o options) *Run {
	return &Run{Machine: machine(), Build: revision(), Date: time.Now().UTC().Format(time.DateOnly), Rounds: o.rounds, Seconds: o.duration.Seconds()}
}

// revision is the commit that is measured, as far as it is one.
func revision() string {
	out, err := exec.Command("git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

func (r *Run) save(path string) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Figure is one number of a sample; ok is false where the sample has none.
type Figure func(s *Sample) (v float64, ok bool)

func slowdown(s *Sample) (float64, bool) { return s.NS / s.BareNS, s.BareNS > 0 }

func workSlowdown(s *Sample) (float64, bool) { return s.WorkNS / s.BareWorkNS, s.BareWorkNS > 0 }

// bpfNS is the time in programs an operation; of those whose name has a part.
func bpfNS(part string) Figure {
	return func(s *Sample) (float64, bool) {
		sum := int64(0)
		for name, p := range s.Programs {
			if strings.Contains(name, part) {
				sum += p.NS
			}
		}
		return float64(sum) / float64(s.Operations), sum > 0 && s.Operations > 0
	}
}

// bpfARun is the time of programs of which each runs once an operation. What others do meanwhile runs them too, and is
// not counted as the workload's.
func bpfARun(part string) Figure {
	return func(s *Sample) (float64, bool) {
		ns, runs := int64(0), int64(0)
		for name, p := range s.Programs {
			if strings.Contains(name, part) {
				ns, runs = ns+p.NS, max(runs, p.Runs)
			}
		}
		return float64(ns) / float64(runs), runs > 0
	}
}

func cpuAnOperation(s *Sample) (float64, bool) {
	return float64(s.CPUNS) / 1000 / float64(s.Operations), s.Operations > 0 && s.CPUNS > 0
}

func cpuAnEvent(s *Sample) (float64, bool) {
	return float64(s.CPUNS) / 1000 / float64(s.Events), s.Events > 0 && s.CPUNS > 0
}

func mib(s *Sample) (float64, bool) { return float64(s.Peak) / (1 << 20), s.Peak > 0 }

func lost(s *Sample) (float64, bool) {
	return float64(s.Operations - s.Told), !s.Untold && s.Contender != nothingName
}

func bytesAnEvent(s *Sample) (float64, bool) {
	return float64(s.Bytes) / float64(s.Events), !s.Untold && s.Events > 0
}

func corePercent(s *Sample) (float64, bool) {
	return 100 * float64(s.CPUNS) / 1e9 / s.Seconds, s.Seconds > 0
}

func switchesASecond(s *Sample) (float64, bool) {
	return float64(s.Switches) / s.Seconds, s.Seconds > 0
}

func eventsASecond(s *Sample) (float64, bool) {
	return float64(s.Events) / s.Seconds, s.Seconds > 0
}

func operationsASecond(s *Sample) (float64, bool) { return 1e9 / s.NS, s.NS > 0 }

// spread is a figure over the rounds.
type spread struct{ median, least, most float64 }

func spreadOf(values []float64) (spread, bool) {
	if len(values) == 0 {
		return spread{}, false
	}
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return spread{median: (values[(n-1)/2] + values[n/2]) / 2, least: values[0], most: values[n-1]}, true
}

// selection is a contender with a workload or a scenario.
type selection struct {
	contender string
	workload  Workload
	scenario  Scenario
}

func (r *Run) samples(sel selection) (found []*Sample) {
	for i := range r.Samples {
		s := &r.Samples[i]
		if s.Contender == sel.contender && s.Workload == sel.workload && s.Scenario == sel.scenario {
			found = append(found, s)
		}
	}
	return found
}

func (r *Run) figure(sel selection, f Figure) (spread, bool) {
	var values []float64
	for _, s := range r.samples(sel) {
		if v, ok := f(s); ok {
			values = append(values, v)
		}
	}
	return spreadOf(values)
}

// ratio is that of one contender's figure to another's, round by round.
func (r *Run) ratio(of selection, f Figure, to selection, g Figure) (spread, bool) {
	var values []float64
	for _, a := range r.samples(of) {
		for _, b := range r.samples(to) {
			va, oka := f(a)
			vb, okb := g(b)
			if a.Round == b.Round && oka && okb && vb > 0 {
				values = append(values, va/vb)
			}
		}
	}
	return spreadOf(values)
}
