package kernel

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/test/kernel/survey"
)

const wholeConsole = "SeaBIOS\r\n" +
	"weir: survey: {\"Release\":\"6.1.0\",\"Kinds\":[{\"Name\":\"process.exec\",\"Rung\":1}]}\r\n" +
	"=== RUN   TestA\r\n--- PASS: TestA (0.01s)\r\n    --- PASS: TestA/sub (0.00s)\r\nPASS\r\n" +
	"weir: end a.test: ok\r\n" +
	"[    7.0] reboot: Power down\r\n"

func TestAWholeConsoleHasNoFault(t *testing.T) {
	r := readConsole([]byte(wholeConsole))
	if faults := r.check([]string{"a.test"}); len(faults) != 0 || r.passed != 2 {
		t.Errorf("%d passed, %q", r.passed, faults)
	}
	want := survey.Survey{Release: "6.1.0", Kinds: []survey.Kind{{Name: "process.exec", Rung: 1}}}
	if diff := cmp.Diff(want, *r.survey); diff != "" {
		t.Error(diff)
	}
}

func TestWhateverIsMissingOrWrongIsAFault(t *testing.T) {
	for name, c := range map[string]struct{ console, want string }{
		"nothing":        {"", "a.test did not end; no survey; no test passed"},
		"a panic":        {strings.Replace(wholeConsole, "weir: end a.test: ok", "Kernel panic - not syncing", 1), "a.test did not end"},
		"no survey":      {strings.Replace(wholeConsole, "weir: survey", "other", 1), "no survey"},
		"survey refused": {strings.Replace(wholeConsole, `{"Release`, `"attach: no" {"Release`, 1), `survey: "attach: no"`},
		"a mount":        {wholeConsole + "weir: start: \"mount /proc: no\"\n", `start: "mount /proc: no"`},
		"a skip":         {wholeConsole + "--- SKIP: TestB (0.00s)\n", "skipped: TestB"},
		"a failure": {strings.Replace(wholeConsole, "weir: end a.test: ok", "--- FAIL: TestB (0.00s)\nweir: end a.test: \"exit status 1\"", 1),
			`a.test: "exit status 1"; failed: TestB`},
	} {
		r := readConsole([]byte(c.console))
		if got := strings.Join(r.check([]string{"a.test"}), "; "); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %s; want %s", name, got, c.want)
		}
	}
}

func TestTheExcerptHasWhatAFailedTestPrinted(t *testing.T) {
	r := readConsole([]byte("=== RUN   TestB\n    b_test.go:7: why\n--- FAIL: TestB (0.00s)\npanic: because\n" +
		"weir: end a.test: \"exit status 2\"\n" + strings.Repeat("later\n", 100) + "the end\n"))
	want := "=== RUN   TestB\n    b_test.go:7: why\n--- FAIL: TestB (0.00s)\npanic: because\nthe console's end:\n" +
		strings.Repeat("later\n", 39) + "the end"
	if diff := cmp.Diff(want, r.excerpt()); diff != "" {
		t.Error(diff)
	}
}
