package main

import "fmt"

// target is a bound that weir is to keep.
type target struct {
	what  string
	bound string
	got   string
	met   bool
}

// targets tells which bounds were kept in this run. A ratio is the median of the rounds' ratios.
func (r *Run) targets(t *text) {
	t.line("| to reach | at most | measured | reached |")
	t.line("|---|---:|---:|---|")
	for _, x := range r.judged() {
		reached := "no"
		if x.met {
			reached = "yes"
		}
		t.row(x.what, x.bound, x.got, reached)
	}
	t.line("")
}

func (r *Run) judged() []target {
	exec, connect := selection{weirName, Exec, ""}, selection{weirName, Connect, ""}
	all := []target{
		r.ratioTarget("BPF time of a full exec, to that of the fixed record", 6, exec, bpfARun("exec"), selection{fixedName, Exec, ""}, bpfARun("")),
		r.ratioTarget("BPF time of a full exec, to execsnoop's", 1.0/5, exec, bpfARun("exec"), selection{execsnoopName, Exec, ""}, bpfARun("")),
		r.ratioTarget("BPF time of a connection, all kinds, to that of fixed records", 3, connect, bpfNS(""), selection{fixedName, Connect, ""}, bpfNS("")),
	}
	for _, at := range []Scenario{Busy, Saturated} {
		all = append(all, r.ratioTarget(fmt.Sprintf("CPU time an event at %s, to execsnoop's", at), 1.0/6,
			selection{weirName, Exec, at}, cpuAnEvent, selection{execsnoopName, Exec, at}, cpuAnEvent))
	}
	all = append(all,
		r.mostTarget("execs lost when saturated, in the worst round", "%.0f", 0, selection{weirName, Exec, Saturated}, lost),
		r.target("% of a core at 100 execs a second", "%.2f", 0.2, selection{weirName, Exec, Quiet}, corePercent),
		r.target("context switches a second when idle", "%.1f", 15, selection{weirName, Exec, Idle}, switchesASecond),
		r.noiseTarget("CPU time of getppid, to that without weir"),
	)
	for _, at := range scenarios {
		all = append(all, r.mostTarget(fmt.Sprintf("RSS in MiB, %d processes, %s", aliveProcesses, at.name), "%.1f", 40, selection{weirName, Exec, at.name}, mib))
	}
	return all
}

func (r *Run) target(what, format string, bound float64, sel selection, f Figure) target {
	s, ok := r.figure(sel, f)
	return judge(what, format, bound, s.median, ok)
}

func (r *Run) mostTarget(what, format string, bound float64, sel selection, f Figure) target {
	s, ok := r.figure(sel, f)
	return judge(what, format, bound, s.most, ok)
}

func (r *Run) ratioTarget(what string, bound float64, of selection, f Figure, to selection, g Figure) target {
	s, ok := r.ratio(of, f, to, g)
	return judge(what, "%.3g", bound, s.median, ok)
}

// noiseTarget compares a slowdown with what nothing at all slows down: the most of the rounds.
func (r *Run) noiseTarget(what string) target {
	noise, _ := r.figure(selection{nothingName, Getppid, ""}, workSlowdown)
	s, ok := r.figure(selection{weirName, Getppid, ""}, workSlowdown)
	return judge(what+"; the bound is what nothing at all makes of it", "%.3f", noise.most, s.median, ok)
}

func judge(what, format string, bound, got float64, ok bool) target {
	if !ok {
		return target{what: what, bound: fmt.Sprintf(format, bound), got: "not measured"}
	}
	return target{what: what, bound: fmt.Sprintf(format, bound), got: fmt.Sprintf(format, got), met: got <= bound}
}
