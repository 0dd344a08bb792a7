package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/internal/config"
)

type example struct {
	// Where it is,
	// on disk.
	Dir  string    `yaml:"dir"`
	Wait waiting   `yaml:"wait"` // How long.
	TLS  *security `yaml:"tls"`  // Encrypts a | b.
	Tags []string  `yaml:"tags"` // What it is called.
}

type waiting struct {
	Most config.Size   `yaml:"most"` // At most.
	For  time.Duration `yaml:"for"`  // So long.
}

type security struct {
	Key config.Secret `yaml:"key"` // The key.
}

type bare struct {
	Dir string `yaml:"dir"`
}

func TestReferenceComesFromCommentsAndDefaults(t *testing.T) {
	defaults := &example{Dir: "/srv", Wait: waiting{Most: config.MiB, For: 5 * time.Minute}, Tags: []string{"a", "b"}}
	var out strings.Builder
	if err := (section{"Example", "An example.", defaults}).write(&out, newComments("../../..")); err != nil {
		t.Fatal(err)
	}
	want := "\n## Example\n\nAn example.\n\n| key | type | default | meaning |\n|---|---|---|---|\n" +
		"| `dir` | text | `/srv` | Where it is, on disk. |\n" +
		"| `wait` | section |  | How long. |\n" +
		"| `wait.most` | size | `1MiB` | At most. |\n" +
		"| `wait.for` | duration | `5m` | So long. |\n" +
		"| `tls` | optional section | none | Encrypts a \\| b. |\n" +
		"| `tls.key` | reference to a file | none | The key. |\n" +
		"| `tags` | list of text | `[a, b]` | What it is called. |\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestAKeyWithoutACommentIsNamed(t *testing.T) {
	err := section{"Bare", "", &bare{}}.write(&strings.Builder{}, newComments("../../.."))
	if err == nil || !strings.Contains(err.Error(), "dir has no comment") {
		t.Error(err)
	}
}
