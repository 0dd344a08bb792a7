package books

import "time"

// skewWindow is how long an observation of a clock counts, at least: a clock that is set is believed after
// twice as long.
const skewWindow = 10 * time.Minute

// skew estimates by how much a host's clock is ahead of the broker's. A batch is received some time after
// it is sealed, so that each observation is too low by that delay: the highest of the last two windows is
// the best.
type skew struct {
	since         time.Time // when the current window began
	current, last time.Duration
}

func (s *skew) observe(d time.Duration, at time.Time) {
	switch age := at.Sub(s.since); {
	case s.since.IsZero() || age >= 2*skewWindow:
		s.since, s.current, s.last = at, d, d
	case age >= skewWindow:
		s.since, s.current, s.last = at, d, s.current
	default:
		s.current = max(s.current, d)
	}
}

func (s *skew) estimate() time.Duration { return max(s.current, s.last) }
