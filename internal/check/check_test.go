package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStaleFilesAreNamedWhetherChangedNewOrGone(t *testing.T) {
	before := map[string]sum{"same": {1}, "changed": {1}, "gone": {1}}
	after := map[string]sum{"same": {1}, "changed": {2}, "new": {1}}
	if diff := cmp.Diff([]string{"changed", "gone", "new"}, differing(before, after)); diff != "" {
		t.Error(diff)
	}
}

func TestAStepTellsHowItEnded(t *testing.T) {
	var out strings.Builder
	good := step{"good", func(context.Context) error { return nil }}
	bad := step{"bad", func(context.Context) error { return errors.New("collector/x.go: why") }}
	if !runStep(t.Context(), &out, good) || runStep(t.Context(), &out, bad) {
		t.Error("good and bad are mixed up")
	}
	for _, want := range []string{"check: good         ok", "check: bad          FAILED", "\ncollector/x.go: why\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q lacks %q", out.String(), want)
		}
	}
}

func TestAnUnknownCheckIsRefused(t *testing.T) {
	if err := check(t.Context(), &strings.Builder{}, []string{"vett"}); err == nil || !strings.Contains(err.Error(), `"vett"`) {
		t.Error(err)
	}
}

func TestWhatIsMissingIsFoundByPathOrName(t *testing.T) {
	if !present("go") || !present("/proc/self/exe") || present("no-such-command") || present("/no/such/file") {
		t.Error("present does not tell what is there")
	}
}

func TestACommandsOutputIsInItsError(t *testing.T) {
	_, err := output(t.Context(), "sh", "-c", "echo out; echo err >&2; exit 3")
	if err == nil || !strings.HasPrefix(err.Error(), "out\nerr\nsh -c") {
		t.Error(err)
	}
	if _, err := lines(t.Context(), "sh", "-c", "echo err >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "err") {
		t.Error(err)
	}
	if got, err := lines(t.Context(), "printf", `a b\nc\n`); err != nil || len(got) != 2 {
		t.Errorf("%q, %v", got, err)
	}
}
