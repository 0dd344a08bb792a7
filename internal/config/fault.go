package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Fault is one thing that is wrong with a configuration.
type Fault struct {
	File         string
	Line, Column int    // from 1; 0 where the file does not say it
	Key          string // path of the key, such as "spool.max_bytes"; empty for the file as a whole
	Text         string // what is wrong and what would do
}

func (f *Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		for _, n := range []int{f.Line, f.Column} {
			if n > 0 {
				b.WriteString(":" + strconv.Itoa(n))
			}
		}
		b.WriteString(": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Text)
	return b.String()
}

// Faults are all that is wrong with a file, in its order where one follows from reading it.
type Faults []*Fault

// Error has one line a fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As see each fault.
func (fs Faults) Unwrap() []error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errs
}

func (fs Faults) err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}

// Invalid is for Validate: the fault of the key at a path relative to the struct that is validated. The
// decoder adds the file, the line and the struct's own path.
func Invalid(key, format string, args ...any) error {
	return &Fault{Key: key, Text: fmt.Sprintf(format, args...)}
}

// flatten lists the faults in err, whatever joined them. Errors that are no faults become faults without
// a key.
func flatten(err error) Faults {
	if err == nil {
		return nil
	}
	if f, ok := errors.AsType[*Fault](err); ok && error(f) == err {
		return Faults{f}
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all Faults
		for _, e := range joined.Unwrap() {
			all = append(all, flatten(e)...)
		}
		return all
	}
	return Faults{{Text: err.Error()}}
}

// syntaxFault takes the line out of the YAML library's "yaml: line 3: did not find expected key".
func syntaxFault(file string, err error) *Fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	f := &Fault{File: file, Text: text}
	rest, ok := strings.CutPrefix(text, "line ")
	if !ok {
		return f
	}
	number, text, ok := strings.Cut(rest, ": ")
	line, convErr := strconv.Atoi(number)
	if ok && convErr == nil {
		f.Line, f.Text = line, text
	}
	return f
}

// unknown is the fault of a word that is none of known.
func unknown(what, word string, known []string) string {
	if near, ok := nearest(word, known); ok {
		return fmt.Sprintf("unknown %s; the nearest is %s", what, near)
	}
	if len(known) == 0 {
		return fmt.Sprintf("unknown %s; there are none here", what)
	}
	return fmt.Sprintf("unknown %s; known here: %s", what, strings.Join(known, ", "))
}
