// Package internal_test holds the rules of the house that a compiler does not: who may import whom, what a
// core may touch, what the collector links, what every package says of itself.
package internal_test

import (
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/weirproject/weir"

// pkg is what go list says of a package.
type pkg struct {
	ImportPath, Name, Dir, Doc string
	Imports, Deps, GoFiles     []string
	Standard                   bool
	Module                     *struct{ Path string }
}

// path is a package's path in the repository; ours tells it from others'.
func path(importPath string) (path string, ours bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// packages runs go list once for all tests: our packages by their path here, and all by their import path.
var packages = sync.OnceValues(func() (map[string]pkg, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Name,Dir,Doc,Imports,Deps,GoFiles,Standard,Module", "./...")
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil, fmt.Errorf("%w\n%s", err, exit.Stderr)
	}
	if err != nil {
		return nil, err
	}
	all := map[string]pkg{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all[p.ImportPath] = p
	}
})

func list(t *testing.T) map[string]pkg {
	t.Helper()
	all, err := packages()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return all
}

// rooms says which rooms a room may import beside itself; "sink." is the package sink alone.
var rooms = map[string][]string{
	"bpf":       {},
	"proto":     {},
	"schema":    {"proto"},
	"internal":  {"schema", "proto"},
	"collector": {"bpf", "schema", "internal", "proto"},
	"sink":      {"schema", "internal", "proto"},
	"enrich":    {"sink.", "schema", "internal", "proto"},
	"cmd":       {"collector", "enrich", "sink", "bpf", "schema", "internal", "proto"},
	"test":      {"collector", "enrich", "sink", "bpf", "schema", "internal", "proto", "cmd"},
}

func TestImportsFollowTheArrows(t *testing.T) {
	for _, p := range list(t) {
		from, ours := path(p.ImportPath)
		if !ours || isTool(from, p) {
			continue
		}
		for _, imported := range p.Imports {
			if to, ours := path(imported); ours && !mayImport(from, to) {
				t.Errorf("%s imports %s: no arrow goes there", from, to)
			}
		}
	}
}

// isTool tells the programs that generate or check, which look at every room.
func isTool(path string, p pkg) bool { return p.Name == "main" && room(path) == "internal" }

func room(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

func mayImport(from, to string) bool {
	allowed, known := rooms[room(from)]
	if !known {
		return false
	}
	return room(from) == room(to) || slices.Contains(allowed, room(to)) || slices.Contains(allowed, to+".")
}

func TestSinksDoNotKnowEachOther(t *testing.T) {
	for _, p := range list(t) {
		from, ours := path(p.ImportPath)
		if !ours || room(from) != "sink" || from == "sink/all" {
			continue
		}
		for _, imported := range p.Imports {
			to, ours := path(imported)
			if ours && room(to) == "sink" && to != "sink" && !strings.HasPrefix(to, from+"/") && !slices.Contains(shared, to) {
				t.Errorf("%s imports %s: what two sinks share belongs into sink", from, to)
			}
		}
	}
}

// shared are packages in sink/ that are no destination.
var shared = []string{"sink/retry"}

// cores are pure: no I/O, no clock of their own, no logger.
var cores = []string{
	"collector/container",
	"collector/executable",
	"collector/fill",
	"collector/process",
	"collector/redact",
	"collector/spool/segment",
	"enrich/books",
	"enrich/inventory",
	"schema",
	"schema/batch",
	"schema/ecs",
	"schema/ledger",
	"sink/retry",
}

var impure = regexp.MustCompile(`^(os|os/.*|net|net/http|context|log|log/slog|syscall|golang.org/x/sys/.*|github.com/cilium/ebpf.*|github.com/segmentio/kafka-go.*|github.com/twmb/.*|` +
	module + `/internal/(kafka|telemetry|cli|host|broker))$`)

func TestCoresArePure(t *testing.T) {
	all := list(t)
	for _, core := range cores {
		p, ok := all[module+"/"+core]
		if !ok {
			t.Errorf("%s is in the list of cores and not in the repository", core)
			continue
		}
		for _, imported := range append(reached(all, p), p.Imports...) {
			if impure.MatchString(imported) {
				t.Errorf("core %s imports %s", core, imported)
			}
		}
		for _, file := range p.GoFiles {
			source, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(source), "time.Now(") {
				t.Errorf("core %s: %s reads the clock; it is given the time", core, file)
			}
		}
	}
}

// reached lists what our packages that p depends on import. bpf is left out: a core may take its samples.
func reached(all map[string]pkg, p pkg) []string {
	var imports []string
	for _, dep := range p.Deps {
		if at, ours := path(dep); ours && at != "bpf" {
			imports = append(imports, all[dep].Imports...)
		}
	}
	return imports
}

// linked gives the reason of each module that weir-collector links.
var linked = map[string]string{
	module:                                "weir",
	"github.com/cilium/ebpf":              "loads and attaches the programs",
	"github.com/segmentio/kafka-go":       "publishes",
	"github.com/klauspost/compress":       "zstd of batches; codecs of kafka-go",
	"github.com/pierrec/lz4/v4":           "codec of kafka-go",
	"github.com/twmb/franz-go":            "SASL of the connections that kafka-go's protocol goes over",
	"google.golang.org/protobuf":          "batches",
	"go.yaml.in/yaml/v3":                  "configuration",
	"golang.org/x/sys":                    "epoll, mmap, capabilities",
	"golang.org/x/sync":                   "errgroup",
	"github.com/prometheus/client_golang": "metrics",
	"github.com/prometheus/client_model":  "metrics",
	"github.com/prometheus/common":        "metrics",
	"github.com/prometheus/procfs":        "metrics of the process",
	"github.com/beorn7/perks":             "metrics",
	"github.com/cespare/xxhash/v2":        "metrics",
	"github.com/munnerz/goautoneg":        "metrics",
}

func TestTheCollectorLinksWhatHasAReason(t *testing.T) {
	all := list(t)
	collector, ok := all[module+"/cmd/weir-collector"]
	if !ok {
		t.Fatal("cmd/weir-collector is missing")
	}
	got := map[string]bool{}
	for _, dep := range collector.Deps {
		if p := all[dep]; p.Module != nil {
			got[p.Module.Path] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(linked)), slices.Sorted(maps.Keys(got))); diff != "" {
		t.Errorf("modules with a reason (-), modules linked (+):\n%s", diff)
	}
}

func TestTheCollectorKnowsNoEnricherNoSinkNoEncoder(t *testing.T) {
	foreign := regexp.MustCompile(`^(enrich|sink|schema/ecs|schema/ocsf)(/|$)`)
	for _, dep := range list(t)[module+"/cmd/weir-collector"].Deps {
		if to, ours := path(dep); ours && foreign.MatchString(to) {
			t.Errorf("weir-collector links %s", to)
		}
	}
}

func TestTheCollectorIsASmallStaticBinary(t *testing.T) {
	const limit = 16 << 20
	binary := filepath.Join(t.TempDir(), "weir-collector")
	build := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, module+"/cmd/weir-collector")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("weir-collector: %.1f MiB", float64(info.Size())/(1<<20))
	if info.Size() >= limit {
		t.Errorf("it has %d bytes; the bound is %d", info.Size(), limit)
	}
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if slices.ContainsFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("it is linked dynamically")
	}
}

func TestEveryPackageSaysWhatItIs(t *testing.T) {
	vague := regexp.MustCompile(`(^|/)(util|utils|common|helpers|types|base|core|manager)$`)
	for _, p := range list(t) {
		at, ours := path(p.ImportPath)
		if !ours || len(p.GoFiles) == 0 || strings.HasPrefix(at, "proto/") {
			continue
		}
		if p.Doc == "" {
			t.Errorf("%s has no package doc", at)
		}
		if vague.MatchString(at) {
			t.Errorf("%s: such a name says nothing", at)
		}
	}
}

func TestNothingRunsBeforeMain(t *testing.T) {
	for _, p := range list(t) {
		at, ours := path(p.ImportPath)
		if !ours {
			continue
		}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			if !ast.IsGenerated(file) && slices.ContainsFunc(file.Decls, isInit) {
				t.Errorf("%s/%s has an init", at, name)
			}
		}
	}
}

func isInit(d ast.Decl) bool {
	f, ok := d.(*ast.FuncDecl)
	return ok && f.Recv == nil && f.Name.Name == "init"
}
