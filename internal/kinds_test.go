package internal_test

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weirproject/weir/bpf"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// TestEveryKindIsWhole names what a kind still lacks. CONTRIBUTING.md has the steps.
func TestEveryKindIsWhole(t *testing.T) {
	for kind := range schema.Kinds() {
		t.Run(kind.Name, func(t *testing.T) {
			if !regexp.MustCompile(`^[a-z]+\.[a-z_]+$`).MatchString(kind.Name) {
				t.Errorf("a kind is noun.verb, with exactly one dot")
			}
			contains(t, "../docs/events.md", kind.Name, "make generate")
			exists(t, "../schema/batch/testdata/"+kind.Name+".golden", "go test ./schema/batch -update")
			exists(t, "../schema/ecs/testdata/"+kind.Name+".json", "go test ./schema/ecs -update")
			if kind.Options.GetOrigin() == weirv1.Origin_ORIGIN_KERNEL {
				kernelSide(t, kind)
			}
		})
	}
}

func kernelSide(t *testing.T, kind *schema.Kind) {
	noun, verb, _ := strings.Cut(kind.Name, ".")
	if !slices.ContainsFunc(bpf.Kinds(), func(k bpf.Kind) bool { return k.String() == kind.Name }) {
		t.Errorf("enum kind in bpf/sample.h has no KIND_%s_%s", strings.ToUpper(noun), strings.ToUpper(verb))
	}
	for _, object := range []string{"../bpf/weir_x86_bpfel.o", "../bpf/weir_arm64_bpfel.o"} {
		contains(t, object, "gives:"+kind.Name+":", fmt.Sprintf("no program in bpf/%s.bpf.h has GIVES(%q, …), or the object is stale", noun, kind.Name))
	}
	contains(t, "../collector/fill/"+noun+".go", ") "+camel(verb)+"(", "the filler has no method for the kind's sample")
}

// camel makes ExecFailed of exec_failed.
func camel(verb string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(verb, "_") {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func TestTheKernelSideHasNoKindThatTheContractLacks(t *testing.T) {
	for _, k := range bpf.Kinds() {
		if _, ok := schema.KindByName(k.String()); !ok {
			t.Errorf("%s is in bpf/sample.h and in no .proto", k)
		}
	}
}

func contains(t *testing.T, path, part, otherwise string) {
	t.Helper()
	if data, err := os.ReadFile(path); err != nil {
		t.Errorf("%v: %s", err, otherwise)
	} else if !bytes.Contains(data, []byte(part)) {
		t.Errorf("%s: no %q: %s", strings.TrimPrefix(path, "../"), part, otherwise)
	}
}

func exists(t *testing.T, path, otherwise string) {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("%v: %s", err, otherwise)
	}
}
