package stream_test

import (
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ledger is the table of "weir ledger" for one host: figures by kind and column.
type ledger struct {
	text   string
	titles []string
	kinds  map[string]map[string]int
}

// ledger asks for the books as an operator does. Its exit code is an error where they do not balance.
func (s *stream) ledger() (ledger, error) {
	out, err := exec.Command(built(s.t, "weir"), "ledger", "-brokers", s.kafka.Addresses[0]).CombinedOutput()
	if err != nil {
		return ledger{}, fmt.Errorf("weir ledger: %w\n%s", err, out)
	}
	return parseLedger(string(out))
}

// closed says in what the books are not closed. A lane that has taken nothing yet has no column.
func (l ledger) closed(lanes []lane) error {
	if !strings.Contains(l.text, "  closed\n") {
		return fmt.Errorf("not closed:\n%s", l.text)
	}
	for _, lane := range lanes {
		if !slices.Contains(l.titles, lane.name) {
			return fmt.Errorf("lane %s has no column:\n%s", lane.name, l.text)
		}
	}
	return nil
}

// columns are at least two spaces apart; a title may have one within.
var columns = regexp.MustCompile(` {2,}`)

// parseLedger reads a table with one host.
func parseLedger(text string) (ledger, error) {
	l := ledger{text: text, kinds: map[string]map[string]int{}}
	for line := range strings.Lines(text) {
		cells := columns.Split(strings.TrimSuffix(line, "\n"), -1)
		switch {
		case cells[0] == "kind":
			l.titles = cells
		case len(cells) == len(l.titles):
			row := map[string]int{}
			for i, title := range l.titles[1:] {
				row[title], _ = strconv.Atoi(cells[i+1]) // "-" and "unknown" are no figures
			}
			l.kinds[cells[0]] = row
		}
	}
	if len(l.kinds) == 0 {
		return l, fmt.Errorf("no ledger:\n%s", text)
	}
	return l, nil
}
