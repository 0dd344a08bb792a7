package trace

import (
	"fmt"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/cmd/weir/look"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/schema"
)

func processTraces() []trace {
	return []trace{
		{
			name: "exec", like: "execsnoop", short: "programs that are started",
			kind: schema.ProcessExec, failures: schema.ProcessExecFailed,
			columns: []column{
				{cli.Column{Title: "PCOMM", Width: 16}, row.comm},
				{cli.Column{Title: "PID", Width: 7, Right: true}, row.pid},
				{cli.Column{Title: "PPID", Width: 7, Right: true}, row.parentPID},
				{cli.Column{Title: "RET", Width: 8}, row.execResult},
				{cli.Column{Title: "ARGS", Width: 24}, row.arguments},
			},
		},
		{
			name: "exec_failed", like: "execsnoop -x", short: "programs that could not be started", kind: schema.ProcessExecFailed,
			columns: []column{
				{cli.Column{Title: "PCOMM", Width: 16}, row.comm},
				{cli.Column{Title: "PID", Width: 7, Right: true}, row.pid},
				{cli.Column{Title: "PPID", Width: 7, Right: true}, row.parentPID},
				{cli.Column{Title: "RET", Width: 8}, row.execResult},
				{cli.Column{Title: "FILE", Width: 24, Path: true}, row.failedFile},
				{cli.Column{Title: "ARGS", Width: 24}, row.arguments},
			},
		},
		{
			name: "exit", like: "exitsnoop", short: "processes that end", kind: schema.ProcessExit,
			columns: []column{
				{cli.Column{Title: "PCOMM", Width: 16}, row.comm},
				{cli.Column{Title: "PID", Width: 7, Right: true}, row.pid},
				{cli.Column{Title: "PPID", Width: 7, Right: true}, row.parentPID},
				{cli.Column{Title: "AGE(s)", Width: 9, Right: true}, row.age},
				{cli.Column{Title: "EXIT_CODE", Width: 20}, row.status},
			},
			failed: func(r row) bool { return r.status() != "0" },
		},
		{
			name: "fork", short: "processes that are made", kind: schema.ProcessFork,
			columns: []column{
				{cli.Column{Title: "PCOMM", Width: 16}, row.comm},
				{cli.Column{Title: "PID", Width: 7, Right: true}, row.pid},
				{cli.Column{Title: "CHILD", Width: 7, Right: true}, row.child},
				{cli.Column{Title: "FLAGS", Width: 12}, row.cloneFlags},
			},
		},
	}
}

// arguments tells by three dots that there are more of them.
func (r row) arguments() string {
	text, cut := look.ExecArguments(r.Batch, r.Row), r.Proto().ProcessExec.GetArgumentsCut()
	if r.Kind == schema.ProcessExecFailed {
		g := r.Proto().ProcessExecFailed
		text, cut = r.Text(schema.At(g.Arguments, r.GroupRow)), g.ArgumentsCut
	}
	if schema.At(cut, r.GroupRow) {
		return look.Arguments(text) + "..."
	}
	return look.Arguments(text)
}

func (r row) execResult() string {
	if r.Kind == schema.ProcessExecFailed {
		return errno(schema.At(r.Proto().ProcessExecFailed.Errno, r.GroupRow))
	}
	return "0"
}

func (r row) failedFile() string {
	return string(r.Text(schema.At(r.Proto().ProcessExecFailed.Filename, r.GroupRow)))
}

// age is from the process's start.
func (r row) age() string {
	if r.process() == 0 {
		return ""
	}
	start := r.Proto().Processes.StartUs[r.process()-1]
	return fmt.Sprintf("%.2f", float64(int64(r.BootTime(r.Index))-start)/1e6)
}

// status is "0", "code 3", or "signal 9 (KILL)".
func (r row) status() string {
	g := r.Proto().ProcessExit
	signal := schema.At(g.Signal, r.GroupRow)
	switch code := schema.At(g.ExitCode, r.GroupRow); {
	case signal == 0 && code == 0:
		return "0"
	case signal == 0:
		return fmt.Sprintf("code %d", code)
	}
	text := fmt.Sprintf("signal %d (%s)", signal, strings.TrimPrefix(unix.SignalName(syscall.Signal(signal)), "SIG"))
	if schema.At(g.CoreDumped, r.GroupRow) {
		text += ", core dumped"
	}
	return text
}

func (r row) child() string {
	return pid(look.TGID(r.Proto(), uint32(schema.At(r.Proto().ProcessFork.Child, r.GroupRow))))
}

func (r row) cloneFlags() string {
	return fmt.Sprintf("%#x", schema.At(r.Proto().ProcessFork.Flags, r.GroupRow))
}
