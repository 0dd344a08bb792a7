package names

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHostsNames(t *testing.T) {
	n := New()
	if got := n.User(0, time.Now()); got != "root" {
		t.Errorf("user 0 is %q, want root", got)
	}
	if got := n.Group(0, time.Now()); got != "root" {
		t.Errorf("group 0 is %q, want root", got)
	}
	if got := n.User(4_000_000_000, time.Now()); got != "" {
		t.Errorf("an id without a name has %q", got)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeIsNoticed(t *testing.T) {
	d := database{path: filepath.Join(t.TempDir(), "passwd")}
	start := time.Unix(1000, 0)
	if got := d.name(7, start); got != "" {
		t.Errorf("of no file came %q", got)
	}
	write(t, d.path, "ada:x:7:7::/:/bin/sh\n")
	if got := d.name(7, start.Add(staleness)); got != "ada" {
		t.Errorf("after the file was made: %q", got)
	}
	other := d.path + "-"
	write(t, other, "eve:x:7:7::/:/bin/sh\n")
	if err := os.Rename(other, d.path); err != nil {
		t.Fatal(err)
	}
	if got := d.name(7, start.Add(staleness+1)); got != "ada" {
		t.Errorf("within the staleness: %q", got)
	}
	if got := d.name(7, start.Add(2*staleness)); got != "eve" {
		t.Errorf("after the file was replaced: %q", got)
	}
}

func TestWhatWasKnownHoldsWhileTheFileIsNone(t *testing.T) {
	d := database{path: filepath.Join(t.TempDir(), "passwd")}
	write(t, d.path, "ada:x:7:7::/:/bin/sh\n")
	now := time.Unix(1000, 0)
	d.name(7, now)
	for what, spoil := range map[string]func(){
		"empty":     func() { write(t, d.path, "") },
		"too large": func() { write(t, d.path, strings.Repeat("x", maxBytes+1)) },
		"missing":   func() { os.Remove(d.path) },
	} {
		spoil()
		now = now.Add(staleness)
		if got := d.name(7, now); got != "ada" {
			t.Errorf("%s: %q", what, got)
		}
	}
}

func TestParse(t *testing.T) {
	got := parse([]byte("root:x:0:0\n#eve:x:1:1\n+@nis::2:\nada:x:3\ntwin:x:3:3\nbad:x:-1\nbig:x:4294967296\n:x:5:5\nlast:x:6:6"))
	if diff := cmp.Diff(map[uint32]string{0: "root", 3: "ada", 6: "last"}, got); diff != "" {
		t.Error(diff)
	}
}
