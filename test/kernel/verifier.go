package kernel

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// instructions are how many the verifier went through for each program on each kernel, as far as the kernel tells: from
// 5.16 on. The verifier gives up at a million.
type instructions map[string]map[string]int

const instructionsHead = `# How many instructions the verifier went through, by program and kernel; - where it is not loaded.
# Written by a run: go test ./test/kernel -update
`

// instructionsOf collects what the kernels told.
func instructionsOf(kernels []Kernel, reports []*report) instructions {
	all := instructions{}
	for i, k := range kernels {
		for program, count := range reports[i].loaded {
			all.add(program, k.String(), count)
		}
	}
	return all
}

func (all instructions) add(program, kernel string, count int) {
	if all[program] == nil {
		all[program] = make(map[string]int)
	}
	all[program][kernel] = count
}

func (all instructions) kernels() []string {
	names := make(map[string]bool)
	for _, counts := range all {
		for name := range counts {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// String is the table that is committed.
func (all instructions) String() string {
	var out strings.Builder
	out.WriteString(instructionsHead)
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "program\t%s\n", strings.Join(all.kernels(), "\t"))
	for _, program := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprint(table, program)
		for _, kernel := range all.kernels() {
			fmt.Fprintf(table, "\t%s", countOrDash(all[program], kernel))
		}
		fmt.Fprintln(table)
	}
	table.Flush() // into memory, which takes all
	return out.String()
}

func countOrDash(counts map[string]int, kernel string) string {
	if n, ok := counts[kernel]; ok {
		return strconv.Itoa(n)
	}
	return "-"
}

// readInstructions reads what String has written.
func readInstructions(text string) (instructions, error) {
	all := instructions{}
	var kernels []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "#":
		case fields[0] == "program":
			kernels = fields[1:]
		case len(fields) != len(kernels)+1:
			return nil, fmt.Errorf("line %q: has %d fields, not %d", line, len(fields), len(kernels)+1)
		default:
			for i, field := range fields[1:] {
				if count, err := strconv.Atoi(field); err == nil {
					all.add(fields[0], kernels[i], count)
				}
			}
		}
	}
	return all, nil
}

// grown tells what has grown by more than a fifth since, or is not in the table at all. What is smaller is no fault:
// counts move a little with each patch of a kernel and each release of clang.
func (all instructions) grown(since instructions) (faults []string) {
	for _, program := range slices.Sorted(maps.Keys(all)) {
		for _, kernel := range all.kernels() {
			now, loaded := all[program][kernel]
			before, known := since[program][kernel]
			switch {
			case loaded && !known:
				faults = append(faults, fmt.Sprintf("%s on %s: %d instructions, and not in the table", program, kernel, now))
			case loaded && now > before+before/5:
				faults = append(faults, fmt.Sprintf("%s on %s: %d instructions, %d before", program, kernel, now, before))
			}
		}
	}
	return faults
}
