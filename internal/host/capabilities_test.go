package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A process of its own, as what is dropped does not come back; without cgo, as our binaries are.
func TestDropCapabilitiesOnEveryThread(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("needs root: without capabilities there is nothing to drop")
	}
	binary := filepath.Join(t.TempDir(), "drop")
	build := exec.Command("go", "build", "-o", binary, "./testdata/drop")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(binary).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const kept, effective = "0000008000000004", "0000008000000000" // CAP_BPF is 39, CAP_DAC_READ_SEARCH 2
	if unix.CAP_BPF != 39 || unix.CAP_DAC_READ_SEARCH != 2 {
		t.Fatal("the numbers of the capabilities are others")
	}
	want := map[string]string{"CapInh:": "0000000000000000", "CapPrm:": kept, "CapEff:": effective, "CapBnd:": kept, "CapAmb:": "0000000000000000"}
	threads := 0
	dropped, raised, ok := strings.Cut(string(out), "raised <nil>\n")
	if !ok || !strings.Contains(raised, "missing raise capabilities 0x200000: operation not permitted\n") || !strings.Contains(raised, "CapEff:\t"+kept) {
		t.Errorf("the spare capability was not raised, or another one was:\n%s", out)
	}
	for line := range strings.Lines(dropped) {
		fields := strings.Fields(line)
		if len(fields) != 2 || want[fields[0]] != fields[1] {
			t.Errorf("%q, want %s", line, want[fields[0]])
		}
		if fields[0] == "CapEff:" {
			threads++
		}
	}
	if threads < 2 {
		t.Errorf("%d threads seen: that the others drop, too, is not shown\n%s", threads, out)
	}
}
