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
	// How topics that do not exist yet are made. Those that exist stay as they are.
	Topics Topics `yaml:"topics"`
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

// Topics is how topics are made.
type Topics struct {
	// Partitions of each topic: at least as many as there will ever be enrichers. They cannot be changed
	// later, since a host's batches and its balance must stay on one partition.
	Partitions int `yaml:"partitions"`
	// Copies of each partition; 0 leaves it to the cluster.
	Replicas int `yaml:"replicas"`
	// How long batches and events are kept; dead letters are kept four times as long.
	Retention time.Duration `yaml:"retention"`
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
	layout := kafka.DefaultLayout()
	return Config{
		Data:      "/var/lib/weir-enrich",
		Kafka:     kafka.Default(),
		Topics:    Topics{Partitions: layout.Partitions, Replicas: layout.Replicas, Retention: layout.Retention},
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
func (t *Topics) Validate() error {
	var errs []error
	if t.Partitions < 1 {
		errs = append(errs, config.Invalid("partitions", "%d; a topic has at least 1", t.Partitions))
	}
	if t.Replicas < 0 {
		errs = append(errs, config.Invalid("replicas", "%d is negative; write 0 to leave it to the cluster", t.Replicas))
	}
	if t.Retention < time.Hour {
		errs = append(errs, config.Invalid("retention", "%s; write at least 1h", t.Retention))
	}
	return errors.Join(errs...)
}

// layout is the topics' in the words of package kafka.
func (t *Topics) layout() kafka.Layout {
	return kafka.Layout{Partitions: t.Partitions, Replicas: t.Replicas, Retention: t.Retention}
}

// Validate joins all faults.
func (i *Inventory) Validate() error {
	if i.Wait < 0 {
		return config.Invalid("wait", "%s is negative", i.Wait)
	}
	return nil
}
