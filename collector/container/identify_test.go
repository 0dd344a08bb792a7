package container

import (
	"strings"
	"testing"
)

func TestIdentify(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for name, want := range map[string][2]string{
		id:                                {id, ""},
		"docker-" + id + ".scope":         {id, "docker"},
		"cri-containerd-" + id + ".scope": {id, "containerd"},
		"crio-" + id + ".scope":           {id, "cri-o"},
		"libpod-" + id + ".scope":         {id, "podman"},
		"libpod-" + id:                    {id, "podman"},
		"docker-" + id:                    {},
		"docker-" + id[:63] + ".scope":    {},
		"docker-" + strings.ToUpper(id):   {},
		"crio-conmon-" + id + ".scope":    {},
		"ssh.service":                     {},
		"user@1000.service":               {},
		"":                                {},
		strings.Repeat("g", 64):           {},
		"kubepods-burstable-pod123.slice": {},
	} {
		gotID, gotRuntime, ok := Identify(name)
		if gotID != want[0] || gotRuntime != want[1] || ok != (want[0] != "") {
			t.Errorf("Identify(%q) = %q, %q, %v; want %q, %q", name, gotID, gotRuntime, ok, want[0], want[1])
		}
	}
}
