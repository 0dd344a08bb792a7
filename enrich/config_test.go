package enrich

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/enrich/lane"
	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/sink"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fakeConfig is the configuration of a destination for tests.
type fakeConfig struct {
	URL  string `yaml:"url"`
	open func() (sink.Sink, error)
}

func (c *fakeConfig) Validate() error {
	if c.URL == "" {
		return config.Invalid("url", "missing")
	}
	return nil
}

func (c *fakeConfig) Open(context.Context, sink.Env) (sink.Sink, error) { return c.open() }

func fakes() []sink.Destination {
	return []sink.Destination{
		{Type: "fake", Config: func() sink.Config { return &fakeConfig{} }},
		{Type: "other", Config: func() sink.Config { return &fakeConfig{URL: "somewhere"} }},
	}
}

func TestConfigIsDecoded(t *testing.T) {
	cfg := Default(fakes())
	if err := config.Load("testdata/full.good.yaml", &cfg); err != nil {
		t.Fatal(err)
	}
	siem, all := cfg.Sinks.Lanes["siem"], cfg.Sinks.Lanes["all"]
	got := []any{
		cfg.Data, cfg.Kafka.Brokers, cfg.Inventory, cfg.Silence,
		siem.To.Type, siem.To.Config.(*fakeConfig).URL, siem.Kinds, siem.RequestEvents, siem.RetryFirst,
		all.To.Type, all.To.Config.(*fakeConfig).URL, all.RequestEvents, len(cfg.Sinks.Lanes),
	}
	want := []any{
		"/srv/weir", []string{"kafka1:9092"}, Inventory{Files: []string{"/etc/weir/inventory.yaml"}, Wait: 5 * time.Second}, 5 * time.Minute,
		"fake", "https://siem", lane.Kinds{"process.*", "weir.gap"}, 500, 100 * time.Millisecond,
		"other", "somewhere", 1000, 2,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// TestConfigFaultsAreNamed compares what is said of each bad file with the .txt beside it.
func TestConfigFaultsAreNamed(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("bad files: %v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			cfg := Default(fakes())
			err = config.Decode("enrich.yaml", data, &cfg)
			if _, ok := errors.AsType[config.Faults](err); !ok {
				t.Fatalf("no faults: %v", err)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(err.Error()+"\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, readErr := os.ReadFile(golden)
			if readErr != nil {
				t.Fatal(readErr)
			}
			if diff := cmp.Diff(string(want), err.Error()+"\n"); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}
