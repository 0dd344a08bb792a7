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
