package up

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"

	"github.com/weirproject/weir/enrich"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/internal/host"
	"github.com/weirproject/weir/internal/telemetry"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/file"
)

// newEnricher makes the enricher with one sink, the files.
func (s *stream) newEnricher() (*enrich.Enricher, error) {
	cfg, err := s.enrichConfig()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.paths.enrich, 0o700); err != nil {
		return nil, err
	}
	key, err := host.Key(s.paths.enrich)
	if err != nil {
		return nil, err
	}
	header, err := host.Describe(key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	header.WeirVersion = cli.Version()
	header.Origin = weirv1.Origin_ORIGIN_ENRICHER
	return enrich.New(cfg, enrich.Deps{
		Key: key, Header: header, Client: s.kafka, Log: s.env.Log,
		Registry: telemetry.NewRegistry(cli.Version()), Health: telemetry.NewHealth(),
	})
}

// enrichConfig joins from inventory.yaml where the data directory has one.
func (s *stream) enrichConfig() (enrich.Config, error) {
	files := file.Default()
	files.Directory = s.paths.events
	cfg := enrich.Default(nil)
	cfg.Data = s.paths.enrich
	cfg.Kafka = s.kafkaConfig()
	cfg.Sinks.Lanes = map[string]enrich.Sink{"file": {
		To:           enrich.To{Type: file.Destination.Type, Config: files},
		RunnerConfig: sink.DefaultRunnerConfig(),
	}}
	switch _, err := os.Stat(s.paths.inventory); {
	case err == nil:
		cfg.Inventory.Files = []string{s.paths.inventory}
	case !errors.Is(err, fs.ErrNotExist):
		return cfg, err
	}
	return cfg, nil
}
