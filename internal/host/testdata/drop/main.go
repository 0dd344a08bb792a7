// Command drop keeps a capability and a spare one, prints what /proc says of each of its threads, raises the spare one in
// one thread, and prints what /proc says of that.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/weirproject/weir/internal/host"
	"golang.org/x/sys/unix"
)

func main() {
	keep, spare := []host.Capability{unix.CAP_BPF}, []host.Capability{unix.CAP_DAC_READ_SEARCH}
	if err := host.DropCapabilities(keep, spare); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	show("/proc/self/task/*/status")
	runtime.LockOSThread()
	fmt.Println("raised", host.RaiseCapabilities(unix.CAP_DAC_READ_SEARCH))
	fmt.Println("missing", host.RaiseCapabilities(unix.CAP_SYS_ADMIN))
	show("/proc/thread-self/status")
}

func show(pattern string) {
	paths, _ := filepath.Glob(pattern)
	for _, path := range paths {
		status, _ := os.ReadFile(path)
		for line := range strings.Lines(string(status)) {
			if strings.HasPrefix(line, "Cap") {
				fmt.Print(line)
			}
		}
	}
}
