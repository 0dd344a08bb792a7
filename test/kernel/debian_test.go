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

func TestTheMirrorIsThatOfThisMachine(t *testing.T) {
	const known = "Other http://other.example/debian/\nDebian http://mirror.example/debian/\nDebian http://second.example/\n" +
		"Debian-Security http://mirror.example/security/\n"
	for archive, want := range map[label]string{debian: "http://mirror.example/debian/", security: "http://mirror.example/security/"} {
		if got, err := archive.find(known); err != nil || got != want {
			t.Errorf("%s: %q, %v", archive, got, err)
		}
	}
	if _, err := security.find("Debian http://mirror.example/debian/\n"); err == nil || !strings.Contains(err.Error(), "apt-get update") {
		t.Error(err)
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
