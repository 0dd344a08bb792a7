package trace

import (
	"fmt"
	"io"
	"strings"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector"
)

// printLedger says what became of the events, in two sums.
func printLedger(w io.Writer, live *collector.Live, shown uint64) error {
	sums, err := live.Sums()
	if err != nil {
		return err
	}
	read := uint64(0)
	fmt.Fprintln(w)
	for _, s := range sums {
		fmt.Fprintf(w, "%s: %d seen by the hooks = %s\n", s.Kind, s.Seen(), outcomes(s))
		read += s.Read
	}
	fmt.Fprintf(w, "%d read = %d shown + %d filtered by flags\n", read, shown, read-shown)
	missed, known, err := live.Missed()
	switch {
	case err != nil:
		return err
	case !known:
		_, err = fmt.Fprintln(w, "this kernel does not tell how often it left out a program")
	case missed > 0:
		_, err = fmt.Fprintf(w, "%d runs of programs were left out by the kernel, as another one was under way\n", missed)
	}
	return err
}

// outcomes is what the seen events are the sum of.
func outcomes(s collector.LiveSums) string {
	var parts []string
	for outcome, n := range s.Outcomes {
		if n > 0 || bpf.Outcome(outcome) == bpf.OutcomeSent {
			parts = append(parts, fmt.Sprintf("%d %s", n, bpf.Outcome(outcome)))
		}
	}
	return strings.Join(parts, " + ")
}
