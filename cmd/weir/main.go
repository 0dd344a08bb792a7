// weir is the program for people: the whole stream on one machine, and looks into a larger one.
package main

import (
	"os"

	"github.com/weirproject/weir/cmd/weir/look"
	"github.com/weirproject/weir/cmd/weir/trace"
	"github.com/weirproject/weir/cmd/weir/up"
	"github.com/weirproject/weir/internal/cli"
)

func main() {
	os.Exit(cli.Main(cli.Command{
		Name:  "weir",
		Short: "security events of this kernel, every one accounted for",
		Sub: []cli.Command{
			up.Command(),
			trace.Command(),
			look.Hooks(),
			look.Tail(),
			look.Ledger(),
			cli.VersionCommand(),
		},
	}))
}
