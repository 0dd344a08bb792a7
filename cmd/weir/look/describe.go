package look

import (
	"fmt"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// describe says in a few words what happened: the table's last column.
func describe(b *batch.Batch, row batch.Row) string {
	p, i := b.Proto(), row.GroupRow
	switch row.Kind {
	case schema.ProcessExec:
		return Arguments(ExecArguments(b, row))
	case schema.ProcessExecFailed:
		return describeExecFailed(b, p.ProcessExecFailed, i)
	case schema.ProcessExit:
		return describeExit(b, row)
	case schema.ProcessFork:
		return fmt.Sprintf("child %d", TGID(p, uint32(schema.At(p.ProcessFork.Child, i))))
	case schema.NetworkConnect:
		return describeConnect(b, p.NetworkConnect, i)
	case schema.NetworkListen:
		l := p.NetworkListen
		return endpoint(b, schema.At(l.Address, i), schema.At(l.Port, i))
	case schema.NetworkClose:
		return describeClose(b, p.NetworkClose, i)
	case schema.NetworkAccept:
		return describeAccept(b, p.NetworkAccept, i)
	default:
		if text, ok := describeCounted(b, row); ok {
			return text
		}
		return describeSelf(b, row)
	}
}

// ExecArguments are the event's own, or else its process's: that has short ones whole.
func ExecArguments(b *batch.Batch, row batch.Row) []byte {
	if own := b.Text(schema.At(b.Proto().ProcessExec.GetArguments(), row.GroupRow)); len(own) > 0 {
		return own
	}
	if actor := schema.At(b.Proto().Common.Process, row.Index); actor > 0 {
		return b.Text(uint32(schema.At(b.Proto().Processes.GetArguments(), int(actor-1))))
	}
	return nil
}

func describeExecFailed(b *batch.Batch, e *weirv1.ProcessExecFailed, i int) string {
	reason := unix.ErrnoName(syscall.Errno(schema.At(e.Errno, i)))
	return fmt.Sprintf("%s %s: %s", b.Text(schema.At(e.Filename, i)), reason, Arguments(b.Text(schema.At(e.Arguments, i))))
}

func describeExit(b *batch.Batch, row batch.Row) string {
	e, i := b.Proto().ProcessExit, row.GroupRow
	after := lifetime(b, row.Index)
	signal := syscall.Signal(schema.At(e.Signal, i))
	switch {
	case signal != 0 && schema.At(e.CoreDumped, i):
		return fmt.Sprintf("%s, core dumped, after %s", unix.SignalName(signal), after)
	case signal != 0:
		return fmt.Sprintf("%s after %s", unix.SignalName(signal), after)
	}
	return fmt.Sprintf("exit %d after %s", schema.At(e.ExitCode, i), after)
}

// lifetime is from the actor's start to the event.
func lifetime(b *batch.Batch, row int) string {
	actor := schema.At(b.Proto().Common.Process, row)
	if actor == 0 {
		return "?"
	}
	return duration(uint64(b.BootTime(row)) - uint64(b.Proto().Processes.GetStartUs()[actor-1]))
}

func describeConnect(b *batch.Batch, c *weirv1.NetworkConnect, i int) string {
	ends := endpoint(b, schema.At(c.Source, i), schema.At(c.SourcePort, i)) + " → " +
		endpoint(b, schema.At(c.Destination, i), schema.At(c.DestinationPort, i))
	took := duration(schema.At(c.LatencyUs, i))
	switch errno := schema.At(c.Errno, i); {
	case schema.At(c.Pending, i):
		return fmt.Sprintf("%s no answer after %s", ends, took)
	case schema.At(c.Abandoned, i):
		return fmt.Sprintf("%s given up after %s", ends, took)
	case schema.At(c.FailedUnknown, i):
		return fmt.Sprintf("%s failed", ends)
	case errno != 0:
		return fmt.Sprintf("%s %s after %s", ends, unix.ErrnoName(syscall.Errno(errno)), took)
	}
	return fmt.Sprintf("%s in %s", ends, took)
}

func describeClose(b *batch.Batch, c *weirv1.NetworkClose, i int) string {
	text := endpoint(b, schema.At(c.Source, i), schema.At(c.SourcePort, i)) + " → " +
		endpoint(b, schema.At(c.Destination, i), schema.At(c.DestinationPort, i))
	if schema.At(c.NotEstablished, i) {
		text += " never connected"
	} else {
		text += fmt.Sprintf(" %s out %s in", size(schema.At(c.SentBytes, i)), size(schema.At(c.ReceivedBytes, i)))
	}
	if us := schema.At(c.DurationUs, i); us != 0 {
		text += " after " + duration(us)
	}
	if errno := schema.At(c.Errno, i); errno != 0 {
		text += " " + unix.ErrnoName(syscall.Errno(errno))
	}
	if schema.At(c.NeverAccepted, i) {
		text += ", never accepted"
	}
	return text
}

func describeAccept(b *batch.Batch, a *weirv1.NetworkAccept, i int) string {
	text := endpoint(b, schema.At(a.Source, i), schema.At(a.SourcePort, i)) + " → " +
		endpoint(b, schema.At(a.Destination, i), schema.At(a.DestinationPort, i))
	if plusOne := schema.At(a.LatencyUs, i); plusOne != 0 {
		text += " after " + duration(plusOne-1)
	}
	return text
}

func describeSelf(b *batch.Batch, row batch.Row) string {
	p, i := b.Proto(), row.GroupRow
	switch row.Kind {
	case schema.WeirStarted:
		return "weir " + p.Header.GetWeirVersion() + " on " + p.Header.GetKernel()
	case schema.WeirStopped:
		return string(b.Text(schema.At(p.WeirStopped.Reason, i)))
	case schema.WeirHeartbeat:
		h := p.WeirHeartbeat
		return fmt.Sprintf("%d processes, %d batches in the spool", schema.At(h.Processes, i), schema.At(h.SpoolBatches, i))
	case schema.WeirGap:
		return string(b.Text(schema.At(p.WeirGap.Detail, i)))
	case schema.WeirLoss:
		return string(b.Text(schema.At(p.WeirLoss.Detail, i)))
	}
	return ""
}

// Arguments shows them as one would type them, as far as that can be told.
func Arguments(b []byte) string {
	return strings.ReplaceAll(strings.TrimSuffix(string(b), "\x00"), "\x00", " ")
}

func endpoint(b *batch.Batch, address, port uint32) string {
	a, ok := netip.AddrFromSlice(b.Text(address))
	if !ok {
		return fmt.Sprintf("?:%d", port)
	}
	return netip.AddrPortFrom(a, uint16(port)).String()
}

// TGID is the process id of an entry of the batch; 0 is none.
func TGID(p *weirv1.Batch, process uint32) int32 {
	if process == 0 {
		return 0
	}
	return schema.At(p.Processes.GetTgid(), int(process-1))
}

// duration rounds to three digits: nobody compares lifetimes to the µs in a live table.
func duration(us uint64) string {
	d := time.Duration(us) * time.Microsecond
	unit := time.Microsecond
	for _, u := range []time.Duration{10 * time.Microsecond, 100 * time.Microsecond, time.Millisecond, 10 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		if d >= 100*u {
			unit = u
		}
	}
	return d.Round(unit).String()
}

func size(bytes uint64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, u := float64(bytes), 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	if u == 0 {
		return fmt.Sprintf("%d %s", bytes, units[0])
	}
	return fmt.Sprintf("%.1f %s", v, units[u])
}
