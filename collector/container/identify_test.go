package container

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	id    = strings.Repeat("0123456789abcdef", 4)
	other = strings.Repeat("fedcba9876543210", 4)
)

const (
	pod    = "2f9a1c3e-7d2b-4f6a-9b1e-0c5d8e7f6a4b"
	podBar = "2f9a1c3e_7d2b_4f6a_9b1e_0c5d8e7f6a4b"
	task   = "c7d8a4e0b1f24c3d9e5f60718293a4b5"
)

// TestIdentify has paths as they are in /proc/PID/cgroup, with ID, OTHER, POD and TASK in place of the numbers.
func TestIdentify(t *testing.T) {
	kubernetes := func(p Placement) Placement {
		p.Orchestrator, p.Workload = "kubernetes", pod
		return p
	}
	ecs := func(p Placement) Placement {
		p.Orchestrator, p.Workload = "ecs", task
		return p
	}
	for path, want := range map[string]Placement{
		"/docker/ID":                     {ID: id, Runtime: "docker", Level: 2},
		"/system.slice/docker-ID.scope":  {ID: id, Runtime: "docker", Level: 2},
		"/default/ID":                    {ID: id, Level: 2},
		"/ID":                            {ID: id, Level: 1},
		"/system.slice/nerdctl-ID.scope": {ID: id, Runtime: "containerd", Level: 2},

		// systemd within a container makes groups of its own.
		"/docker/ID/init.scope":                                {ID: id, Runtime: "docker", Level: 2},
		"/system.slice/docker-ID.scope/system.slice/x.service": {ID: id, Runtime: "docker", Level: 2},

		// podman, as root and not, and where it moves what runs to a group below.
		"/machine.slice/libpod-ID.scope/container":                                                          {ID: id, Runtime: "podman", Level: 2},
		"/libpod_parent/libpod-ID":                                                                          {ID: id, Runtime: "podman", Level: 2},
		"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope":                          {ID: id, Runtime: "podman", Level: 5},
		"/machine.slice/libpod-conmon-ID.scope":                                                             {},
		"/kubepods.slice/kubepods-podPOD_.slice/crio-ID.scope":                                              kubernetes(Placement{ID: id, Runtime: "cri-o", Level: 3}),
		"/kubepods.slice/kubepods-podPOD_.slice/crio-conmon-ID.scope":                                       kubernetes(Placement{}),
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice":                         kubernetes(Placement{}),
		"/kubepods/besteffort/podPOD/ID":                                                                    kubernetes(Placement{ID: id, Level: 4}),
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podPOD_.slice/cri-containerd-ID.scope": kubernetes(Placement{ID: id, Runtime: "containerd", Level: 4}),
		"/system.slice/containerd.service/kubepods-burstable-podPOD_.slice:cri-containerd:ID":               kubernetes(Placement{ID: id, Runtime: "containerd", Level: 3}),

		// Kubernetes in Docker, and Docker in Kubernetes.
		"/docker/OTHER/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-podPOD_.slice/cri-containerd-ID.scope": kubernetes(Placement{ID: id, Runtime: "containerd", Outer: other, Level: 6}),
		"/kubepods/podPOD/OTHER/docker/ID": kubernetes(Placement{ID: id, Runtime: "docker", Outer: other, Level: 5}),

		"/ecs/TASK/ID":              ecs(Placement{ID: id, Level: 3}),
		"/ecs/TASK/TASK-1234567890": ecs(Placement{ID: task + "-1234567890", Level: 3}),
		"/ecstasks.slice/ecstasks-TASK.slice/docker-ID.scope": ecs(Placement{ID: id, Runtime: "docker", Level: 3}),
		"/lxc.payload.web/system.slice/ssh.service":           {ID: "web", Runtime: "lxc", Level: 1},
		"/lxc.payload/web": {ID: "web", Runtime: "lxc", Level: 2},
		"/lxc/web":         {ID: "web", Runtime: "lxc", Level: 2},
		"/lxc.monitor.web": {},
		`/machine.slice/machine-db\x2d1.scope/payload`:          {ID: "db-1", Runtime: "systemd-nspawn", Level: 2},
		"/machine.slice/systemd-nspawn@db.service/payload":      {ID: "db", Runtime: "systemd-nspawn", Level: 3},
		"/machine.slice/systemd-nspawn@db.service/supervisor":   {},
		`/machine.slice/machine-qemu\x2d1\x2dvm.scope/emulator`: {},
		`/machine.slice/machine-lxc\x2d7\x2dweb.scope`:          {ID: "lxc-7-web", Runtime: "libvirt-lxc", Level: 2},
		"/garden/POD":      {ID: pod, Runtime: "garden", Level: 2},
		"/garden/good/POD": {ID: pod, Runtime: "garden", Level: 3},

		// What looks like a container and is none.
		"":                                      {},
		"/":                                     {},
		"/system.slice/ssh.service":             {},
		"/user.slice/user-1000.slice":           {},
		"/system.slice/docker-ID":               {},
		"/system.slice/docker-IDa.scope":        {},
		"/system.slice/-ID.scope":               {},
		"/system.slice/UPPER":                   {},
		"/system.slice/evil:docker:ID:x":        {},
		"/podPOD/x":                             {},
		"/kubepods/podPOD-x":                    {},
		"/machine.slice/machine-.scope":         {},
		"/lxc.payload.":                         {},
		"/ecs/none/none-1":                      {},
		"/garden/x":                             {},
		"/system.slice/kubepods-pod.slice/x":    {},
		"/kubepods.slice/a-podPOD_.slice/other": {},
	} {
		numbers := strings.NewReplacer("POD_", podBar, "POD", pod, "TASK", task, "OTHER", other, "UPPER", strings.ToUpper(id), "ID", id)
		parts := strings.FieldsFunc(numbers.Replace(path), func(r rune) bool { return r == '/' })
		if diff := cmp.Diff(want, Identify(parts)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
}

func FuzzIdentify(f *testing.F) {
	f.Add("docker/" + id)
	f.Add("kubepods/pod" + pod + "/" + id)
	f.Fuzz(func(t *testing.T, path string) {
		parts := strings.Split(path, "/")
		p := Identify(parts)
		if (p.ID != "") != (p.Level > 0) || p.Level > len(parts) || p.Outer != "" && p.Outer == p.ID {
			t.Errorf("%q: %+v", path, p)
		}
	})
}
