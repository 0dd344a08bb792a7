// Program check holds the parts of the Makefile that take more than a line.
//
//	go run ./internal/check          every check, one line each; what failed is named again at the end
//	go run ./internal/check vet tidy   these checks
//	go run ./internal/check setup    installs what checks and tests need; setup peers, what is measured beside weir
//	go run ./internal/check fuzz     every fuzz target for 30 s
//
// It runs in the root of the repository.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weirproject/weir/internal/cli"
)

// step is one check. It returns an error that tells what to do, or whose text is the tool's own output.
type step struct {
	name string
	run  func(context.Context) error
}

// steps are in the order in which mistakes are found soonest.
func steps() []step {
	return []step{
		{"gofmt", gofmt},
		{"vet", tool("go", "vet", "./...")},
		{"fix", tool("go", "fix", "-diff", "./...")},
		{"tidy", tool("go", "mod", "tidy", "-diff")},
		{"arrows", tool("go", "test", "-count=1", "./internal")},
		{"staticcheck", tool("go", "tool", "staticcheck", "-checks", "all", "./...")},
		{"deadcode", deadcode},
		{"clang-format", formatC},
		{"contract", contract},
		{"fresh", fresh},
	}
}

func main() { os.Exit(cli.Main(command())) }

func command() cli.Command {
	var fuzzTime time.Duration
	return cli.Command{
		Name: "check", Short: "check the repository", Args: "[NAME...]",
		Run: func(ctx context.Context, env cli.Env) error { return check(ctx, env.Stdout, env.Args) },
		Sub: []cli.Command{
			{Name: "setup", Short: "install what checks and tests need",
				Run: func(ctx context.Context, env cli.Env) error { return setup(ctx, env.Stdout, needs()) },
				Sub: []cli.Command{{Name: "peers", Short: "install what make bench compares weir with",
					Run: func(ctx context.Context, env cli.Env) error { return setup(ctx, env.Stdout, peers()) }}}},
			{Name: "fuzz", Short: "run every fuzz target",
				Flags: func(f *flag.FlagSet) { f.DurationVar(&fuzzTime, "time", 30*time.Second, "`DURATION` of each") },
				Run:   func(ctx context.Context, env cli.Env) error { return fuzz(ctx, env.Stdout, fuzzTime) }},
		},
	}
}

func check(ctx context.Context, w io.Writer, only []string) error {
	all := steps()
	for _, name := range only {
		if !slices.ContainsFunc(all, func(s step) bool { return s.name == name }) {
			return cli.Usagef("unknown check %q", name)
		}
	}
	var failed []string
	for _, s := range all {
		if len(only) > 0 && !slices.Contains(only, s.name) {
			continue
		}
		if !runStep(ctx, w, s) {
			failed = append(failed, s.name)
		}
	}
	if len(failed) > 0 {
		return errors.New("failed: " + strings.Join(failed, ", "))
	}
	return nil
}

func runStep(ctx context.Context, w io.Writer, s step) bool {
	fmt.Fprintf(w, "check: %-13s", s.name)
	start := time.Now()
	err := s.run(ctx)
	took := time.Since(start).Seconds()
	if err == nil {
		fmt.Fprintf(w, "ok      %5.1f s\n", took)
		return true
	}
	fmt.Fprintf(w, "FAILED  %5.1f s\n%s\n", took, strings.TrimRight(err.Error(), "\n"))
	return false
}
