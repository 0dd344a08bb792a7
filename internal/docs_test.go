package internal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	out, err := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard", "--", "../*.md").Output()
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.Lines(string(out)) {
		document = strings.TrimSuffix(document, "\n")
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(document), match[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", strings.TrimPrefix(document, "../"), match[1])
			}
		}
	}
}

// metric is a metric in a document, with the first label that is asked for, if any.
var metric = regexp.MustCompile("`(weir_[a-z_]+)(?:\\{([a-z_]+)=)?")

func TestMetricsInDocumentsAreThoseThatProgramsTell(t *testing.T) {
	const document = "../docs/operations.md"
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	source := goSource(t)
	found := metric.FindAllStringSubmatch(string(text), -1)
	if len(found) == 0 {
		t.Fatalf("%s names no metric", document)
	}
	for _, match := range found {
		name, label := match[1], match[2]
		_, definition, ok := strings.Cut(source, `"`+name+`"`)
		// A metric's labels follow its name and help.
		if !ok || label != "" && !strings.Contains(definition[:min(400, len(definition))], `"`+label+`"`) {
			t.Errorf("%s names %s with the label %q, which no program tells", document, name, label)
		}
	}
}

// goSource returns all Go that is no test.
func goSource(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("git", "ls-files", "--", "../*.go", ":!../*_test.go").Output()
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for path := range strings.Lines(string(out)) {
		text, err := os.ReadFile(strings.TrimSuffix(path, "\n"))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}
