package enrich

import (
	"errors"
	"path/filepath"
	"time"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/internal/telemetry"
	"github.com/weirproject/weir/sink"
)

// Config is the configuration of weir-enrich.
type Config struct {
	// Directory of what the enricher keeps: its key, and what sinks keep in files. The rest lies in Kafka.
	Data string `yaml:"data"`
	// How Kafka is reached.
	Kafka kafka.Config `yaml:"kafka"`
	// What is known about machines and deploys, and from where.
	Inventory Inventory `yaml:"inventory"`
	// Where events go: a lane a name. Each has its own offsets, pace, retries and dead letters.
	Sinks Sinks `yaml:"sinks"`
	// How long a host that did not stop in good order may say nothing before that is a weir.gap event.
	// Collectors send a heartbeat a minute.
	Silence time.Duration `yaml:"silence"`
	// Where metrics and health are served.
	Telemetry telemetry.Config `yaml:"telemetry"`
}

// Inventory is the configuration of the sources of metadata.
type Inventory struct {
	// YAML files with instances and deploys. They are watched; a new content that is wrong is told, and what
	// was read before stays.
	Files []string `yaml:"files"`
	// How long batches wait, after a start, for a source that has not answered yet. Then they go on, marked
	// as joined late.
	Wait time.Duration `yaml:"wait"`
}

// minSilence is two heartbeats: less would blame hosts for one that is late.
const minSilence = 2 * time.Minute

// Default returns the defaults. Sinks may be of these destinations.
func Default(destinations []sink.Destination) Config {
	return Config{
		Data:      "/var/lib/weir-enrich",
		Kafka:     kafka.Default(),
		Inventory: Inventory{Wait: 2 * time.Second},
		Sinks:     Sinks{destinations: destinations},
		Silence:   3 * time.Minute,
	}
}

// Validate joins all faults of the keys in c itself.
func (c *Config) Validate() error {
	var errs []error
	if !filepath.IsAbs(c.Data) {
		errs = append(errs, config.Invalid("data", "%q is relative; write an absolute path", c.Data))
	}
	if c.Silence < minSilence {
		errs = append(errs, config.Invalid("silence", "%s is less than two heartbeats; write at least %s", c.Silence, minSilence))
	}
	return errors.Join(errs...)
}

// Validate joins all faults.
func (i *Inventory) Validate() error {
	if i.Wait < 0 {
		return config.Invalid("wait", "%s is negative", i.Wait)
	}
	return nil
}
