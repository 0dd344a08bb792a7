package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weirproject/weir/internal/cli"
)

// TestMain is the process of a bound where a test's bench starts one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "probe" {
		os.Exit(cli.Main(command()))
	}
	os.Exit(m.Run())
}

func TestEveryOperationIsSeenByTheFixedRecordAndByWeir(t *testing.T) {
	b, err := newBench(t.Context(), options{rounds: 1, duration: 200 * time.Millisecond}, cli.Env{Stderr: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.close(); err != nil {
			t.Error(err)
		}
	})
	for _, c := range contenders() {
		if c.name != fixedName && c.name != weirName {
			continue
		}
		for _, w := range []Workload{Exec, Connect} {
			s, err := b.turn(t.Context(), c, w, 0)
			if err != nil || s == nil {
				t.Fatalf("%s, %s: %v, %v", c.name, w, err, b.broken)
			}
			ns, counted := bpfNS("")(s)
			if s.Told != s.Operations || !counted || ns <= 0 || s.CPUNS <= 0 || s.Peak <= 0 {
				t.Errorf("%s, %s: told of %d operations of %d; sample %+v", c.name, w, s.Told, s.Operations, s)
			}
		}
	}
}

func TestALoadSaysWhatItDid(t *testing.T) {
	got, err := parseLoad(Connect, "operations 10 ns 2000 cpu 500 port 4321\n")
	want := load{Workload: Connect, Operations: 10, Elapsed: 2000, CPU: 500, Port: 4321}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, bad := range []string{"", "load: connect: Cannot assign requested address", "operations 0 ns 1 cpu 1 port 0"} {
		if _, err := parseLoad(Exec, bad); err == nil {
			t.Errorf("%q is taken for a result", bad)
		}
	}
}

func TestAProcessIsFoundBelowItsParentWhateverItsName(t *testing.T) {
	pid, parent := parentOf("123 (a) b (c) S 45 123 123 0 -1")
	if pid != 123 || parent != 45 {
		t.Errorf("process %d of %d, want 123 of 45", pid, parent)
	}
}

func TestCPUTimeIsToldInNanoseconds(t *testing.T) {
	before, err := cpuTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for begin := time.Now(); time.Since(begin) < time.Millisecond; {
	}
	after, err := cpuTime(os.Getpid())
	if err != nil || after-before < 100*time.Microsecond || after-before > time.Minute {
		t.Errorf("%s passed, error %v", after-before, err)
	}
}

func TestLinesOfAToolAreCountedByProgramAndByPort(t *testing.T) {
	b := &bench{load: &loader{dir: "/tmp/x"}}
	file := filepath.Join(t.TempDir(), "out")
	text := "load 1 1 0 /tmp/x/load exec 1 0 1 /tmp/x/weir-cost-storm m\n" +
		"weir-cost-storm 2 1 0 /tmp/x/weir-cost-storm m\n" +
		"7 load 127.0.0.1 555 127.0.0.2 80 0 0 1.5\n" +
		"8 load 127.0.0.2 80 127.0.0.1 555 0 0 1.5\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	tool := tool{bench: b, port: 5}
	for _, l := range []load{{Workload: Exec}, {Workload: Connect, Port: 80}} {
		if n, size, err := countLines(file, tool.linesOf(l)); n != 1 || size != int64(len(text)) || err != nil {
			t.Errorf("%s: %d lines of %d bytes, error %v; want 1 of %d", l.Workload, n, size, err, len(text))
		}
	}
}

func TestMedians(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   spread
	}{
		{[]float64{3}, spread{3, 3, 3}},
		{[]float64{9, 1, 2}, spread{2, 1, 9}},
		{[]float64{4, 1, 3, 2}, spread{2.5, 1, 4}},
	} {
		if got, ok := spreadOf(tt.values); !ok || got != tt.want {
			t.Errorf("of %v: %v, want %v", tt.values, got, tt.want)
		}
	}
	if _, ok := spreadOf(nil); ok {
		t.Error("nothing has a median")
	}
}

// example is a run of two rounds in which weir takes twice what the fixed record takes, then four times.
func example() *Run {
	exec := func(round int, contender string, ns int64) Sample {
		return Sample{Round: round, Contender: contender, Workload: Exec, Operations: 10, NS: 110, BareNS: 100, CPUNS: 1e4, Told: 9, Events: 20, Bytes: 400,
			Programs: map[string]programReading{"process__sched_process_exec": {NS: ns, Runs: 10}}}
	}
	return &Run{Machine: "a machine", Rounds: 2, Broken: map[string]string{"auditd": "no audit"}, Samples: []Sample{
		exec(0, fixedName, 1000), exec(0, weirName, 2000), exec(1, fixedName, 1000), exec(1, weirName, 4000),
	}}
}

func TestRatiosAreThoseOfTheSameRound(t *testing.T) {
	got, _ := example().ratio(selection{weirName, Exec, ""}, bpfNS("exec"), selection{fixedName, Exec, ""}, bpfNS(""))
	if want := (spread{3, 2, 4}); !cmp.Equal(want, got, cmp.AllowUnexported(spread{}), cmpopts.EquateApprox(0, 1e-9)) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestTheTableTellsWhatWasLostAndWhoCannotRun(t *testing.T) {
	var out strings.Builder
	if err := example().write(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| BPF time of a full exec, to that of the fixed record | 6 | 3 | yes |",
		"| execs lost when saturated, in the worst round | 0 | not measured | no |",
		"| weir-collector | 1.10 (1.10–1.10) | – | 300 | 1.00 | 0.50 | – | 2 of 20 | 20.0 |",
		"| auditd | cannot run here |",
		"- auditd cannot run on this machine: `no audit`",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line %q in\n%s", want, out.String())
		}
	}
}
