package all

import (
	"testing"

	"github.com/weirproject/weir/internal/config"
)

// TestDestinationsCanBeConfigured decodes an empty configuration: a field without a key panics there.
func TestDestinationsCanBeConfigured(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range All() {
		if d.Type == "" || seen[d.Type] {
			t.Errorf("destination %q has no name of its own", d.Type)
		}
		seen[d.Type] = true
		_ = config.Decode(d.Type, []byte("unknown: 1\n"), d.Config()) // its faults are its own tests' matter
	}
}
