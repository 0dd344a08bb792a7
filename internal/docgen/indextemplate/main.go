// Command indextemplate writes the index template of weir's data stream to a file.
package main

import (
	"fmt"
	"os"

	"github.com/weirproject/weir/schema/ecs"
)

func main() {
	if len(os.Args) != 2 {
		exit(fmt.Errorf("usage: indextemplate FILE"))
	}
	template, err := ecs.IndexTemplate(ecs.DataStream)
	if err != nil {
		exit(err)
	}
	if err := os.WriteFile(os.Args[1], append(template, '\n'), 0o644); err != nil {
		exit(err)
	}
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, "indextemplate:", err)
	os.Exit(1)
}
