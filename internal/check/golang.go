package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func gofmt(ctx context.Context) error {
	unformatted, err := output(ctx, "gofmt", "-l", ".")
	if err != nil || unformatted == "" {
		return err
	}
	return fmt.Errorf("gofmt -w these:\n%s", unformatted)
}

// promised are packages for outsiders, and those that only tests are made of: what no test reaches either is
// dead there.
var promised = regexp.MustCompile(`^(proto|schema|sink/sinktest|enrich/source/sourcetest|test)/`)

// forTests are functions by which tests of other packages make what programs read from files.
var forTests = map[string]string{
	"internal/config/value.go NewSecret": "a configuration with a secret",
}

// deadcode finds functions that no program reaches.
func deadcode(ctx context.Context) error {
	inPrograms, err := unreached(ctx)
	if err != nil {
		return err
	}
	inTests, err := unreached(ctx, "-test")
	if err != nil {
		return err
	}
	var dead []string
	for _, f := range inPrograms {
		if _, known := forTests[f]; known {
			continue
		}
		if !promised.MatchString(f) || slices.Contains(inTests, f) {
			dead = append(dead, f)
		}
	}
	if len(dead) == 0 {
		return nil
	}
	return errors.New("no program reaches:\n" + strings.Join(dead, "\n"))
}

// unreached lists functions as "file name".
func unreached(ctx context.Context, flags ...string) ([]string, error) {
	const format = `{{range .Funcs}}{{println .Position.File .Name}}{{end}}`
	found, err := lines(ctx, "go", append(append([]string{"tool", "deadcode", "-f", format}, flags...), "./...")...)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(found, func(line string) bool { return line == "" }), nil
}
