package kernel

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestTheNewestPackageComesFirst(t *testing.T) {
	const found = "linux-image-5.10.0-9-cloud-amd64 - Linux 5.10 (signed)\n" +
		"linux-image-5.10.0-46-cloud-amd64 - Linux 5.10 (signed)\n" +
		"linux-image-5.10.0-45-cloud-amd64 - Linux 5.10 (signed)\n"
	if got := newestFirst(found); len(got) != 3 || got[0] != "linux-image-5.10.0-46-cloud-amd64" || got[2] != "linux-image-5.10.0-9-cloud-amd64" {
		t.Errorf("%q", got)
	}
}

func TestACommandsErrorHasWhatItSaid(t *testing.T) {
	if _, err := output(t.Context(), "", "no-such-program"); !errors.Is(err, exec.ErrNotFound) {
		t.Error(err)
	}
	if _, err := output(t.Context(), "", "sh", "-c", "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "why") {
		t.Error(err)
	}
}
