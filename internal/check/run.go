package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// output runs a command and returns what it printed. The error holds all of that.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s%s %s: %w", out, name, strings.Join(args, " "), err)
	}
	return string(out), nil
}

// lines runs a command and returns the lines of its standard output.
func lines(ctx context.Context, name string, args ...string) ([]string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%s%w", exit.Stderr, err)
		}
		return nil, fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	text := strings.TrimSuffix(string(out), "\n")
	if text == "" {
		return nil, nil
	}
	return strings.Split(text, "\n"), nil
}

// tool is a check that is a command's exit code.
func tool(name string, args ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := output(ctx, name, args...)
		return err
	}
}

// files lists the repository's files below the given paths that are not ignored, committed or not.
func files(ctx context.Context, patterns ...string) ([]string, error) {
	return lines(ctx, "git", append([]string{"ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", "--"}, patterns...)...)
}
