package fill

import (
	"strings"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/container"
	"github.com/weirproject/weir/schema/batch"
)

// cgroups remembers what the groups that events named say. It holds at most maxCgroups.
type cgroups struct {
	kernel Cgroups
	known  map[batch.CgroupIDs]batch.Cgroup
}

const maxCgroups = 4096

func newCgroups(kernel Cgroups) *cgroups {
	return &cgroups{kernel, make(map[batch.CgroupIDs]batch.Cgroup)}
}

// of tells of a placement. What the kernel has no path of is asked for again when the next batch names it.
func (c *cgroups) of(ids batch.CgroupIDs) batch.Cgroup {
	if g, ok := c.known[ids]; ok {
		return g
	}
	g := c.group(ids, ids.V2, 2)
	v1 := c.group(ids, ids.V1, 1)
	if tells(v1) && !tells(g) || g.Path == "" && v1.Path != "" {
		g = v1
	}
	if g.Path != "" && (ids.V1 == 0 || v1.Path != "") {
		c.add(g)
	}
	return g
}

func (c *cgroups) add(g batch.Cgroup) {
	if len(c.known) >= maxCgroups {
		clear(c.known)
	}
	c.known[g.CgroupIDs] = g
}

// tells reports whether the group says what runs in it.
func tells(g batch.Cgroup) bool { return g.ContainerID != "" || g.Workload != "" }

// group is what one of the groups says. Its path is empty where it is the root, or not known.
func (c *cgroups) group(ids batch.CgroupIDs, id uint64, version uint32) batch.Cgroup {
	g := batch.Cgroup{CgroupIDs: ids, Version: version}
	path, ok := c.kernel.Cgroup(bpf.CgroupKey{Id: id, V1: uint64(2 - version)})
	if !ok {
		return g
	}
	parts := path.Parts()
	p := container.Identify(parts)
	g.PathCut = path.Cut != 0
	if len(parts) > 0 {
		g.Path = "/" + strings.Join(parts, "/")
	}
	g.ContainerID, g.ContainerRuntime, g.OuterContainerID = p.ID, p.Runtime, p.Outer
	g.Orchestrator, g.Workload = p.Orchestrator, p.Workload
	if path.OwnedFrom > 0 && int(path.OwnedFrom) <= p.Level {
		g.ContainerOwner = path.Owner
	}
	return g
}
