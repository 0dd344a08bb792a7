package look

import (
	"context"
	"errors"
	"strings"

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
			if err := table.Row(c.Kind.String(), refusal(r), r.Rung, r.Need); err != nil {
				return err
			}
		}
		state, rung, gaps := holds(c)
		if err := table.Row(c.Kind.String(), state, rung, gaps); err != nil {
			return err
		}
	}
	return nil
}

func refusal(r *attach.Refused) string {
	if r.Price != "" {
		return "for sale"
	}
	return "refused"
}

func holds(c attach.Coverage) (state, rung, gaps string) {
	switch {
	case c.Rung == nil && c.ForSale():
		return "missing", "", "the rung for sale is not bought"
	case c.Rung == nil:
		return "missing", "", "no rung holds on this kernel"
	case c.Rung.Price != "":
		return "in use", c.Rung.String(), strings.TrimPrefix(c.Rung.Gaps()+"; bought: "+c.Rung.Price, "; ")
	}
	return "in use", c.Rung.String(), c.Rung.Gaps()
}
