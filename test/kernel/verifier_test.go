package kernel

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const instructionsPath = "testdata/verifier.txt"

// compareInstructions holds what the verifier went through to the committed table, so that growth shows in review.
func compareInstructions(t *testing.T, seen instructions) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(instructionsPath), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(instructionsPath, []byte(seen.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(instructionsPath)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := readInstructions(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if faults := seen.grown(committed); len(faults) > 0 {
		t.Errorf("%s: go test ./test/kernel -update writes it anew\n%s", instructionsPath, strings.Join(faults, "\n"))
	}
}

func TestTheTableOfInstructionsIsReadAsItWasWritten(t *testing.T) {
	written := instructions{"a__b": {"5.10": 7, "6.1": 123}, "a__long_name": {"6.1": 99999}}
	const want = instructionsHead + "program       5.10  6.1\na__b          7     123\na__long_name  -     99999\n"
	if diff := cmp.Diff(want, written.String()); diff != "" {
		t.Error(diff)
	}
	read, err := readInstructions(want)
	if diff := cmp.Diff(written, read); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := readInstructions("program 5.10 6.1\na__b 7\n"); err == nil {
		t.Error("a line that is cut off was read")
	}
}

func TestOnlyGrowthByMoreThanAFifthIsTold(t *testing.T) {
	since := instructions{"same": {"6.1": 100}, "less": {"6.1": 100}, "some": {"6.1": 100}, "more": {"6.1": 100}, "gone": {"6.1": 1}}
	now := instructions{"same": {"6.1": 100}, "less": {"6.1": 10}, "some": {"6.1": 120}, "more": {"6.1": 121}, "new": {"6.1": 5}}
	want := []string{"more on 6.1: 121 instructions, 100 before", "new on 6.1: 5 instructions, and not in the table"}
	if diff := cmp.Diff(want, now.grown(since)); diff != "" {
		t.Error(diff)
	}
}
