package kafka

import (
	"context"
	"log/slog"
	"time"
)

// outage tells of a trouble when it begins, when it changes and when it ends, however often it is met
// in between. It belongs to one goroutine.
type outage struct {
	log    *slog.Logger
	action string // such as "produce"
	args   []any
	// quiet failures are not told and tried again at once: that a broker closed a connection for idleness
	// is noticed by using it.
	quiet    int
	attempts int
	since    time.Time
	last     string
}

// failed notes one more failure.
func (o *outage) failed(err error) {
	if o.attempts++; o.attempts == 1 {
		o.since = time.Now()
	}
	if text := err.Error(); o.attempts > o.quiet && text != o.last {
		o.last = text
		o.log.Warn("kafka: failing, and tried again", append(o.args, "action", o.action, "error", err)...)
	}
}

// over notes a success.
func (o *outage) over() {
	if o.attempts > o.quiet {
		o.log.Info("kafka: recovered", append(o.args, "action", o.action, "after", time.Since(o.since).Round(time.Millisecond))...)
	}
	o.attempts, o.last = 0, ""
}

// Pauses between attempts double.
const firstPause, lastPause = 100 * time.Millisecond, 5 * time.Second

// pause waits as long as the failures so far ask for, or until ctx ends.
func (o *outage) pause(ctx context.Context) error {
	wait := time.Duration(0)
	if n := o.attempts - o.quiet; n > 0 {
		wait = min(firstPause<<min(n-1, 10), lastPause)
	}
	return sleep(ctx, wait)
}

// sleep waits for d or until ctx ends; then it returns why.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return ctx.Err()
	}
}
