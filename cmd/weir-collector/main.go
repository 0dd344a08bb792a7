// weir-collector takes security events from this machine's kernel to Kafka.
package main

import (
	"os"

	"github.com/weirproject/weir/collector"
	"github.com/weirproject/weir/internal/cli"
)

func main() { os.Exit(cli.Main(collector.Command())) }
