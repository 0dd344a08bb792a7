package look

import (
	"context"
	"errors"

	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/internal/cli"
)

// Hooks is "weir hooks": each kind's ladder on this kernel, by trying it.
func Hooks() cli.Command {
	return cli.Command{
		Name:  "hooks",
		Short: "show by which hooks this kernel gives each kind",
		Long: "Attaches each kind's best rung, shows which one held and why those before it did not, and takes\n" +
			"everything off again. Needs root.",
		Run: func(_ context.Context, env cli.Env) error {
			a, err := attach.New(attach.Default())
			if err != nil {
				return err
			}
			return errors.Join(PrintCoverage(env, a.Coverage()), a.Close())
		},
	}
}

// PrintCoverage writes a line a rung that was tried.
func PrintCoverage(env cli.Env, coverage []attach.Coverage) error {
	table := cli.NewTable(env.Stdout, cli.Width(env.Stdout),
		cli.Column{Title: "KIND", Width: 16},
		cli.Column{Title: "STATE", Width: 8},
		cli.Column{Title: "RUNG", Width: 58},
		cli.Column{Title: "LACKS, MISSES, OR NEEDS", Width: 40},
	)
	if err := table.Header(); err != nil {
		return err
	}
	for _, c := range coverage {
		for _, r := range c.Refused {
			if err := table.Row(c.Kind.String(), "refused", r.Rung, r.Need); err != nil {
				return err
			}
		}
		state, rung, gaps := "missing", "", "no rung holds on this kernel"
		if c.Rung != nil {
			state, rung, gaps = "in use", c.Rung.String(), c.Rung.Gaps()
		}
		if err := table.Row(c.Kind.String(), state, rung, gaps); err != nil {
			return err
		}
	}
	return nil
}
