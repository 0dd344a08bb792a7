package main

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

const (
	ringBytes   = 4 << 20
	recordBytes = 128

	noWakeup    = 1 // BPF_RB_NO_WAKEUP
	forceWakeup = 2 // BPF_RB_FORCE_WAKEUP

	tcpEstablished = 1
	tcpClose       = 7
)

// Where a record of the fixed program has what: time, process, user, then these.
const (
	commAt   = 24
	stateAt  = 40 // the new TCP state
	socketAt = 48 // the first 16 bytes of struct sock_common, in which the ports are
)

// hookOf is the tracepoint that tells of a workload's operations, weir's own.
func hookOf(w Workload) string {
	if w == Connect {
		return "inet_sock_set_state"
	}
	return "sched_process_exec"
}

// attached is a program on its hook.
type attached struct {
	ring *ebpf.Map // of modeFixed alone
	kept *ebpf.Map // the counter: nobody reads it, and without a reference it is closed before the program has it
	link link.Link
}

func attachProbe(mode string, w Workload) (*attached, error) {
	a := &attached{}
	var body asm.Instructions
	switch mode {
	case modeEmpty:
		body = finish("exit")
	case modeCount:
		var err error
		if a.kept, err = ebpf.NewMap(&ebpf.MapSpec{Name: "counter", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 1}); err != nil {
			return nil, err
		}
		body = countOnly(a.kept)
	case modeFixed:
		var err error
		if a.ring, err = ebpf.NewMap(&ebpf.MapSpec{Name: "ring", Type: ebpf.RingBuf, MaxEntries: ringBytes}); err != nil {
			return nil, err
		}
		body = fixedRecord(a.ring, w)
	default:
		return nil, fmt.Errorf("mode %q: is none", mode)
	}
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: mode, Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: hookOf(w), Instructions: body, License: "GPL",
	})
	if err != nil {
		return nil, err
	}
	a.link, err = link.AttachTracing(link.TracingOptions{Program: program})
	return a, err
}

func finish(symbol string) asm.Instructions {
	return asm.Instructions{asm.Mov.Imm(asm.R0, 0).WithSymbol(symbol), asm.Return()}
}

func countOnly(counter *ebpf.Map) asm.Instructions {
	return append(asm.Instructions{
		asm.LoadMapValue(asm.R1, counter.FD(), 0),
		asm.Mov.Imm(asm.R2, 1),
		asm.StoreXAdd(asm.R1, asm.R2, asm.DWord),
	}, finish("exit")...)
}

// fixedRecord sends what no event can do without: when, who, and of a socket its ends. Of TCP's states it tells the
// two that weir's events are of: of each end that it is established, and that it is closed.
func fixedRecord(ring *ebpf.Map, w Workload) asm.Instructions {
	body := asm.Instructions{asm.Mov.Reg(asm.R6, asm.R1)}
	if w == Connect {
		body = append(body,
			asm.LoadMem(asm.R8, asm.R6, 16, asm.DWord), // newstate
			asm.JEq.Imm32(asm.R8, tcpEstablished, "send"),
			asm.JNE.Imm32(asm.R8, tcpClose, "exit"))
	}
	body = append(body,
		asm.LoadMapPtr(asm.R1, ring.FD()).WithSymbol("send"),
		asm.Mov.Imm(asm.R2, recordBytes),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnRingbufReserve.Call(),
		asm.JEq.Imm(asm.R0, 0, "exit"),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.FnKtimeGetBootNs.Call(),
		asm.StoreMem(asm.R7, 0, asm.R0, asm.DWord),
		asm.FnGetCurrentPidTgid.Call(),
		asm.StoreMem(asm.R7, 8, asm.R0, asm.DWord),
		asm.FnGetCurrentUidGid.Call(),
		asm.StoreMem(asm.R7, 16, asm.R0, asm.DWord),
		asm.Mov.Reg(asm.R1, asm.R7), asm.Add.Imm(asm.R1, commAt),
		asm.Mov.Imm(asm.R2, 16),
		asm.FnGetCurrentComm.Call())
	if w == Connect {
		body = append(body,
			asm.StoreMem(asm.R7, stateAt, asm.R8, asm.DWord),
			asm.Mov.Reg(asm.R1, asm.R7), asm.Add.Imm(asm.R1, socketAt),
			asm.Mov.Imm(asm.R2, 16),
			asm.LoadMem(asm.R3, asm.R6, 0, asm.DWord), // sk
			asm.FnProbeReadKernel.Call())
	}
	return append(append(body, submit(ring)...), finish("exit")...)
}

// submit wakes the reader as weir's programs do: when a quarter of the ring waits.
func submit(ring *ebpf.Map) asm.Instructions {
	return asm.Instructions{
		asm.LoadMapPtr(asm.R1, ring.FD()),
		asm.Mov.Imm(asm.R2, 0), // BPF_RB_AVAIL_DATA
		asm.FnRingbufQuery.Call(),
		asm.Mov.Imm(asm.R2, noWakeup),
		asm.JLT.Imm(asm.R0, ringBytes/4, "quiet"),
		asm.Mov.Imm(asm.R2, forceWakeup),
		asm.Mov.Reg(asm.R1, asm.R7).WithSymbol("quiet"),
		asm.FnRingbufSubmit.Call(),
	}
}
