package attach

import (
	"testing"
	"time"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/ring"
)

func TestASampleWakesAReaderThatDozes(t *testing.T) {
	cfg := Default()
	cfg.Kinds = []bpf.Kind{bpf.KindProcessExec}
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	r, err := ring.Open(a.Ring())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if err := a.Doze(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	go func() { _ = child(t, "exit 0").Run() }()
	if n, _, err := r.Read(t.Context(), time.Minute, func([]byte, uint64) bool { return true }); n == 0 || err != nil {
		t.Errorf("read %d samples after %s, error %v", n, time.Since(begin), err)
	}
}
