package container

import (
	"slices"
	"strings"
)

// containerOf returns the id and the runtime of the container that the last of parts is the group of.
func containerOf(parts []string) (id, runtime string, ok bool) {
	name, parent := last(parts), last(parts[:len(parts)-1])
	for _, form := range []func(name, parent string) (id, runtime string, ok bool){
		plain, scope, colons, fargate, lxc, nspawn, garden,
	} {
		if id, runtime, ok := form(name, parent); ok {
			return id, runtime, true
		}
	}
	return "", "", false
}

func last(parts []string) string {
	if len(parts) == 0 {
		return ""
	}
	return parts[len(parts)-1]
}

// plain is what cgroupfs drivers make: docker/ID, kubepods/burstable/podUID/ID, NAMESPACE/ID, libpod-ID.
func plain(name, parent string) (id, runtime string, ok bool) {
	if id, found := strings.CutPrefix(name, "libpod-"); found && isID(id) {
		return id, "podman", true
	}
	if isID(name) && parent == "docker" {
		return name, "docker", true
	}
	return name, "", isID(name)
}

// runtimes are the prefixes that systemd drivers put before an id, and the runtimes that do it.
var runtimes = [...]struct{ prefix, runtime string }{
	{"docker", "docker"},
	{"cri-containerd", "containerd"},
	{"nerdctl", "containerd"},
	{"crio", "cri-o"},
	{"libpod", "podman"},
}

func runtimeOf(prefix string) (runtime string, ok bool) {
	for _, r := range runtimes {
		if r.prefix == prefix {
			return r.runtime, true
		}
	}
	return "", false
}

// scope is a systemd scope of a container: PREFIX-ID.scope.
func scope(name, _ string) (id, runtime string, ok bool) {
	base, ok := strings.CutSuffix(name, ".scope")
	if i := len(base) - idLength - 1; ok && i > 0 && base[i] == '-' && isID(base[i+1:]) {
		runtime, ok = runtimeOf(base[:i])
		return base[i+1:], runtime, ok
	}
	return "", "", false
}

// colons is what a runtime without systemd's driver makes of a path that was meant for it: SLICE:PREFIX:ID.
func colons(name, _ string) (id, runtime string, ok bool) {
	parts := strings.Split(name, ":")
	if len(parts) != 3 || !isID(parts[2]) {
		return "", "", false
	}
	runtime, ok = runtimeOf(parts[1])
	return parts[2], runtime, ok
}

// fargate is a container of ECS without machines of one's own: ecs/TASK/TASK-NUMBER.
func fargate(name, parent string) (id, runtime string, ok bool) {
	task, number, found := strings.Cut(name, "-")
	return name, "", found && task == parent && isHex(task, 32) && isNumber(number)
}

// lxc is a container of LXC, LXD and Incus: lxc.payload.NAME, lxc.payload/NAME, and lxc/NAME before LXC 4.
func lxc(name, parent string) (id, runtime string, ok bool) {
	if id, found := strings.CutPrefix(name, "lxc.payload."); found && id != "" {
		return id, "lxc", true
	}
	return name, "lxc", name != "" && (parent == "lxc.payload" || parent == "lxc")
}

// nspawn is a container of systemd-nspawn: machine-NAME.scope, and systemd-nspawn@NAME.service/payload. libvirt has
// systemd make scopes of the first form for its virtual machines, whose processes are the host's, and containers.
func nspawn(name, parent string) (id, runtime string, ok bool) {
	if unit, found := strings.CutPrefix(parent, "systemd-nspawn@"); found && name == "payload" {
		id, ok = strings.CutSuffix(unit, ".service")
		return unescape(id), "systemd-nspawn", ok && id != ""
	}
	id, ok = strings.CutPrefix(name, "machine-")
	id, scope := strings.CutSuffix(id, ".scope")
	id = unescape(id)
	switch {
	case !ok || !scope || id == "" || strings.HasPrefix(id, "qemu-"):
		return "", "", false
	case strings.HasPrefix(id, "lxc-"):
		return id, "libvirt-lxc", true
	}
	return id, "systemd-nspawn", true
}

// garden is a container of Cloud Foundry and Concourse: garden/HANDLE, and garden/good/HANDLE.
func garden(name, parent string) (id, runtime string, ok bool) {
	return name, "garden", (parent == "garden" || parent == "good" || parent == "bad") && isUID(name)
}

// workloadOf returns the pod or task that the last of parts is the group of.
func workloadOf(parts []string) (orchestrator, workload string, ok bool) {
	name, parent := last(parts), last(parts[:len(parts)-1])
	if uid, ok := podOf(name, parts); ok {
		return "kubernetes", uid, true
	}
	if task, found := strings.CutPrefix(name, "ecstasks-"); found {
		task, found = strings.CutSuffix(task, ".slice")
		return "ecs", task, found && (isHex(task, 32) || isUID(task))
	}
	return "ecs", name, parent == "ecs" && (isHex(name, 32) || isUID(name))
}

// podOf finds a pod's uid where kubelet puts it: kubepods/burstable/podUID, and kubepods-burstable-podU_I_D.slice,
// where systemd has dashes for levels. The uid of a static pod is a hash.
func podOf(name string, parts []string) (uid string, ok bool) {
	name, _, _ = strings.Cut(name, ":") // SLICE:PREFIX:ID
	base, isSlice := strings.CutSuffix(name, ".slice")
	if isSlice {
		i := strings.LastIndex(base, "-pod")
		if i < 0 || !strings.Contains(base[:i], "kubepods") {
			return "", false
		}
		uid = strings.ReplaceAll(base[i+len("-pod"):], "_", "-")
		return uid, isUID(uid) || isHex(uid, 32)
	}
	uid, ok = strings.CutPrefix(base, "pod")
	return uid, ok && (isUID(uid) || isHex(uid, 32)) && slices.Contains(parts, "kubepods")
}

// idLength is the length of the ids that most runtimes make: 256 bits in hexadecimal.
const idLength = 64

func isID(s string) bool { return isHex(s, idLength) }

func isHex(s string, length int) bool {
	if len(s) != length {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// isUID reports whether s is as RFC 9562 writes 128 bits.
func isUID(s string) bool {
	groups := strings.Split(s, "-")
	if len(groups) != 5 {
		return false
	}
	for i, length := range []int{8, 4, 4, 4, 12} {
		if !isHex(groups[i], length) {
			return false
		}
	}
	return true
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// unescape undoes what systemd does to a dash in the name of a unit.
func unescape(s string) string { return strings.ReplaceAll(s, `\x2d`, "-") }
