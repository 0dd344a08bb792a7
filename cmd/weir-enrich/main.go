// weir-enrich verifies, joins and accounts for what collectors send, and delivers it to the sinks.
package main

import (
	"os"

	"github.com/weirproject/weir/enrich"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/sink/all"
)

func main() { os.Exit(cli.Main(enrich.Command(all.All()))) }
