package bpf

import (
	"testing"

	"github.com/cilium/ebpf/asm"
)

func fetches(insns asm.Instructions) (n int) {
	for _, ins := range insns {
		if ins.OpCode.Class() == asm.StXClass && ins.OpCode.Mode() == asm.AtomicMode && ins.OpCode.AtomicOp() == asm.FetchAdd {
			n++
		}
	}
	return n
}

func TestReplaceFetchLeavesNone(t *testing.T) {
	spec := mustSpec()
	before := 0
	for _, p := range spec.Programs {
		before += fetches(p.Instructions)
	}
	if before == 0 {
		t.Error("the object has none: ReplaceFetch is for nothing")
	}
	ReplaceFetch(spec)
	for name, p := range spec.Programs {
		if n := fetches(p.Instructions); n != 0 {
			t.Errorf("%s has %d of them", name, n)
		}
	}
}

// Before 5.12 there is no atomic instruction but addition. clang makes others of what is none in C.
func TestProgramsHaveNoAtomicInstructionsButAdditions(t *testing.T) {
	for name, program := range mustSpec().Programs {
		for _, ins := range replaceFetch(program.Instructions) {
			if op := ins.OpCode.AtomicOp(); op != asm.InvalidAtomic && op != asm.AddAtomic {
				t.Errorf("%s: %v at %v", name, ins, ins.Source())
			}
		}
	}
}
