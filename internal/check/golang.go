package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

func gofmt(ctx context.Context) error {
	unformatted, err := output(ctx, "gofmt", "-l", ".")
	if err != nil || unformatted == "" {
		return err
	}
	return fmt.Errorf("gofmt -w these:\n%s", unformatted)
}

// promised are packages for outsiders and for tests of several rooms: what only tests reach there is not
// dead.
var promised = regexp.MustCompile(`^(proto|schema|sink/sinktest|enrich/source/sourcetest)(/|$)`)

// deadcode finds functions that no program reaches, and in promised packages those that no test reaches
// either.
func deadcode(ctx context.Context) error {
	const format = `{{range .Funcs}}{{println .Position.File "|" .Name}}{{end}}`
	inPrograms, err := output(ctx, "go", "tool", "deadcode", "-f", format, "./...")
	if err != nil {
		return err
	}
	inTests, err := output(ctx, "go", "tool", "deadcode", "-test", "-f", format, "./...")
	if err != nil {
		return err
	}
	var dead []string
	for line := range strings.Lines(inPrograms) {
		if !promised.MatchString(line) || strings.Contains(inTests, line) {
			dead = append(dead, strings.TrimSpace(line))
		}
	}
	if len(dead) == 0 {
		return nil
	}
	return errors.New("no program reaches:\n" + strings.Join(dead, "\n"))
}
