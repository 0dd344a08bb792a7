package kernel

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/test/kernel/survey"
)

// column is one kernel's of the page.
type column struct {
	name   string
	survey survey.Survey
}

const pageHead = `# Kernels

<!-- Written by a run: go test ./test/kernel -update -->

The rung by which each kind comes, and what that rung cannot tell, as weir found it on these kernels. ` + "`make kernels`" + `
starts them in QEMU, runs the tests of the hooks on them, and writes this page: a kind that is not in it came after the last run. They
are Debian's cloud kernels, the newest of their series: 5.10 is bullseye's, 6.1 bookworm's, 6.12 trixie's; *newest* is
the newest of trixie-backports. On arm64 the tests of one event of each kind run.

weir looks for what a kernel has, never at its version. What runs where you are: ` + "`weir hooks`" + `.

`

// hostHead begins the part of the page that is the machine's on which it was written.
const hostHead = "\n## The machine that wrote this page: "

const underHead = `
## Under restrictions

6.12 on amd64, started so that it has less. What is not told comes as it does without.

`

// page tells the rung of every kind on each kernel, on one of them under restrictions, and on the host, whose part comes
// last.
func page(ladders bpf.Ladders, kernels, under []column, host column) string {
	var out strings.Builder
	out.WriteString(pageHead)
	out.WriteString(matrixTable(ladders, kernels))
	for _, kind := range bpf.Kinds() {
		fmt.Fprintf(&out, "\n## %s\n\n", kind)
		out.WriteString(ladderTable(ladders[kind], kind, kernels))
		out.WriteString(refusals(kind, kernels))
	}
	out.WriteString(underHead + underTable(ladders, under, kernels[restrictedKernel]))
	fmt.Fprintf(&out, "%s%s\n\n%s", hostHead, host.name, hostTable(ladders, host))
	return out.String()
}

// matrixTable is kind × kernel → rung.
func matrixTable(ladders bpf.Ladders, kernels []column) string {
	var out strings.Builder
	out.WriteString("| kind |")
	for _, k := range kernels {
		fmt.Fprintf(&out, " %s |", k.name)
	}
	out.WriteString("\n|---|" + strings.Repeat("---|", len(kernels)) + "\n")
	for _, kind := range bpf.Kinds() {
		fmt.Fprintf(&out, "| [%s](#%s) |", kind, strings.ReplaceAll(kind.String(), ".", ""))
		for _, k := range kernels {
			fmt.Fprintf(&out, " %s |", cell(rungOf(ladders, kind, k)))
		}
		out.WriteString("\n")
	}
	return out.String()
}

func cell(r *bpf.Rung) string {
	switch {
	case r == nil:
		return "none"
	case r.Gaps() != "":
		return fmt.Sprintf("%d, lacks some", r.Order)
	}
	return fmt.Sprint(r.Order)
}

// rungOf is the rung that a kernel took; nil where it has none.
func rungOf(ladders bpf.Ladders, kind bpf.Kind, k column) *bpf.Rung {
	order := kindOf(kind, k).Rung
	for _, r := range ladders[kind] {
		if r.Order == order {
			return &r
		}
	}
	return nil
}

func kindOf(kind bpf.Kind, k column) survey.Kind {
	i := slices.IndexFunc(k.survey.Kinds, func(s survey.Kind) bool { return s.Name == kind.String() })
	if i < 0 {
		return survey.Kind{}
	}
	return k.survey.Kinds[i]
}

// ladderTable is one kind's rungs, with the kernels that took them.
func ladderTable(ladder []bpf.Rung, kind bpf.Kind, kernels []column) string {
	var out strings.Builder
	out.WriteString("| rung | hooks | fields missing | ways missed | in use on |\n|---|---|---|---|---|\n")
	for _, r := range ladder {
		var takers []string
		for _, k := range kernels {
			if kindOf(kind, k).Rung == r.Order {
				takers = append(takers, k.name)
			}
		}
		fmt.Fprintf(&out, "| %d | %s | %s | %s | %s |\n", r.Order, hooks(r), list(r.Lacks), list(r.Misses), list(takers))
	}
	return out.String()
}

func list(items []string) string { return strings.Join(items, "; ") }

func hooks(r bpf.Rung) string { return "`" + strings.ReplaceAll(r.String(), "+", "` `") + "`" }

// refusals says why rungs were not taken, each reason once.
func refusals(kind bpf.Kind, kernels []column) string {
	var reasons []string
	by := make(map[string][]string)
	for _, k := range kernels {
		for _, reason := range kindOf(kind, k).Refused {
			if by[reason] == nil {
				reasons = append(reasons, reason)
			}
			by[reason] = append(by[reason], k.name)
		}
	}
	var out strings.Builder
	for _, reason := range reasons {
		fmt.Fprintf(&out, "\nRefused by %s: %s.\n", strings.Join(by[reason], ", "), reason)
	}
	return out.String()
}

// underTable tells what differs from the kernel that has everything.
func underTable(ladders bpf.Ladders, under []column, whole column) string {
	var out strings.Builder
	out.WriteString("| restriction | what weir does |\n|---|---|\n")
	for _, k := range under {
		fmt.Fprintf(&out, "| %s | %s |\n", k.name, cmp.Or(refusedWhole(k), differences(ladders, k, whole), "all comes as without"))
	}
	return out.String()
}

func refusedWhole(k column) string {
	if k.survey.Refused == "" {
		return ""
	}
	return "it refuses to start: " + strings.ReplaceAll(k.survey.Refused, "\n", "; ")
}

func differences(ladders bpf.Ladders, k, whole column) string {
	var all []string
	for _, kind := range bpf.Kinds() {
		rung := rungOf(ladders, kind, k)
		switch {
		case kindOf(kind, k).Rung == kindOf(kind, whole).Rung:
		case rung == nil:
			all = append(all, fmt.Sprintf("%s does not come", kind))
		default:
			all = append(all, strings.TrimSuffix(fmt.Sprintf("%s comes by rung %d and %s", kind, rung.Order, rung.Gaps()), " and "))
		}
		for _, reason := range kindOf(kind, k).Refused {
			if !slices.Contains(kindOf(kind, whole).Refused, reason) {
				all = append(all, "("+reason+")")
			}
		}
	}
	return strings.Join(all, "; ")
}

func hostTable(ladders bpf.Ladders, host column) string {
	var out strings.Builder
	out.WriteString("| kind | rung | hooks | fields missing | ways missed |\n|---|---|---|---|---|\n")
	for _, kind := range bpf.Kinds() {
		if r := rungOf(ladders, kind, host); r != nil {
			fmt.Fprintf(&out, "| %s | %d | %s | %s | %s |\n", kind, r.Order, hooks(*r), list(r.Lacks), list(r.Misses))
		} else {
			fmt.Fprintf(&out, "| %s | none | | | |\n", kind)
		}
	}
	for _, kind := range bpf.Kinds() {
		if text := refusals(kind, []column{host}); text != "" {
			out.WriteString(text)
		}
	}
	return out.String()
}
