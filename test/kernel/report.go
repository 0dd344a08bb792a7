package kernel

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/weirproject/weir/test/kernel/survey"
)

// report is what a guest's console tells.
type report struct {
	console []string
	survey  *survey.Survey    // nil: it was not told
	ended   map[string]string // "ok", or an error, by test binary
	faults  []string          // what else the guest says that went wrong
	passed  int
	loaded  map[string]int // instructions that the verifier went through, by program
	failed  []string
	skipped []string
}

// result is a line of go test -v. Its indentation is a subtest's.
var result = regexp.MustCompile(`^ *--- (PASS|FAIL|SKIP): (\S+)`)

// verified is what collector/attach's TestTheVerifierIsFarFromItsLimit tells of a program.
var verified = regexp.MustCompile(`verifier: (\S+) ([0-9]+)$`)

func readConsole(text []byte) report {
	r := report{ended: make(map[string]string), loaded: make(map[string]int)}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\r\n")
		r.console = append(r.console, line)
		if told, ok := strings.CutPrefix(line, "weir: "); ok {
			r.readStep(told)
		} else if match := result.FindStringSubmatch(line); match != nil {
			r.readResult(match[1], match[2])
		} else if match := verified.FindStringSubmatch(line); match != nil {
			r.loaded[match[1]], _ = strconv.Atoi(match[2])
		}
	}
	return r
}

// readStep reads what the guest's init says of one step.
func (r *report) readStep(told string) {
	step, what, _ := strings.Cut(told, ": ")
	binary, end := strings.CutPrefix(step, "end ")
	switch {
	case end:
		r.ended[binary] = what
	case step == "survey" && strings.HasPrefix(what, "{"):
		if err := json.Unmarshal([]byte(what), &r.survey); err != nil {
			r.faults = append(r.faults, fmt.Sprintf("survey: %v", err))
		}
	default:
		r.faults = append(r.faults, told)
	}
}

func (r *report) readResult(verdict, test string) {
	switch verdict {
	case "PASS":
		r.passed++
	case "FAIL":
		r.failed = append(r.failed, test)
	case "SKIP":
		r.skipped = append(r.skipped, test)
	}
}

// check returns everything that is wrong, where these binaries were to run.
func (r *report) check(binaries []string) (faults []string) {
	faults = slices.Clone(r.faults)
	for _, binary := range binaries {
		if end, ok := r.ended[binary]; !ok {
			faults = append(faults, binary+" did not end")
		} else if end != "ok" {
			faults = append(faults, binary+": "+end)
		}
	}
	for _, test := range r.failed {
		faults = append(faults, "failed: "+test)
	}
	for _, test := range r.skipped {
		faults = append(faults, "skipped: "+test+": what a kernel cannot do is told by its rung, and the test asks that")
	}
	if r.survey == nil {
		faults = append(faults, "no survey")
	}
	if r.passed == 0 && len(binaries) > 0 {
		faults = append(faults, "no test passed")
	}
	return faults
}

// excerpt is what each failed test has printed, and the end of the console.
func (r *report) excerpt() string {
	const tail = 40
	var out strings.Builder
	for _, test := range r.failed {
		if from := slices.Index(r.console, "=== RUN   "+test); from >= 0 {
			out.WriteString(strings.Join(untilNext(r.console[from:]), "\n") + "\n")
		}
	}
	out.WriteString("the console's end:\n")
	out.WriteString(strings.Join(r.console[max(len(r.console)-tail, 0):], "\n"))
	return out.String()
}

// untilNext ends before the next test, or the end of all: a panic comes after its test's result. It is bounded, as a
// panic may tell of many goroutines.
func untilNext(lines []string) []string {
	const bound = 60
	end := slices.IndexFunc(lines[1:], func(line string) bool {
		return strings.HasPrefix(line, "=== RUN ") || strings.HasPrefix(line, "weir: ")
	})
	if end < 0 {
		end = len(lines) - 1
	}
	return lines[:min(end+1, bound)]
}
