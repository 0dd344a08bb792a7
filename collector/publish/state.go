package publish

import (
	"log/slog"
	"sync"
	"time"
)

// State says how publishing stands, for health checks and people.
type State struct {
	Connected  bool      // the last request was acknowledged
	Since      time.Time // when that became so
	Err        error     // why it is not; nil where no request was made yet
	Published  uint64    // records that Kafka has, of this publisher
	Tombstones uint64    // of these, tombstones
}

// State returns how publishing stands now.
func (p *Publisher) State() State {
	s := p.state.get()
	s.Published, s.Tombstones = p.published.Load(), p.tombstones.Load()
	return s
}

// state tells when Kafka went away, why, and when it came back: each once.
type state struct {
	log *slog.Logger

	mu        sync.Mutex
	connected bool
	since     time.Time
	err       error
}

func (s *state) get() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{Connected: s.connected, Since: s.since, Err: s.err}
}

func (s *state) up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.connected {
		return
	}
	now := time.Now()
	if s.err != nil {
		s.log.Info("kafka takes batches again", "after", now.Sub(s.since).Round(time.Millisecond))
	} else {
		s.log.Info("kafka takes batches")
	}
	s.connected, s.since, s.err = true, now, nil
}

// down notes a failure; nil is none.
func (s *state) down(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		return
	}
	if s.connected || s.err == nil {
		s.connected, s.since = false, time.Now()
		s.log.Warn("kafka takes no batches; they stay in the spool until it does", "error", err)
	} else if s.err.Error() != err.Error() {
		s.log.Warn("kafka still takes no batches", "since", s.since, "error", err)
	}
	s.err = err
}
