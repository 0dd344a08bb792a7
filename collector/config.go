package collector

import (
	"errors"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/internal/kafka"
	"github.com/weirproject/weir/internal/telemetry"
	"github.com/weirproject/weir/schema"
)

// Config is weir-collector's configuration.
type Config struct {
	// Directory of the host's key and the spool. It is made where it is missing, for its owner alone.
	Data string `yaml:"data"`
	// Name under which hooks, counters and ring stay in the kernel when the collector is killed, so that the
	// next one goes on where it ended: a directory in /sys/fs/bpf/weir. One collector at a time has it. Without
	// a name hooks and ring end with the process, and what the ring held is lost.
	Attachment string `yaml:"attachment"`
	// The brokers that batches are published to.
	Kafka kafka.Config `yaml:"kafka"`
	// Kinds that become events. process.fork is known to the process table either way.
	Kinds []KindName `yaml:"kinds"`
	// Kinds that may come by a hook that costs processes that no event is about, where this kernel has no other
	// for them: weir hooks names the price.
	Buy []KindName `yaml:"buy"`
	// Kinds without which the collector does not start.
	Require []KindName `yaml:"require"`
	// What is taken out of arguments and environments before anything keeps them.
	Redact RedactConfig `yaml:"redact"`
	// What is read of the files that processes run: SHA-256 and file capabilities.
	Executables ExecutablesConfig `yaml:"executables"`
	// Variables that process.exec tells of a program's environment, such as LD_PRELOAD, or LD_* for all that begin so.
	// Where one is named, the kernel side reads up to 4 KiB of every environment.
	Environment []VariableName `yaml:"environment"`
	// When a batch is sealed.
	Batch BatchConfig `yaml:"batch"`
	// Batches on disk that Kafka does not have yet.
	Spool SpoolConfig `yaml:"spool"`
	// Bounds of the collector's memory.
	Memory MemoryConfig `yaml:"memory"`
	// How often weir.heartbeat, with the ledger, is sent.
	Heartbeat time.Duration `yaml:"heartbeat"`
	// How often what kinds such as capability.check have counted in the kernel is told. The first of its kind is
	// told at once.
	Summary time.Duration `yaml:"summary"`
	// How long a collector that is stopped goes on publishing. The rest stays in the spool.
	StopTimeout time.Duration `yaml:"stop_timeout"`
	// Metrics and health of this process.
	Telemetry telemetry.Config `yaml:"telemetry"`
}

// BatchConfig says when a batch is sealed: at whichever bound comes first.
type BatchConfig struct {
	// Events in a batch.
	Rows int `yaml:"rows"`
	// Bytes of a batch before compression, about; at most an eighth of spool.max_bytes, whatever is written.
	Bytes config.Size `yaml:"bytes"`
	// Age of a batch's first event.
	Age time.Duration `yaml:"age"`
}

// SpoolConfig bounds the spool.
type SpoolConfig struct {
	// What the spool may take on disk. When it is full the oldest batches are evicted, and a tombstone
	// takes their place in the stream.
	MaxBytes config.Size `yaml:"max_bytes"`
}

// MemoryConfig bounds what the collector keeps in memory.
type MemoryConfig struct {
	// The ring buffer between kernel and collector: a power of two.
	Ring config.Size `yaml:"ring"`
	// The process table: 8 MiB hold some 20,000 programs. What it has to forget is in the ledger.
	Processes config.Size `yaml:"processes"`
}

// KindName is the name of a kind that the kernel side gives, such as process.exec.
type KindName string

// Words implements config's enums.
func (KindName) Words() []string {
	var names []string
	for _, k := range kernelKinds() {
		names = append(names, k.Name)
	}
	return names
}

// Default returns the configuration that an empty file gives.
func Default() Config {
	c := Config{
		Data:        "/var/lib/weir",
		Attachment:  "default",
		Kafka:       kafka.Default(),
		Redact:      RedactConfig{Builtin: builtinRules()},
		Executables: ExecutablesConfig{BytesPerSecond: 64 * config.MiB, MaxBytes: 256 * config.MiB},
		Batch:       BatchConfig{Rows: 1000, Bytes: config.MiB, Age: time.Second},
		Spool:       SpoolConfig{MaxBytes: config.GiB},
		Memory:      MemoryConfig{Ring: 4 * config.MiB, Processes: 8 * config.MiB},
		Heartbeat:   time.Minute,
		Summary:     30 * time.Second,
		StopTimeout: 10 * time.Second,
	}
	for _, k := range kernelKinds() {
		if k != schema.ProcessFork {
			c.Kinds = append(c.Kinds, KindName(k.Name))
		}
	}
	return c
}

// attachmentName leaves out what bpffs does not take.
var attachmentName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// Validate implements config.Validator.
func (c *Config) Validate() error {
	var errs []error
	if c.Attachment != "" && !attachmentName.MatchString(c.Attachment) {
		errs = append(errs, config.Invalid("attachment", "%q is no name; write up to 64 of a-z, 0-9 and -", c.Attachment))
	}
	if !filepath.IsAbs(c.Data) {
		errs = append(errs, config.Invalid("data", "%q is relative; write an absolute path", c.Data))
	}
	if len(c.Kinds) == 0 {
		errs = append(errs, config.Invalid("kinds", "is empty; a collector without kinds has nothing to do"))
	}
	for _, k := range c.Require {
		if !slices.Contains(c.Kinds, k) {
			errs = append(errs, config.Invalid("require", "%s is not one of kinds; add it there", k))
		}
	}
	for _, k := range c.Buy {
		if !slices.Contains(c.Kinds, k) {
			errs = append(errs, config.Invalid("buy", "%s is not one of kinds; add it there", k))
		}
	}
	if c.Heartbeat < time.Second {
		errs = append(errs, config.Invalid("heartbeat", "%s is too often; write 1s or more", c.Heartbeat))
	}
	if c.Summary < time.Second {
		errs = append(errs, config.Invalid("summary", "%s is too often; write 1s or more", c.Summary))
	}
	if c.StopTimeout < 0 {
		errs = append(errs, config.Invalid("stop_timeout", "%s is negative", c.StopTimeout))
	}
	return errors.Join(errs...)
}

// Validate implements config.Validator.
func (b *BatchConfig) Validate() error {
	var errs []error
	if b.Rows < 1 || b.Rows > 100_000 {
		errs = append(errs, config.Invalid("rows", "%d is out of range; write 1 to 100000", b.Rows))
	}
	// Half of what weir.batches takes of one record: whoever runs programs with arguments that do not compress
	// would have batches refused otherwise.
	if b.Bytes < 64*config.KiB || b.Bytes > 2*config.MiB {
		errs = append(errs, config.Invalid("bytes", "%s is out of range; write 64KiB to 2MiB", b.Bytes))
	}
	if b.Age < 10*time.Millisecond || b.Age > time.Minute {
		errs = append(errs, config.Invalid("age", "%s is out of range; write 10ms to 1m", b.Age))
	}
	return errors.Join(errs...)
}

// Validate implements config.Validator.
func (m *MemoryConfig) Validate() error {
	var errs []error
	if m.Ring < 64*config.KiB || m.Ring > config.GiB || m.Ring&(m.Ring-1) != 0 {
		errs = append(errs, config.Invalid("ring", "%s is no power of two from 64KiB to 1GiB", m.Ring))
	}
	if m.Processes < config.MiB {
		errs = append(errs, config.Invalid("processes", "%s is too small; write 1MiB or more", m.Processes))
	}
	return errors.Join(errs...)
}
