package bpf

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// numberFunction is the only function with an atomic instruction that returns a value: compat.h.
const numberFunction = "next_number"

// ReplaceFetch makes spec loadable before Linux 5.12, which has no atomic instruction that returns a value,
// and refuses such a one even where it is never reached.
func ReplaceFetch(spec *ebpf.CollectionSpec) {
	for _, program := range spec.Programs {
		program.Instructions = replaceFetch(program.Instructions)
	}
}

func replaceFetch(insns asm.Instructions) asm.Instructions {
	var out asm.Instructions
	inside := false
	for _, ins := range insns {
		if name := ins.Symbol(); name != "" {
			inside = name == numberFunction
			if inside {
				out = append(out, addThenLoad(ins)...)
			}
		}
		if !inside {
			out = append(out, ins)
		}
	}
	return out
}

// addThenLoad is the function's body; first is its first instruction, which carries the function's types.
func addThenLoad(first asm.Instruction) asm.Instructions {
	one := asm.Mov.Imm(asm.R2, 1)
	one.Metadata = first.Metadata
	return asm.Instructions{
		one,
		asm.AddAtomic.Mem(asm.R1, asm.R2, asm.DWord, 0),
		asm.LoadMem(asm.R0, asm.R1, 0, asm.DWord),
		asm.Return(),
	}
}

// FetchProbe is a program that only loads where atomic instructions return values.
func FetchProbe() *ebpf.ProgramSpec {
	fetch := asm.FetchAdd.Mem(asm.RFP, asm.R0, asm.DWord, -8)
	fetch.Constant = int64(asm.FetchAdd >> 8) // cilium/ebpf 0.22 writes an addition without it
	return &ebpf.ProgramSpec{
		Type: ebpf.SocketFilter,
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R0, 0),
			asm.StoreMem(asm.RFP, -8, asm.R0, asm.DWord),
			fetch,
			asm.Return(),
		},
		License: "Dual BSD/GPL",
	}
}
