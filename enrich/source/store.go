package source

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/weirproject/weir/enrich/inventory"
	"github.com/weirproject/weir/internal/telemetry"
)

// Store keeps what all sources say as one inventory. It is safe for concurrent use.
type Store struct {
	sources []Source
	log     *slog.Logger
	health  *telemetry.Check
	metrics *Metrics

	current  atomic.Pointer[inventory.Inventory]
	answered chan struct{} // closed once every source has said something

	mu     sync.Mutex
	sets   []Set   // by source
	faults []error // by source; nil: it is well
	silent int     // sources that have said nothing yet
}

// NewStore returns a store with an empty inventory.
func NewStore(sources []Source, log *slog.Logger, health *telemetry.Check, m *Metrics) *Store {
	s := &Store{
		sources: sources, log: log, health: health, metrics: m, answered: make(chan struct{}),
		sets: make([]Set, len(sources)), faults: make([]error, len(sources)), silent: len(sources),
	}
	s.current.Store(inventory.New(nil, nil))
	if len(sources) == 0 {
		close(s.answered)
		health.Good()
	}
	return s
}

// Run runs the sources until ctx ends.
func (s *Store) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, source := range s.sources {
		told := false
		g.Go(func() error {
			return source.Run(ctx, Watch{
				Update: func(set Set) { s.update(i, set, !told); told = true },
				Failed: func(err error) { s.failed(i, err) },
			})
		})
	}
	return g.Wait()
}

// Current returns the inventory as it is now.
func (s *Store) Current() *inventory.Inventory { return s.current.Load() }

// Wait returns once every source has said something, or after the given time, and whether all have.
func (s *Store) Wait(ctx context.Context, atMost time.Duration) bool {
	if s.Complete() {
		return true
	}
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-s.answered:
	case <-timer.C:
	case <-ctx.Done():
	}
	return s.Complete()
}

// Complete reports whether every source has said something.
func (s *Store) Complete() bool {
	select {
	case <-s.answered:
		return true
	default:
		return false
	}
}

func (s *Store) update(i int, set Set, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.sources[i].Name()
	s.sets[i], s.faults[i] = set, nil
	var all Set
	for _, set := range s.sets {
		all.Instances = append(all.Instances, set.Instances...)
		all.Deploys = append(all.Deploys, set.Deploys...)
	}
	s.current.Store(inventory.New(all.Instances, all.Deploys))
	if first {
		if s.silent--; s.silent == 0 {
			close(s.answered)
		}
	}
	s.metrics.updated(name, set)
	s.log.Info("inventory read", "source", name, "instances", len(set.Instances), "deploys", len(set.Deploys))
	s.tellHealthLocked()
}

func (s *Store) failed(i int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := s.sources[i].Name()
	s.faults[i] = err
	s.metrics.failed(name)
	s.log.Error("inventory cannot be read; what was read before stays", "source", name, "error", err)
	s.tellHealthLocked()
}

// tellHealthLocked names every source that is not well.
func (s *Store) tellHealthLocked() {
	var texts []string
	for _, err := range s.faults {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	switch {
	case len(texts) > 0:
		s.health.Bad(strings.Join(texts, "; "))
	case !s.Complete():
		s.health.Bad("not every source has answered yet")
	default:
		s.health.Good()
	}
}
