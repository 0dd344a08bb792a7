package collector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// collecting runs a collector while f does, and returns its batches.
func collecting(t *testing.T, f func()) []*batch.Batch {
	t.Helper()
	v := newVictim(t)
	cfg := testConfig(v.data)
	cfg.Kinds = []KindName{"process.exec", "process.exit", "network.connect", "network.close"}
	c, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	defer func() {
		stop()
		if err := errors.Join(<-ended, c.Close()); err != nil {
			t.Error(err)
		}
	}()
	v.runs(0)
	f()
	stop()
	ended <- <-ended // it is over
	return v.batches()
}

// placed is what an event says of its container.
type placed struct{ Kind, Container, Runtime, Outer, Pod string }

// anyOrder is for events of several CPUs.
var anyOrder = cmpopts.SortSlices(func(a, b placed) bool { return a.Kind < b.Kind })

// placedBy are the events of the processes that run the program inside, in order.
func placedBy(batches []*batch.Batch, program string) (all []placed) {
	for _, b := range batches {
		p := b.Proto()
		g := p.GetCgroups()
		for row := range b.Rows() {
			if b.KindName(row) == schema.CapabilityCheck.Name {
				continue // what a program asks for depends on the kernel
			}
			process := int(schema.At(p.GetCommon().GetProcess(), row.Index)) - 1
			if process < 0 || string(b.Text(schema.At(p.GetProcesses().GetExecutable(), process))) != program {
				continue
			}
			at := int(schema.At(p.GetCommon().GetCgroup(), row.Index)) - 1
			text := func(column []uint32) string { return string(b.Text(schema.At(column, at))) }
			all = append(all, placed{b.KindName(row), text(g.GetContainerId()), text(g.GetContainerRuntime()), text(g.GetOuterContainerId()), text(g.GetWorkload())})
		}
	}
	return all
}

// listener accepts and closes.
func listener(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	return l.Addr().String()
}

func TestAContainersEventsHaveItsIDFromTheFirstOn(t *testing.T) {
	program, to := inside(t), listener(t)
	const uid = "0c5d8e7f-6a4b-4f6a-9b1e-2f9a1c3e7d2b"
	for cgroup, want := range map[string]placed{
		"/docker/ID":                            {Runtime: "docker"},
		"/system.slice/docker-ID.scope":         {Runtime: "docker"},
		"/kubepods/burstable/pod" + uid + "/ID": {Pod: uid},
		"/kubepods.slice/kubepods-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice/cri-containerd-ID.scope": {Runtime: "containerd", Pod: uid},
	} {
		t.Run(strings.ReplaceAll(cgroup, "/", " "), func(t *testing.T) {
			id := newID()
			want.Container = id
			batches := collecting(t, func() {
				c := runContainer(t, program, id, strings.ReplaceAll(cgroup, "ID", id))
				c.do("connect %s", to)
				c.do("exec")
				c.leave()
			})
			var expected []placed
			for _, kind := range []string{schema.ProcessExec.Name, schema.NetworkConnect.Name, schema.NetworkClose.Name, schema.ProcessExec.Name, schema.ProcessExit.Name, schema.ProcessExit.Name} {
				e := want
				e.Kind = kind
				expected = append(expected, e)
			}
			if diff := cmp.Diff(expected, placedBy(batches, "/inside"), anyOrder); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAProcessThatMovesToAnotherContainerTellsEachAtItsTime(t *testing.T) {
	program, first, second := inside(t), newID(), newID()
	batches := collecting(t, func() {
		a := runContainer(t, program, first, "/docker/"+first)
		b := runContainer(t, program, second, "/docker/"+second)
		a.do("exec")
		moveAlong(t, a.pid, b.pid)
		a.do("exec")
		a.leave()
		b.leave()
	})
	count := map[placed]int{}
	for _, p := range placedBy(batches, "/inside") {
		count[p]++
	}
	exec, exit := schema.ProcessExec.Name, schema.ProcessExit.Name
	want := map[placed]int{
		{Kind: exec, Container: first, Runtime: "docker"}:  2, // its own, and its child's before the move
		{Kind: exit, Container: first, Runtime: "docker"}:  1,
		{Kind: exec, Container: second, Runtime: "docker"}: 2,
		{Kind: exit, Container: second, Runtime: "docker"}: 3,
	}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

// moveAlong moves a process to wherever another one is, in each hierarchy.
func moveAlong(t *testing.T, pid, other int) {
	t.Helper()
	for root, path := range groupsOf(t, other) {
		err := os.WriteFile(filepath.Join(root, path, "cgroup.procs"), fmt.Append(nil, pid), 0)
		if err != nil && path != "/" {
			t.Fatal(err)
		}
	}
}

// groupsOf are the groups of a process by where their hierarchies are mounted.
func groupsOf(t *testing.T, pid int) map[string]string {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	groups := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if root := mountOf(t, strings.TrimPrefix(fields[1], "name=")); root != "" {
			groups[root] = fields[2]
		}
	}
	return groups
}

// mountOf finds the mount of a v1 controller, or of the v2 tree.
func mountOf(t *testing.T, controller string) string {
	t.Helper()
	info, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(info)) {
		mount, super, _ := strings.Cut(strings.TrimSpace(line), " - ")
		fields := strings.Fields(super)
		isV1 := fields[0] == "cgroup" && controller != "" && strings.Contains(","+strings.ReplaceAll(fields[2], "name=", "")+",", ","+controller+",")
		if isV1 || fields[0] == "cgroup2" && controller == "" {
			return strings.Fields(mount)[4]
		}
	}
	return ""
}

// A container's init may make groups below its own, as systemd does.
func TestAGroupWithinAContainersIsTheContainers(t *testing.T) {
	program, id := inside(t), newID()
	batches := collecting(t, func() {
		c := runContainer(t, program, id, "/docker/"+id)
		for root, path := range groupsOf(t, c.pid) {
			if path == "/" {
				continue
			}
			below := filepath.Join(root, path, "init.scope")
			if err := os.Mkdir(below, 0o755); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { unix.Rmdir(below); unix.Rmdir(filepath.Dir(below)) })
			inherit(t, below)
			if err := os.WriteFile(filepath.Join(below, "cgroup.procs"), fmt.Append(nil, c.pid), 0); err != nil {
				t.Fatal(err)
			}
		}
		c.do("exec")
		c.leave()
	})
	for _, p := range placedBy(batches, "/inside") {
		if p.Container != id || p.Outer != "" {
			t.Errorf("%+v; want it in %s", p, id)
		}
	}
}

// inherit gives a new group of v1's cpuset what it is to be given before a task may enter.
func inherit(t *testing.T, group string) {
	t.Helper()
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(group), name))
		if err != nil {
			continue // of another controller
		}
		if err := os.WriteFile(filepath.Join(group, name), text, 0); err != nil {
			t.Fatal(err)
		}
	}
}
