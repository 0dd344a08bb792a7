// Package container recognises containers by the names that runtimes give their control groups.
//
// It asks no runtime, and it makes no guess: a name that is not one of the known forms is no container.
package container

import "strings"

// idLength is the length of the ids that the runtimes below make: 256 bits in hexadecimal.
const idLength = 64

// scopes are the prefixes of systemd scopes, PREFIX-ID.scope, and the runtimes that make them.
var scopes = [...]struct{ prefix, runtime string }{
	{"docker-", "docker"},
	{"cri-containerd-", "containerd"},
	{"crio-", "cri-o"},
	{"libpod-", "podman"},
}

// Identify returns the id and the runtime of the container whose control group's last path part is name.
// The runtime is empty where only the id is in the name, as the cgroupfs driver makes it.
func Identify(name string) (id, runtime string, ok bool) {
	if isID(name) {
		return name, "", true
	}
	base, isScope := strings.CutSuffix(name, ".scope")
	for _, s := range scopes {
		id, found := strings.CutPrefix(base, s.prefix)
		if isScope && found && isID(id) {
			return id, s.runtime, true
		}
	}
	if id, found := strings.CutPrefix(name, "libpod-"); found && isID(id) {
		return id, "podman", true
	}
	return "", "", false
}

func isID(s string) bool {
	if len(s) != idLength {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
