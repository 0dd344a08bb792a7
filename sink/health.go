package sink

import (
	"log/slog"
	"sync"
	"time"
)

const (
	// A row that is taken at the second attempt, or a connection that an idle timeout closed, is no news.
	patience = time.Second
	// How often a destination that stays away is named again, and only if its reason has changed.
	reminder = time.Minute
)

// health tells the log when a destination stops taking events and when it takes them again. Partitions of
// a lane share it.
type health struct {
	log  *slog.Logger
	down func(float64) // the gauge

	mu     sync.Mutex
	since  time.Time // first failure of the outage; zero: none
	toldAt time.Time // zero: the log does not know of the outage
	reason string    // what the log was told
}

// trouble notes a failure.
func (h *health) trouble(now time.Time, reason string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		h.since = now
	}
	h.down(1)
	switch {
	case now.Sub(h.since) < patience:
		return
	case h.toldAt.IsZero():
	case reason == h.reason || now.Sub(h.toldAt) < reminder:
		return
	}
	h.toldAt, h.reason = now, reason
	h.log.Warn("destination does not take events; they wait in Kafka", "since", h.since, "reason", reason)
}

// well notes that everything was taken.
func (h *health) well(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.since.IsZero() {
		return
	}
	if !h.toldAt.IsZero() {
		h.log.Info("destination takes events again", "after", now.Sub(h.since).Round(time.Millisecond))
	}
	h.since, h.toldAt, h.reason = time.Time{}, time.Time{}, ""
	h.down(0)
}
