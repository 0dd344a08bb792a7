package source_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weirproject/weir/enrich/inventory"
	"github.com/weirproject/weir/enrich/source"
	"github.com/weirproject/weir/internal/telemetry"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// scripted is a source that tells what the test tells it to.
type scripted struct {
	name  string
	watch chan source.Watch
}

func newScripted(name string) *scripted { return &scripted{name, make(chan source.Watch, 1)} }

func (s *scripted) Name() string { return s.name }

func (s *scripted) Run(ctx context.Context, w source.Watch) error {
	s.watch <- w
	<-ctx.Done()
	return ctx.Err()
}

func set(id string) source.Set {
	return source.Set{Instances: []*weirv1.Instance{{Id: id, Hostname: id}}}
}

// run starts a store of two sources, and returns what the test tells them by.
func run(t *testing.T) (s *source.Store, first, second source.Watch, health *telemetry.Health) {
	a, b := newScripted("a"), newScripted("b")
	health = telemetry.NewHealth()
	s = source.NewStore([]source.Source{a, b}, slog.New(slog.DiscardHandler), health.Check("inventory"), source.NewMetrics(prometheus.NewRegistry()))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
	})
	return s, <-a.watch, <-b.watch, health
}

func status(h *telemetry.Health) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, nil)
	return w.Body.String()
}

func knows(s *source.Store, name string) bool {
	return s.Current().Lookup(inventory.Host{Hostname: name}, time.Unix(1, 0)).Instance != nil
}

func TestTheInventoryIsWhatAllSourcesSay(t *testing.T) {
	s, first, second, _ := run(t)
	first.Update(set("i-1"))
	second.Update(set("i-2"))
	if !knows(s, "i-1") || !knows(s, "i-2") {
		t.Error("an instance is missing")
	}
	first.Update(set("i-3"))
	if knows(s, "i-1") || !knows(s, "i-2") || !knows(s, "i-3") {
		t.Error("an update does not take the place of what its source said before")
	}
}

func TestWaitIsOverOnceEverySourceHasAnswered(t *testing.T) {
	s, first, second, health := run(t)
	if s.Wait(t.Context(), time.Millisecond) {
		t.Error("complete before anyone answered")
	}
	first.Update(set("i-1"))
	first.Update(set("i-1"))
	if s.Wait(t.Context(), time.Millisecond) || !strings.Contains(status(health), "not every source") {
		t.Errorf("complete before the second answered; health %q", status(health))
	}
	second.Update(source.Set{})
	if !s.Wait(t.Context(), time.Hour) || !strings.HasPrefix(status(health), "ok inventory") {
		t.Errorf("not complete; health %q", status(health))
	}
}

func TestAFailureKeepsWhatWasReadAndIsSeenInHealth(t *testing.T) {
	s, first, second, health := run(t)
	first.Update(set("i-1"))
	second.Update(source.Set{})
	first.Failed(errors.New("inventory.yaml:3:5: unknown key"))
	if !knows(s, "i-1") {
		t.Error("what was read before is gone")
	}
	if got := status(health); !strings.Contains(got, "bad inventory") || !strings.Contains(got, "3:5: unknown key") {
		t.Errorf("health %q", got)
	}
	first.Update(set("i-1"))
	if got := status(health); !strings.HasPrefix(got, "ok inventory") {
		t.Errorf("health %q", got)
	}
}
