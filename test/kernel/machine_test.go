package kernel

import (
	"strings"
	"testing"
)

func TestWhatIsMissingIsNamedWithItsPackage(t *testing.T) {
	m := machine{qemu: "qemu-system-none", debian: "qemu-system-none-package"}
	_, err := m.run(t.Context(), "kernel", "initrd", whole, nil)
	if err == nil || !strings.Contains(err.Error(), "qemu-system-none is missing: apt-get install -y qemu-system-none-package") {
		t.Error(err)
	}
}
