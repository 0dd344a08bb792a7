// Package retry is the schedule by which what was not taken is offered again: exponential, with jitter, and
// never before the moment that the other side asked for. It is a core: it has no clock, does not wait, and
// is not safe for concurrent use.
package retry

import "time"

// LongestAsked bounds what the other side can ask for: an absurd Retry-After must not stop a lane for days.
const LongestAsked = 10 * time.Minute

// Limits are the bounds of a schedule.
type Limits struct {
	First   time.Duration // the first wait, before jitter
	Longest time.Duration // waits double up to it
}

// Schedule says how long to wait before the next attempt. It begins with the first failure.
type Schedule struct {
	limits Limits
	step   time.Duration
}

// New returns a schedule in which nothing has failed yet.
func New(l Limits) *Schedule { return &Schedule{limits: l} }

// Next returns the wait after another failure. asked is how long the other side wants to be left alone, 0
// where it does not say; random is from [0, 1). Half of the step is certain and half is left to random, so
// that lanes that failed together do not come back together.
func (s *Schedule) Next(asked time.Duration, random float64) time.Duration {
	s.step = s.grow()
	half := s.step / 2
	return max(half, min(asked, LongestAsked)) + time.Duration(random*float64(half))
}

// Progress starts the schedule over: the other side has taken something.
func (s *Schedule) Progress() { s.step = 0 }

func (s *Schedule) grow() time.Duration {
	switch {
	case s.step == 0:
		return s.limits.First
	case s.step > s.limits.Longest/2: // doubling could overflow
		return s.limits.Longest
	}
	return 2 * s.step
}
