package bpf

import (
	"math"
	"testing"
	"time"
)

func TestCPUTimeIsTheSchedulersDividedAsTicksFound(t *testing.T) {
	for name, test := range map[string]struct {
		run, userTicks, systemTicks uint64
		user, system                time.Duration
	}{
		"shorter than a tick":           {run: 1_500, user: 1_500},
		"in user space alone":           {run: 9_000, userTicks: 8_000, user: 9_000},
		"in the kernel alone":           {run: 9_000, systemTicks: 8_000, system: 9_000},
		"a quarter in the kernel":       {run: 8_004, userTicks: 12_000, systemTicks: 4_000, user: 6_003, system: 2_001},
		"ticks, and nothing that ran":   {userTicks: 4_000, systemTicks: 4_000},
		"longer than 64 bits multiply":  {run: 1 << 62, userTicks: 1 << 62, systemTicks: 1 << 62, user: 1 << 61, system: 1 << 61},
		"times that no kernel can have": {run: 10, userTicks: math.MaxUint64, systemTicks: 2, user: 10},
	} {
		s := ExitSample{RunNs: test.run, UserNs: test.userTicks, SystemNs: test.systemTicks}
		if user, system := s.CPUTime(); user != test.user || system != test.system {
			t.Errorf("%s: %d and %d; want %d and %d", name, user, system, test.user, test.system)
		}
	}
}
