package collector

import (
	"crypto/ed25519"
	"os/exec"
	"testing"

	"github.com/weirproject/weir/collector/attach"
	"github.com/weirproject/weir/collector/fill"
	"github.com/weirproject/weir/collector/names"
	"github.com/weirproject/weir/collector/process"
	"github.com/weirproject/weir/internal/host"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

func TestAProcessThatIsOlderThanTheCollectorHasItsArguments(t *testing.T) {
	old := exec.Command("sleep", "300", "1")
	if err := old.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = old.Process.Kill()
		_ = old.Wait()
	})
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	header, err := host.Describe(key.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	hooks, err := attach.New(attach.Default())
	if err != nil {
		t.Fatal(err)
	}
	defer hooks.Close()
	table := process.NewTable(16 << 20)
	filler := fill.New(batch.NewDraft(header, batch.DefaultLimits()), table, fill.Config{Names: names.New()})
	if err := seed(hooks, filler, table); err != nil {
		t.Fatal(err)
	}
	for k := range table.Live() {
		if k.TGID != schema.TGID(old.Process.Pid) {
			continue
		}
		entry, _ := table.Lookup(k)
		if got := string(entry.Arguments); got != "sleep\x00300\x001\x00" || entry.ArgumentsCut {
			t.Errorf("arguments %q, cut %v", got, entry.ArgumentsCut)
		}
		return
	}
	t.Errorf("process %d is not in the table", old.Process.Pid)
}
