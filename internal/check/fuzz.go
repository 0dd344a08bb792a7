package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"
)

var fuzzTarget = regexp.MustCompile(`^(.*)/[^/]*:func (Fuzz\w+)\(`)

// fuzz runs every target for so long, one after the other, and goes on behind one that fails.
func fuzz(ctx context.Context, w io.Writer, each time.Duration) error {
	found, err := lines(ctx, "git", "grep", "--untracked", "-E", "^func Fuzz[A-Za-z0-9_]+\\(", "--", "*_test.go")
	if err != nil {
		return err
	}
	var errs []error
	for _, line := range found {
		target := fuzzTarget.FindStringSubmatch(line)
		dir, name := "./"+target[1], target[2]
		fmt.Fprintf(w, "fuzz: %s %s\n", dir, name)
		_, err := output(ctx, "go", "test", "-run", "^$", "-fuzz", "^"+name+"$", "-fuzztime", each.String(), dir)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
