package collector

import (
	"crypto/ed25519"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/config"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// A batch that is larger than a segment would end the collector, and each one that is started after it, as its
// events stay in the ring: anybody who runs programs with arguments that do not compress could have it so.
func TestABatchOfWhateverArgumentsFitsIntoTheSmallestSpool(t *testing.T) {
	cfg := Default()
	cfg.Spool.MaxBytes = 256 * config.KiB
	s, err := spool.Open(filepath.Join(t.TempDir(), "spool"), cfg.Spool.options(slog.New(slog.DiscardHandler)))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	d := batch.NewDraft(&weirv1.Header{}, cfg.limits())
	for argument := make([]byte, 4096); !d.Full(1); {
		rand.Read(argument)
		d.Append(batch.Event{Kind: schema.WeirStopped})
		g := d.Columns().WeirStopped
		g.Reason = append(g.Reason, d.Text(argument))
	}
	sealed, err := d.Seal(batch.NewChain(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), schema.RunID{1}), batch.Times{Sealed: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(sealed); err != nil {
		t.Error(err)
	}
}

func TestABatchThatItsTopicMayNotTakeIsRefused(t *testing.T) {
	c := Default().Batch
	c.Bytes = 4 * config.MiB
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "write 64KiB to 2MiB") {
		t.Errorf("batches of 4MiB: %v", err)
	}
}
