package bpf

import (
	"math/bits"
	"time"
)

// CPUTime returns what wait() says of a process that ends, as the kernel's cputime_adjust makes it: the scheduler's
// measure, divided as ticks found. A process that is shorter than a tick is most often found by none.
func (s *ExitSample) CPUTime() (user, system time.Duration) {
	inKernel := share(s.RunNs, s.SystemNs, s.UserNs+s.SystemNs)
	return time.Duration(s.RunNs - inKernel), time.Duration(inKernel)
}

// share returns whole * part / of, or nothing where there is no part.
func share(whole, part, of uint64) uint64 {
	if part == 0 || part > of {
		return 0
	}
	hi, lo := bits.Mul64(whole, part)
	quotient, _ := bits.Div64(hi, lo, of)
	return quotient
}
