package main

import (
	"context"
	"time"
)

// contender is somebody who watches the machine.
type contender struct {
	name  string
	note  string // what has to be known to read its figures
	loads []Workload
	// start starts it, for operations of a workload; its error says why it cannot run on this machine. It is nil
	// for nobody.
	start func(ctx context.Context, b *bench, w Workload) (watcher, error)
}

// watcher is a contender that runs.
type watcher interface {
	// processes are those whose time and memory are its own, beside their children.
	processes() []int
	// settle returns once it has worked on all that the workload did: it has told of so many of its operations as
	// are wanted, or no more come.
	settle(ctx context.Context, w load, wanted int) error
	// seen returns how many operations of the workload it has told of, in all, and in how many bytes.
	seen(ctx context.Context, w load) (tally, error)
	// stop ends it, and undoes what it did to the machine.
	stop() error
}

// tally is what a watcher has told of a workload.
type tally struct {
	operations int
	untold     bool // it counts, and tells of no operation by itself
	events     int  // of all kinds, and of all processes that did something meanwhile
	bytes      int64
}

const (
	patience = 30 * time.Second       // until a watcher sees its first event
	silence  = 3 * time.Second        // after which no more events are expected
	look     = 100 * time.Millisecond // how often is looked for them
)

// The contenders that targets name.
const (
	nothingName   = "nothing attached"
	fixedName     = "fixed record"
	weirName      = "weir-collector"
	execsnoopName = "execsnoop"
)

// contenders are in the order in which they are told of; nobody is measured beside all of them.
func contenders() []contender {
	return []contender{
		{name: nothingName, loads: []Workload{Exec, Connect, Getppid}, note: "its slowdown is the noise of this machine"},
		probeContender("empty program", modeEmpty, "what the kernel's statistics cost, which are in every figure"),
		probeContender("count only", modeCount, "one atomic addition on the same hook"),
		probeContender(fixedName, modeFixed, "128 bytes to a ring of 4 MiB, woken as weir is, counted and thrown away"),
		{name: weirName, loads: []Workload{Exec, Connect, Getppid}, start: startWeir,
			note: "default configuration; forks, exits and closes as well; spool and broker on this machine's disk, and the broker's CPU time is its own"},
		toolContender(execsnoopName, "libbpf-tools", Exec, "execsnoop", 0),
		toolContender("tcplife", "libbpf-tools; tells of ends alone", Connect, "tcplife", 5),
		toolContender("tcpconnect", "libbpf-tools", Connect, "tcpconnect", 5),
		toolContender("bpftrace execsnoop.bt", "", Exec, "execsnoop.bt", 0),
		toolContender("bpftrace tcpconnect.bt", "", Connect, "tcpconnect.bt", 6),
		{name: "auditd", loads: []Workload{Exec, Getppid}, start: startAudit, note: "one rule for execve and execveat; with kauditd's time"},
	}
}

// await asks until as many operations as wanted are there, or for the time of silence no more came.
func await(ctx context.Context, wanted int, count func() (tally, error)) error {
	last := 0
	for quiet := time.Now(); ; {
		now, err := count()
		if err != nil || now.operations >= wanted {
			return err
		}
		if now.operations > last {
			last, quiet = now.operations, time.Now()
		}
		if time.Since(quiet) > silence {
			return nil
		}
		if err := pass(ctx, look); err != nil {
			return err
		}
	}
}

// pass lets time go by.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
