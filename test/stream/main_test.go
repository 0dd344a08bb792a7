// Package stream_test runs the whole stream as its users do: weir-collector, weir-enrich and weir as processes
// with their configuration files, on this machine's kernel, over a real Kafka to real search servers.
//
//	workload ─► this kernel ─► weir-collector ─► Kafka ─► weir-enrich ─► OpenSearch, files, weir.events
//	   │                                                                       │
//	   └── facts: what it did, by its own account ──────── compare ────────────┘ events
//
// A workload writes a marker into the arguments of all that it starts, by which its events are found among
// those of the rest of the machine, and notes what it does as facts. Each test has a Kafka of its own, since
// the topics' names are fixed, and a data stream of its own on the one OpenSearch of the package. It needs root.
package stream_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/weirproject/weir/test/servers"
)

// shared is what all tests of the package use.
var shared = servers.NewShared(func(t servers.T) tools {
	return tools{binaries: build(t), openSearch: servers.StartOpenSearch(t)}
})

type tools struct {
	binaries   string // directory of weir's programs
	openSearch string // URL
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == networkWord {
		os.Exit(talk(os.Args[3]))
	}
	os.Exit(shared.Run(m))
}

// build builds the programs as they are released, and the enricher once more with the race detector, which the
// collector cannot have: with cgo a process does not drop the capabilities of all its threads.
func build(t servers.T) string {
	t.Helper()
	dir := t.TempDir()
	goBuild(t, "CGO_ENABLED=0", "-o", dir+"/", "./cmd/weir", "./cmd/weir-collector", "./cmd/weir-enrich")
	goBuild(t, "CGO_ENABLED=1", "-race", "-o", filepath.Join(dir, racedEnricher), "./cmd/weir-enrich")
	return dir
}

// racedEnricher is the enricher with the race detector, by which it tells a race when it ends.
const racedEnricher = "weir-enrich.race"

func goBuild(t servers.T, env string, args ...string) {
	t.Helper()
	cmd := exec.Command("go", append([]string{"build", "-trimpath"}, args...)...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), env)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

func built(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(shared.Get(t).binaries, name)
}
