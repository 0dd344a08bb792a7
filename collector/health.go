package collector

import (
	"context"
	"fmt"
	"time"

	"github.com/weirproject/weir/collector/publish"
	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/telemetry"
)

// healthInterval is how old an answer of /healthz may be.
const healthInterval = time.Second

// health keeps the checks of /healthz up to date.
type health struct {
	hooks, spool, kafka *telemetry.Check
}

func newHealth(h *telemetry.Health) *health {
	return &health{hooks: h.Check("hooks"), spool: h.Check("spool"), kafka: h.Check("kafka")}
}

// run looks at the parts until ctx ends.
func (h *health) run(ctx context.Context, c *Collector, p *publish.Publisher) error {
	tick := time.NewTicker(healthInterval)
	defer tick.Stop()
	for {
		h.look(c, c.spool.Stats(), p.State())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (h *health) look(c *Collector, s spool.Stats, p publish.State) {
	set(h.hooks, missingKinds(c))
	switch {
	case s.SyncError != nil:
		h.spool.Bad(s.SyncError.Error())
	case s.Evicting:
		h.spool.Bad("full; the oldest batches are given up")
	default:
		h.spool.Good()
	}
	switch {
	case p.Connected:
		h.kafka.Good()
	case p.Err != nil:
		h.kafka.Bad(p.Err.Error())
	}
}

func set(check *telemetry.Check, why string) {
	if why == "" {
		check.Good()
		return
	}
	check.Bad(why)
}

// missingKinds names the wanted kinds that no rung gives, but for those that nobody has bought.
func missingKinds(c *Collector) (why string) {
	for _, covered := range c.hooks.Coverage() {
		if covered.Rung == nil && !covered.ForSale() {
			why += fmt.Sprintf("%s has no rung; ", covered.Kind)
		}
	}
	return why
}
