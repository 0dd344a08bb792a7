package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// write tells the run in Markdown.
func (r *Run) write(w io.Writer) error {
	t := &text{}
	t.line("%s. %d rounds of %g s on %s, build %s: medians, with the least and the most where noise matters.\n", r.Date, r.Rounds, r.Seconds, r.Machine, r.Build)
	t.line("Statistics of BPF programs were on all the time: what they add to a run is the time of the empty program.\n")
	r.targets(t)
	for _, w := range []struct {
		workload      Workload
		title, single string
	}{{Exec, "exec storm", "exec"}, {Connect, "connect and accept storm, over loopback", "connection"}} {
		t.line("### %s\n", strings.ToUpper(w.title[:1])+w.title[1:])
		r.contenders(t, w.workload, w.single)
		r.programs(t, w.workload, w.single)
	}
	t.line("### getppid\n")
	r.getppid(t)
	t.line("### Rates of exec, with %d processes alive\n", aliveProcesses)
	r.rates(t)
	t.line("### Who is who\n")
	r.notes(t)
	_, err := io.WriteString(w, t.String())
	return err
}

type text struct{ strings.Builder }

func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

func (t *text) row(cells ...string) { t.line("| %s |", strings.Join(cells, " | ")) }

// header begins a table: the first column is text, the others are numbers.
func (t *text) header(titles ...string) {
	t.row(titles...)
	t.line("|---|%s", strings.Repeat("---:|", len(titles)-1))
}

const none = "–"

// cell is a figure's median.
func (r *Run) cell(sel selection, f Figure, format string) string {
	s, ok := r.figure(sel, f)
	if !ok {
		return none
	}
	return fmt.Sprintf(format, s.median)
}

// range is a figure's median with its least and most.
func (r *Run) spread(sel selection, f Figure, format string) string {
	s, ok := r.figure(sel, f)
	if !ok {
		return none
	}
	return fmt.Sprintf(format+" ("+format+"–"+format+")", s.median, s.least, s.most)
}

func (r *Run) contenders(t *text, w Workload, single string) {
	t.header("contender", "slowdown", "of CPU time", "BPF ns "+single, "CPU µs "+single, "CPU µs event", "RSS, MiB", "lost", "bytes event")
	for _, c := range contenders() {
		if !slices.Contains(c.loads, w) {
			continue
		}
		if why := r.Broken[c.name]; why != "" {
			t.row(c.name, "cannot run here", none, none, none, none, none, none, none)
			continue
		}
		sel := selection{c.name, w, ""}
		t.row(c.name, r.spread(sel, slowdown, "%.2f"), r.spread(sel, workSlowdown, "%.2f"), r.cell(sel, bpfNS(""), "%.0f"),
			r.cell(sel, cpuAnOperation, "%.2f"), r.cell(sel, cpuAnEvent, "%.2f"), r.cell(sel, mib, "%.1f"), r.losses(sel), r.cell(sel, bytesAnEvent, "%.1f"))
	}
	t.line("")
}

// losses are those of all rounds.
func (r *Run) losses(sel selection) string {
	sum, all, told := 0.0, 0, false
	for _, s := range r.samples(sel) {
		if n, ok := lost(s); ok {
			sum, all, told = sum+n, all+s.Operations, true
		}
	}
	if !told {
		return none
	}
	return fmt.Sprintf("%.0f of %d", sum, all)
}

// programs tells what weir's consist of.
func (r *Run) programs(t *text, w Workload, single string) {
	sel := selection{weirName, w, ""}
	names := make(map[string]bool)
	for _, s := range r.samples(sel) {
		for name := range s.Programs {
			names[name] = true
		}
	}
	t.header("weir's program", "runs "+single, "ns a run")
	for _, name := range slices.Sorted(maps.Keys(names)) {
		runs := func(s *Sample) (float64, bool) {
			return float64(s.Programs[name].Runs) / float64(s.Operations), s.Operations > 0
		}
		ns := func(s *Sample) (float64, bool) {
			p := s.Programs[name]
			return float64(p.NS) / float64(p.Runs), p.Runs > 0
		}
		t.row("`"+name+"`", r.cell(sel, runs, "%.2f"), r.cell(sel, ns, "%.0f"))
	}
	t.line("")
}

func (r *Run) getppid(t *text) {
	t.header("contender", "slowdown", "of CPU time")
	for _, c := range contenders() {
		if slices.Contains(c.loads, Getppid) && r.Broken[c.name] == "" {
			sel := selection{c.name, Getppid, ""}
			t.row(c.name, r.spread(sel, slowdown, "%.3f"), r.spread(sel, workSlowdown, "%.3f"))
		}
	}
	t.line("")
}

func (r *Run) rates(t *text) {
	t.header("contender, rate", "execs a second", "all events a second", "% of a core", "CPU µs an exec", "an event", "context switches a second", "RSS, MiB, at most", "lost")
	for _, c := range contenders() {
		for _, at := range scenarios {
			sel := selection{c.name, Exec, at.name}
			if len(r.samples(sel)) == 0 {
				continue
			}
			peak, _ := r.figure(sel, mib)
			rate := none
			if at.jobs > 0 {
				rate = r.cell(sel, operationsASecond, "%.0f")
			}
			t.row(c.name+", "+string(at.name), rate, r.cell(sel, eventsASecond, "%.1f"), r.cell(sel, corePercent, "%.2f"), r.cell(sel, cpuAnOperation, "%.2f"), r.cell(sel, cpuAnEvent, "%.2f"),
				r.cell(sel, switchesASecond, "%.1f"), fmt.Sprintf("%.1f", peak.most), r.losses(sel))
		}
	}
	t.line("")
}

func (r *Run) notes(t *text) {
	for _, c := range contenders() {
		if why := r.Broken[c.name]; why != "" {
			t.line("- %s cannot run on this machine: `%s`", c.name, why)
		} else if c.note != "" {
			t.line("- %s: %s", c.name, c.note)
		}
	}
}
