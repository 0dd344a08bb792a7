package look

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/weirproject/weir/enrich/balance"
	"github.com/weirproject/weir/internal/cli"
)

// Ledger is "weir ledger [HOST]": the balances in weir.hosts.
func Ledger() cli.Command {
	var client clientFlags
	return cli.Command{
		Name:  "ledger",
		Args:  "[HOST]",
		Short: "show each host's balance, from hook to sink",
		Long: "HOST is a hostname, or a host id or its first four digits or more; without it all hosts are shown.\n" +
			"Exits with 1 where a difference is not 0.",
		Flags: client.add,
		Run: func(ctx context.Context, env cli.Env) error {
			if len(env.Args) > 1 {
				return cli.Usagef("one host at most")
			}
			c, err := client.open(ctx, env.Log)
			if err != nil {
				return err
			}
			defer c.Close()
			hosts, err := balance.All(ctx, c, env.Log)
			if err != nil {
				return err
			}
			return printBalances(env, hosts)
		},
	}
}

func printBalances(env cli.Env, hosts []balance.Host) error {
	shown, difference := 0, uint64(0)
	for _, h := range hosts {
		if len(env.Args) == 1 && !h.Is(env.Args[0]) {
			continue
		}
		shown++
		difference += h.Table().Sum()
		if err := PrintBalance(env.Stdout, h); err != nil {
			return err
		}
	}
	switch {
	case shown == 0 && len(env.Args) == 1:
		return fmt.Errorf("weir.hosts has no balance of host %q", env.Args[0])
	case difference > 0:
		return fmt.Errorf("the books are open by %d events; weir.gap and weir.loss tell which", difference)
	}
	return nil
}

// PrintBalance writes one host's table under a line that names it.
func PrintBalance(w io.Writer, h balance.Host) error {
	state := "open"
	if h.Table().Closing {
		state = "closed"
	}
	_, err := fmt.Fprintf(w, "%s  %x  last batch %s  %s\n%s", cli.Escape(h.GetHostname()), h.GetHostId(),
		time.UnixMicro(h.GetSealedAtUs()).UTC().Format(time.RFC3339), state, h.Table())
	return err
}
