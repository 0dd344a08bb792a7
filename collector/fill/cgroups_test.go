package fill

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// groups are the kernel's: paths by id, those of v1 by negative ones.
type groups map[int]string

func (g groups) Cgroup(k bpf.CgroupKey) (p bpf.CgroupPath, ok bool) {
	path, ok := g[int(k.Id)*(1-2*int(k.V1))]
	p.Size = uint16(copy(p.Text[:], strings.ReplaceAll(strings.TrimPrefix(path, "/")+"/", "/", "\x00")))
	return p, ok
}

func TestAContainerIsTheFirstEventsToo(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	b := newBench(schema.ProcessExit)
	b.cgroups = newCgroups(groups{77: "/system.slice/docker-" + id + ".scope/init.scope"})
	b.Exit(&bpf.ExitSample{Head: head(bpf.KindProcessExit, childKey)})
	read := b.read(t)
	g := read.Proto().Cgroups
	got := []string{texts(read, g.ContainerId)[0], texts(read, g.ContainerRuntime)[0], texts(read, g.Name)[0]}
	if diff := cmp.Diff([]string{id, "docker", "init.scope"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhichGroupSaysWhereATaskIsPlaced(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	kernel := groups{
		-5: "/docker/" + id, 10: "/system.slice/docker.service", 11: "/docker/" + id,
		-20: "/user.slice", -21: "/kubepods/pod0c5d8e7f-6a4b-4f6a-9b1e-0c5d8e7f6a4b",
	}
	const none, pod = "", "0c5d8e7f-6a4b-4f6a-9b1e-0c5d8e7f6a4b"
	for name, c := range map[string]struct {
		ids                       batch.CgroupIDs
		version                   uint32
		path, container, workload string
	}{
		"v2's":                                  {batch.CgroupIDs{V2: 11}, 2, "/docker/" + id, id, none},
		"v1's, where v2 has the daemon's":       {batch.CgroupIDs{V2: 10, V1: 5}, 1, "/docker/" + id, id, none},
		"v2's, where v1 has a session's":        {batch.CgroupIDs{V2: 11, V1: 20}, 2, "/docker/" + id, id, none},
		"v2's, where neither has a container's": {batch.CgroupIDs{V2: 10, V1: 20}, 2, "/system.slice/docker.service", none, none},
		"v1's, where v2 has the root":           {batch.CgroupIDs{V2: 1, V1: 20}, 1, "/user.slice", none, none},
		"v1's, where it is a pod's":             {batch.CgroupIDs{V2: 10, V1: 21}, 1, kernel[-21], none, pod},
		"v2's root, where there is no v1":       {batch.CgroupIDs{V2: 1}, 2, "", none, none},
	} {
		g := newCgroups(kernel).of(c.ids)
		want := batch.Cgroup{CgroupIDs: c.ids, Version: c.version, Path: c.path, ContainerID: c.container, Workload: c.workload}
		if want.ContainerID != "" {
			want.ContainerRuntime = "docker"
		}
		if want.Workload != "" {
			want.Orchestrator = "kubernetes"
		}
		if diff := cmp.Diff(want, g); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// owned is one group whose second part a user owns.
type owned string

func (o owned) Cgroup(bpf.CgroupKey) (bpf.CgroupPath, bool) {
	p, _ := groups{1: string(o)}.Cgroup(bpf.CgroupKey{Id: 1})
	p.OwnedFrom, p.Owner = 2, 1000
	return p, true
}

func TestAUserWhoCouldNameAContainersGroupIsTold(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	for path, want := range map[string]uint32{
		"/user.slice/mine/docker-" + id + ".scope": 1000,
		"/docker/" + id:        1000,
		"/" + id + "/mine/sub": 0, // what is below the container's group does not name it
	} {
		if g := newCgroups(owned(path)).of(batch.CgroupIDs{V2: 1}); g.ContainerID != id || g.ContainerOwner != want {
			t.Errorf("%s: container %q of %d; want %d", path, g.ContainerID, g.ContainerOwner, want)
		}
	}
}

func TestWhatTheKernelDoesNotKnowYetIsAskedForAgain(t *testing.T) {
	kernel := groups{}
	c := newCgroups(kernel)
	c.of(batch.CgroupIDs{V2: 7})
	kernel[7] = "/a"
	if g := c.of(batch.CgroupIDs{V2: 7}); g.Path != "/a" {
		t.Errorf("path %q, want /a", g.Path)
	}
	delete(kernel, 7) // what is known stays so
	if g := c.of(batch.CgroupIDs{V2: 7}); g.Path != "/a" {
		t.Errorf("path %q, want /a", g.Path)
	}
}

func TestCgroupsAreBounded(t *testing.T) {
	c := newCgroups(owned("/a"))
	for id := range uint64(3 * maxCgroups) {
		c.of(batch.CgroupIDs{V2: id})
	}
	if len(c.known) > maxCgroups {
		t.Errorf("%d groups remembered, want at most %d", len(c.known), maxCgroups)
	}
}
