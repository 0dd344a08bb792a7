package internal_test

import (
	"os"
	"testing"

	"github.com/weirproject/weir/collector"
	"github.com/weirproject/weir/enrich"
	"github.com/weirproject/weir/enrich/source/file"
	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/sink/all"
)

func TestExampleConfigurationsAreGood(t *testing.T) {
	collectorFile, enrichFile := collector.Default(), enrich.Default(all.All())
	if err := config.Load("../deploy/config/collector.yaml", &collectorFile); err != nil {
		t.Error(err)
	}
	if err := config.Load("../deploy/config/enrich.yaml", &enrichFile); err != nil {
		t.Error(err)
	}
	inventory, err := os.ReadFile("../deploy/config/inventory.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Decode("deploy/config/inventory.yaml", inventory); err != nil {
		t.Error(err)
	}
}
