package cli

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscapeLeavesNothingThatSteersATerminal(t *testing.T) {
	tests := map[string]string{
		"/usr/bin/ls":        "/usr/bin/ls",
		"grün 日本":            "grün 日本",
		"a\x1b[2Jb":          `a\x1b[2Jb`,
		"a\nb\tc\r":          `a\nb\tc\x0d`,
		`a\b`:                `a\\b`,
		"\xff\xfe":           `\xff\xfe`,
		"exe\u202egnp.exe":   `exe\u202egnp.exe`,
		"zero\u200bwidth":    `zero\u200bwidth`,
		"c1\u009b31m":        `c1\u009b31m`,
		"tag\U000e0001":      `tag\U000e0001`,
		"replacement \ufffd": `replacement \ufffd`,
	}
	for text, want := range tests {
		if got := Escape(text); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\x1b[2J\xff\u202e")
	f.Fuzz(func(t *testing.T, text string) {
		escaped := Escape(text)
		if !utf8.ValidString(escaped) || strings.ContainsFunc(escaped, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%q is shown as %q", text, escaped)
		}
	})
}

func table(w io.Writer, width int) *Table {
	return NewTable(w, width, Column{Title: "PID", Width: 6, Right: true}, Column{Title: "KIND", Width: 8}, Column{Title: "WHAT", Width: 8})
}

func TestOnATerminalRowsAreCutToItsWidth(t *testing.T) {
	var out bytes.Buffer
	tab := table(&out, 30)
	rows := [][]string{{"1", "exec", "short"}, {"22", "listening", "a name that is too long"}, {"333", "日本語日本語", "\x1b"}}
	if err := tab.Header(); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if err := tab.Row(row...); err != nil {
			t.Fatal(err)
		}
	}
	want := "   PID  KIND      WHAT\n" +
		"     1  exec      short\n" +
		"    22  listeni…  a name that…\n" +
		"   333  日本語…   \\x1b\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestAPathThatDoesNotFitKeepsItsEnd(t *testing.T) {
	var out bytes.Buffer
	tab := NewTable(&out, 20, Column{Title: "PATH", Width: 8, Path: true}, Column{Title: "WHAT", Width: 4})
	for _, path := range []string{"/bin/ls", "/usr/local/bin/weir", "/日本/日本語"} {
		if err := tab.Row(path, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if want := "/bin/ls   x\n…in/weir  x\n…/日本語  x\n"; out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestElsewhereRowsAreWhole(t *testing.T) {
	var out bytes.Buffer
	if err := table(&out, 0).Row("22", "listening", "a name that is too long"); err != nil {
		t.Fatal(err)
	}
	if want := "    22  listening  a name that is too long\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

func TestAFileIsNoTerminal(t *testing.T) {
	f, err := os.Create(t.TempDir() + "/f")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if Width(f) != 0 || Width(io.Discard) != 0 {
		t.Error("taken for a terminal")
	}
}

func BenchmarkTableRow(b *testing.B) {
	tab := table(io.Discard, 120)
	b.ReportAllocs()
	for b.Loop() {
		if err := tab.Row("12345", "process.exec", "/usr/bin/ls -la /var/lib/weir"); err != nil {
			b.Fatal(err)
		}
	}
}
