package kernel

import (
	"context"
	"errors"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/test/kernel/survey"
)

var (
	update = flag.Bool("update", false, "write docs/kernels.md and testdata/verifier.txt")
	all    = flag.Bool("all", false, "run every test of collector/attach on every amd64 kernel")
	only   = flag.String("only", "", "a regular expression: the tests of collector/attach that run, and no others")
)

const (
	root     = "../.."
	pagePath = root + "/docs/kernels.md"
)

// few are the tests of collector/attach that run where not all are asked for, as a guest is slow. They load and attach
// every program that holds, and try each rung of each kind with all that it says of itself.
const few = "^(TestEveryRungTellsAllButWhatItAdmits|TestCountersBalanceOnceDetached|" +
	"TestExecFollowsForkUnderTheSameKey|TestExitTellsWhatWaitDoes|TestSeedFindsWhatRunsAlready|TestAnAttachmentOutlivesItsProcess)$"

// errDeadline is far beyond what a guest takes on two busy cores.
var errDeadline = errors.New("the machine was not off in time")

const deadline = 15 * time.Minute

// A kernel's tests run beside those of as many others as there are CPUs.
func TestHooksHoldOnEveryKernelAndThePageSaysHow(t *testing.T) {
	kernels := slices.Concat(matrix(), restricted())
	reports := make([]*report, len(kernels))
	initrds := initrds(t)
	t.Run("on", func(t *testing.T) {
		for i, k := range kernels {
			t.Run(k.test(), func(t *testing.T) {
				t.Parallel()
				reports[i] = runTests(t, k, initrds[k.Arch])
			})
		}
	})
	if slices.Contains(reports, nil) {
		t.Log("pages are not compared, as not every kernel was seen")
		return
	}
	var columns []column
	for i, k := range kernels {
		columns = append(columns, column{k.column(), *reports[i].survey})
	}
	on, under := columns[:len(matrix())], columns[len(matrix()):]
	comparePage(t, page(ladders(t), on, under, hostColumn(t)))
	if seen := instructionsOf(kernels, reports); len(seen) > 0 { // -only may have left them out
		compareInstructions(t, seen)
	}
}

// initrds builds what guests of each architecture start with.
func initrds(t *testing.T) map[string]string {
	t.Helper()
	paths := make(map[string]string)
	for _, k := range matrix() {
		if paths[k.Arch] != "" {
			continue
		}
		path, err := buildInitrd(t.Context(), k.Arch, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		paths[k.Arch] = path
	}
	return paths
}

// runTests starts the kernel, and returns what its survey says. The console is kept beside the kernel.
func runTests(t *testing.T, k Kernel, initrd string) *report {
	t.Helper()
	dir, err := k.fetch(t.Context(), filepath.Join(root, ".cache", "kernels"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), deadline, errDeadline)
	defer cancel()
	console, err := k.run(ctx, filepath.Join(dir, image), initrd, k.line, k.arguments(k.tests()))
	if err := os.WriteFile(filepath.Join(dir, "console "+k.test()+".txt"), console, 0o644); err != nil {
		t.Error(err)
	}
	r := readConsole(console)
	faults := r.check(slices.Sorted(maps.Keys(k.tests())))
	if r.survey != nil && r.survey.Refused != "" && k.boot.name == "" {
		faults = append(faults, r.survey.Refused)
	}
	if err != nil {
		faults = append(faults, err.Error())
	}
	if len(faults) > 0 {
		t.Fatalf("%s\n%s", strings.Join(faults, "\n"), r.excerpt())
	}
	t.Logf("Linux %s: %d tests passed", r.survey.Release, r.passed)
	return &r
}

// tests tell the guest what to run of which binary.
func (k Kernel) tests() map[string]string {
	switch {
	case k.boot.name != "":
		return nil
	case *only != "":
		return map[string]string{"attach.test": *only}
	case k.Arch == "arm64" || !*all: // the C is the same on arm64
		return map[string]string{"attach.test": few, "bpf.test": "."}
	}
	return map[string]string{"attach.test": ".", "bpf.test": "."}
}

// column is the kernel's name on the page.
func (k Kernel) column() string {
	switch {
	case k.boot.name != "":
		return k.boot.name
	case k.Arch == "amd64":
		return k.Name
	}
	return k.Name + " " + k.Arch
}

func ladders(t *testing.T) bpf.Ladders {
	t.Helper()
	spec, err := bpf.Spec(bpf.Settings{RingBytes: 1 << 20, Sockets: 1})
	if err != nil {
		t.Fatal(err)
	}
	l, err := bpf.ReadLadders(spec)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// hostColumn is this machine's kernel, by its major and minor version.
func hostColumn(t *testing.T) column {
	t.Helper()
	s, err := survey.Take()
	if err != nil {
		t.Fatal(err)
	}
	version := strings.SplitN(s.Release, ".", 3)
	return column{strings.Join(version[:min(2, len(version))], "."), s}
}

// comparePage holds the committed page to what was seen; the host's part of it, where this is such a host.
func comparePage(t *testing.T, seen string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(pagePath, []byte(seen), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(pagePath)
	if err != nil {
		t.Fatal(err)
	}
	committed, written := splitHost(string(text))
	kernels, host := splitHost(seen)
	if diff := cmp.Diff(committed, kernels); diff != "" {
		t.Errorf("%s does not say what was seen; go test ./test/kernel -update writes it:\n%s", pagePath, diff)
	}
	if firstLine(written) != firstLine(host) {
		t.Logf("the page was written on Linux %s, and this is %s", firstLine(written), firstLine(host))
		return
	}
	if diff := cmp.Diff(written, host); diff != "" {
		t.Errorf("%s does not say what this machine is seen to do:\n%s", pagePath, diff)
	}
}

func splitHost(page string) (kernels, host string) {
	kernels, host, _ = strings.Cut(page, hostHead)
	return kernels, host
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
