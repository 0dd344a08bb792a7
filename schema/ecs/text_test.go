package ecs

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestTimesHaveSixDigitsBehindThePoint(t *testing.T) {
	for us, want := range map[int64]string{
		0:                    `"1970-01-01T00:00:00.000000Z"`,
		1795506301000123:     `"2026-11-24T07:45:01.000123Z"`,
		-1:                   `"1969-12-31T23:59:59.999999Z"`,
		-1 << 63:             `"0001-01-01T00:00:00.000000Z"`,
		1<<63 - 1:            `"9999-12-31T23:59:59.999999Z"`,
		951782400_000000 + 5: `"2000-02-29T00:00:00.000005Z"`,
	} {
		if got := string(appendTime(nil, us)); got != want {
			t.Errorf("%d: %s, want %s", us, got, want)
		}
	}
}

func FuzzTimesAreWhatTheLibraryMakes(f *testing.F) {
	f.Add(int64(1795506301000123))
	f.Fuzz(func(t *testing.T, us int64) {
		got := string(appendTime(nil, us))
		want := time.UnixMicro(min(max(us, firstMicro), lastMicro)).UTC().Format(`"2006-01-02T15:04:05.000000Z"`)
		if got != want {
			t.Errorf("%d: %s, want %s", us, got, want)
		}
	})
}

// Whatever bytes a name has: a JSON string that says them where they are UTF-8.
func FuzzTextsAreJSON(f *testing.F) {
	for _, s := range []string{"", "ls", "a\"\\\n\t\x00\x1f\x7f", "\xff\xc3\x28é\u2028", "\xed\xa0\x80", "a\x00b\x00\x00", "\xf0\x9f\x98\x80\xf0\x9f"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var text string
		unmarshal(t, appendString(nil, b), &text)
		if want := strings.ToValidUTF8(string(b), "\ufffd"); utf8.Valid(b) && text != want {
			t.Errorf("text %q, want %q", text, want)
		}
		if got := string(appendString(nil, string(b))); got != string(appendString(nil, b)) {
			t.Errorf("of a string %s", got)
		}
		var arguments []string
		unmarshal(t, appendArguments(nil, b), &arguments)
		var line string
		unmarshal(t, appendCommandLine(nil, b), &line)
		if got := strings.Join(arguments, " "); got != line {
			t.Errorf("arguments %q, command line %q", got, line)
		}
		var raw string
		unmarshal(t, appendBase64(nil, b), &raw)
		if got, err := base64.StdEncoding.DecodeString(raw); err != nil || string(got) != string(b) {
			t.Errorf("raw %q, %v", got, err)
		}
	})
}

func unmarshal(t *testing.T, b []byte, v any) {
	t.Helper()
	if !utf8.Valid(b) {
		t.Fatalf("not UTF-8: %q", b)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
}

func TestForms(t *testing.T) {
	for _, c := range []struct {
		claim string
		form  form
		value uint64
		want  string
	}{
		{"errno by its name", appendErrno, 104, `"ECONNRESET"`},
		{"errno that Linux has no name for", appendErrno, 41, `"41"`},
		{"errno beyond the table", appendErrno, 512, `"512"`},
		{"signal by its name", appendSignal, 11, `"SIGSEGV"`},
		{"first real-time signal", appendSignal, 34, `"SIGRTMIN"`},
		{"last real-time signal", appendSignal, 64, `"SIGRTMIN+30"`},
		{"signal that glibc keeps", appendSignal, 32, `"SIG32"`},
		{"no capability", appendCapabilities, 0, `[]`},
		{"first and last capability", appendCapabilities, 1 | 1<<40, `["CAP_CHOWN","CAP_CHECKPOINT_RESTORE"]`},
		{"capability of a later kernel", appendCapabilities, 1 << 63, `["CAP_63"]`},
		{"device", appendDevice, 259<<20 | 3, `"259:3"`},
		{"mode without its type", appendMode, 0o100644, `"0644"`},
		{"mode with setuid", appendMode, 0o104755, `"4755"`},
		{"duration in ns", appendDuration, 1500, `1500000`},
		{"duration that no long holds", appendDuration, 1 << 62, `9223372036854775807`},
		{"negative number", appendInt, 1<<64 - 2, `-2`},
		{"label", labelled([]string{"", "known"}), 1, `"known"`},
		{"value without a label", labelled([]string{"", "known"}), 0, ``},
		{"value of a newer schema", labelled([]string{"", "known"}), 2, `"2"`},
		{"identifier", quoted(appendUint), 1<<64 - 1, `"18446744073709551615"`},
	} {
		if got := string(c.form(nil, nil, c.value)); got != c.want {
			t.Errorf("%s: %s, want %s", c.claim, got, c.want)
		}
	}
}

func TestPlaces(t *testing.T) {
	for _, c := range [][3]string{
		{"", "weir.cpu", "weir.cpu"},
		{"process.parent", "pid", "process.parent.pid"},
		{"process.parent", "weir.exec_count", "weir.process.parent.exec_count"},
		{"weir.target.process", "weir.exec_count", "weir.target.process.exec_count"},
	} {
		if got := place(c[0], c[1]); got != c[2] {
			t.Errorf("%s at %s: %s, want %s", c[1], c[0], got, c[2])
		}
	}
}

func TestPathThatIsAnObjectAndAValueIsRefused(t *testing.T) {
	_, err := grow([]spec{{path: "a.b", mapping: "long", column: "t.c"}, {path: "a.b.c"}})
	if err == nil || err.Error() != "a.b is an object and long of column t.c" {
		t.Errorf("%v", err)
	}
}
