package stream_test

import (
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

func TestUpShowsWritesAndAccountsForWhatThisMachineDoes(t *testing.T) {
	s := &stream{t: t, dir: t.TempDir()}
	data := s.in("data")
	s.dir = data // events/ is beneath it
	up := start(t, t.TempDir(), "weir", "up", "-data", data, "-for", "10s")
	up.shows("TIME ")
	w := newWorkload(t)
	w.processes(50)
	w.network(5)
	up.ends()
	compare(t, "the first start's files", w.done(), marked(s.files(), w.marker))
	screen := up.screen()
	for _, part := range []string{data, "process.exec", "network.connect", "network.listen", w.marker} {
		if !strings.Contains(screen, part) {
			t.Errorf("the screen has no %q:\n%s", part, tail(up.out))
		}
	}
	if control := regexp.MustCompile(`[^\n]*[\x00-\x09\x0b-\x1f\x7f][^\n]*`).FindString(screen); control != "" {
		t.Errorf("control characters where there is no terminal: %q", control)
	}
	if books, err := parseLedger(screen[strings.LastIndex(screen, "\nkind "):]); err != nil {
		t.Error(err)
	} else {
		books.holds(t, w.done())
	}

	again := start(t, t.TempDir(), "weir", "up", "-data", data)
	again.shows("weir.started")
	w.processes(20)
	again.shows("exit 255")
	again.endsBy(syscall.SIGINT)
	compare(t, "the files of both starts", w.done(), marked(s.files(), w.marker))
	if screen := again.screen(); !strings.Contains(screen, "  closed\n") {
		t.Errorf("no ledger:\n%s", tail(again.out))
	}
}

// screen returns what the program has written to its standard output.
func (p *program) screen() string {
	p.t.Helper()
	text, err := os.ReadFile(p.out)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}
