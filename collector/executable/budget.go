package executable

import "time"

// Budget is how much may be spent, of bytes or of time: so much a second, and of what was not used that of some seconds
// at once.
type Budget struct {
	rate, burst float64
	left        float64
	at          time.Time
}

// burstSeconds is how many seconds' worth a pause saves up.
const burstSeconds = 4

// NewBudget returns a budget that is saved up.
func NewBudget(perSecond float64, now time.Time) *Budget {
	burst := perSecond * burstSeconds
	return &Budget{rate: perSecond, burst: burst, left: burst, at: now}
}

// Spend takes n, and returns how long to wait for it.
func (b *Budget) Spend(n int, now time.Time) time.Duration {
	b.left = min(b.burst, b.left+b.rate*now.Sub(b.at).Seconds()) - float64(n)
	b.at = now
	if b.left >= 0 {
		return 0
	}
	return time.Duration(-b.left / b.rate * float64(time.Second))
}
