package collector

import (
	"errors"
	"log/slog"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/executable/digest"
	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/internal/host"
	"github.com/weirproject/weir/schema/batch"
)

// What the configuration means to each of the collector's parts.

// attach wants the configured kinds, and those that the process table lives on.
func (c *Config) attach(log *slog.Logger) attach.Config {
	a := attach.Default()
	a.Name, a.Log = c.Attachment, log
	a.RingBytes = uint32(c.Memory.Ring)
	a.Environment = len(c.Environment) > 0
	a.Kinds = slices.DeleteFunc(bpf.Kinds(), func(k bpf.Kind) bool {
		return !feedsTable(k) && !slices.Contains(c.Kinds, KindName(k.String()))
	})
	for _, name := range c.Buy {
		if kind, ok := bpf.KindNamed(string(name)); ok {
			a.Bought = append(a.Bought, kind)
		}
	}
	return a
}

func feedsTable(k bpf.Kind) bool {
	return k == bpf.KindProcessFork || k == bpf.KindProcessExec || k == bpf.KindProcessExit
}

// limits leave room for two batches in a segment: one that is larger than a segment can never be stored, and their
// bytes are an estimate.
func (c *Config) limits() batch.Limits {
	bytes := min(int64(c.Batch.Bytes), c.Spool.segmentBytes()/2)
	return batch.Limits{Rows: c.Batch.Rows, Bytes: int(bytes), Age: c.Batch.Age}
}

// segmentBytes is a quarter of the spool at most.
func (s *SpoolConfig) segmentBytes() int64 {
	return min(spool.DefaultOptions().SegmentBytes, int64(s.MaxBytes)/4)
}

func (s *SpoolConfig) options(log *slog.Logger) spool.Options {
	o := spool.DefaultOptions()
	o.MaxBytes, o.SegmentBytes, o.Log = int64(s.MaxBytes), s.segmentBytes(), log
	return o
}

// dropCapabilities keeps what reading counters and iterators takes (docs/security.md). Everything that
// takes more, such as attaching, is done before. Where executables are read, those threads have two more.
func (c *Config) dropCapabilities() error {
	var spare []host.Capability
	if c.Executables.BytesPerSecond > 0 {
		spare = digest.Capabilities()
	}
	err := host.DropCapabilities([]host.Capability{unix.CAP_BPF, unix.CAP_PERFMON}, spare)
	if errors.Is(err, unix.ENOTSUP) {
		return cli.WithHint(err, "this program was built with cgo; build it with CGO_ENABLED=0, as make build does")
	}
	return err
}
