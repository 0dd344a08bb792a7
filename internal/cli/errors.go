package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Hinter is implemented by errors that know what a person can do about them.
type Hinter interface {
	Hint() string // one sentence, without a full stop
}

// WithHint adds to err what a person can do about it.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return hinted{err, hint}
}

type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }
func (h hinted) Hint() string  { return h.hint }

// printError writes one line a fault, "weir-collector: what: why", and below them what can be done.
func printError(w io.Writer, name string, err error) {
	if err == nil {
		return
	}
	if errors.Is(err, context.Canceled) {
		fmt.Fprintf(w, "%s: stopped before it was done: %s\n", name, Escape(err.Error()))
		return
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(w, "%s: %s\n", name, Escape(strings.TrimSuffix(line, "\n")))
	}
	if _, usage := errors.AsType[Usage](err); usage {
		fmt.Fprintf(w, "%s -h shows how it is used\n", name)
	}
	seen := map[string]bool{}
	for _, hint := range hints(err) {
		if !seen[hint] {
			fmt.Fprintf(w, "  %s\n", Escape(hint))
		}
		seen[hint] = true
	}
}

// hints collects the hints in err's tree.
func hints(err error) []string {
	var found []string
	if h, ok := err.(Hinter); ok {
		found = append(found, h.Hint())
	}
	switch wrapper := err.(type) {
	case interface{ Unwrap() error }:
		if inner := wrapper.Unwrap(); inner != nil {
			found = append(found, hints(inner)...)
		}
	case interface{ Unwrap() []error }:
		for _, inner := range wrapper.Unwrap() {
			found = append(found, hints(inner)...)
		}
	}
	return found
}
