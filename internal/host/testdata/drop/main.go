// Command drop keeps two capabilities and prints what /proc says of each of its threads.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/weirproject/weir/internal/host"
	"golang.org/x/sys/unix"
)

func main() {
	if err := host.DropCapabilities(unix.CAP_BPF, unix.CAP_DAC_READ_SEARCH); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	paths, _ := filepath.Glob("/proc/self/task/*/status")
	for _, path := range paths {
		status, _ := os.ReadFile(path)
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "Cap") {
				fmt.Print(line)
			}
		}
	}
}
