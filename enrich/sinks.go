package enrich

import (
	"errors"
	"regexp"

	"github.com/weirproject/weir/enrich/lane"
	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/sink"
)

// Sinks are the configured sinks by the names of their lanes. It decodes itself, since only it knows which
// destinations there are.
type Sinks struct {
	Lanes        map[string]Sink
	destinations []sink.Destination
}

// Sink is the configuration of one lane.
type Sink struct {
	// The destination: one key, which is its type, with its configuration.
	To To `yaml:"to"`
	// Kinds that are delivered, such as process.exec, or process.* for all that begin so; empty: all.
	Kinds lane.Kinds `yaml:"kinds"`

	sink.RunnerConfig `yaml:",inline"`
}

// To is a destination's configuration, by its type.
type To struct {
	Type   string
	Config sink.Config

	destinations []sink.Destination
}

// laneName is what a lane may be called: it is part of a consumer group's name, of a key and of a directory.
var laneName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// DecodeConfig implements [config.Decoder].
func (s *Sinks) DecodeConfig(n *config.Node) error {
	entries, err := n.Entries()
	if err != nil {
		return err
	}
	var errs []error
	s.Lanes = map[string]Sink{}
	for _, e := range entries {
		if !laneName.MatchString(e.Name) {
			errs = append(errs, e.Fault("a lane's name has small letters, digits, - and _, and at most 63 of them"))
			continue
		}
		lane := s.newSink()
		errs = append(errs, e.Value.Decode(&lane))
		s.Lanes[e.Name] = lane
	}
	return errors.Join(errs...)
}

func (s *Sinks) newSink() Sink {
	return Sink{RunnerConfig: sink.DefaultRunnerConfig(), To: To{destinations: s.destinations}}
}

// Validate implements [config.Validator].
func (s *Sink) Validate() error {
	if s.To.Config == nil {
		return config.Invalid("to", "missing; write the destination's type beneath it")
	}
	return s.RunnerConfig.Validate()
}

// DecodeConfig implements [config.Decoder].
func (t *To) DecodeConfig(n *config.Node) error {
	var types []string
	for _, d := range t.destinations {
		types = append(types, d.Type)
	}
	entry, err := n.Only(types)
	if err != nil {
		return err
	}
	for _, d := range t.destinations {
		if d.Type != entry.Name {
			continue
		}
		t.Type, t.Config = d.Type, d.Config()
		return entry.Value.Decode(t.Config)
	}
	return entry.Unknown("destination", types)
}
