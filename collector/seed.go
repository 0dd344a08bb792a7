package collector

import (
	"io"
	"os"
	"strconv"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/fill"
	"github.com/weirproject/weir/collector/process"
	"github.com/weirproject/weir/schema"
)

// seed makes the process table know what runs already. The kernel's iterator tells everything but arguments:
// those are read from /proc, and believed of a program that the iterator finds before and after.
func seed(hooks *attach.Attachment, filler *fill.Filler, table *process.Table) error {
	if err := hooks.Seed(filler); err != nil {
		return err
	}
	arguments := make(map[schema.ProcessKey][]byte)
	for key := range table.Live() {
		arguments[key] = readArguments(key.TGID)
	}
	still := present{filler: filler, arguments: arguments}
	return hooks.Seed(&still)
}

// present tells the filler the arguments of the programs that still run.
type present struct {
	bpf.Handler // the iterator gives nothing but processes
	filler      *fill.Filler
	arguments   map[schema.ProcessKey][]byte
}

// Process implements bpf.Handler.
func (p *present) Process(s *bpf.ProcessSample) {
	key := fill.KeyOf(s.Head.Actor.Key)
	if arguments := p.arguments[key]; len(arguments) > 0 {
		p.filler.SeedArguments(key, arguments)
	}
}

// argumentsBytes is how much is read of a process's arguments.
const argumentsBytes = 4096

// readArguments returns the first of a process's arguments, each ended by a NUL byte; a kernel thread has none,
// and one that is gone neither.
func readArguments(tgid schema.TGID) []byte {
	f, err := os.Open("/proc/" + strconv.FormatUint(uint64(tgid), 10) + "/cmdline")
	if err != nil {
		return nil
	}
	defer f.Close()
	// More than an entry keeps tells that there are more; as much as of an exec, so that a secret is recognised that an
	// entry would have cut.
	arguments, err := io.ReadAll(io.LimitReader(f, argumentsBytes))
	if err != nil {
		return nil
	}
	return arguments
}
