package collector

import (
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/weirproject/weir/schema"
)

// A run of which one part fails must not go on without it, as nobody would know until it is stopped.
func TestACollectorThatCannotServeItsTelemetryStopsAndSaysSo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	v := newVictim(t)
	cfg := testConfig(v.data)
	cfg.Telemetry.Listen = netip.MustParseAddrPort(taken.Addr().String())
	c, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Run(t.Context()), c.Close()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Run = %v; want it to say that the address is in use", err)
	}
	batches := v.batches()
	last := batches[len(batches)-1]
	for row := range last.Rows() {
		if last.KindName(row) == schema.WeirStopped.Name {
			reason := string(last.Text(last.Proto().GetWeirStopped().GetReason()[row.GroupRow]))
			if !strings.Contains(reason, taken.Addr().String()) {
				t.Errorf("weir.stopped for %q; want the address in it", reason)
			}
			return
		}
	}
	t.Error("the last batch has no weir.stopped")
}

// As where it may not drop its capabilities.
func TestACollectorThatNeverRanLeavesNoHooks(t *testing.T) {
	v := newVictim(t)
	c, err := New(testConfig(v.data), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if !c.hooks.Kept() {
		t.Fatal("nothing is pinned")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(v.pins()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is left (%v)", v.pins(), err)
	}
}
