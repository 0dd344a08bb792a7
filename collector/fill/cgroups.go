package fill

import (
	"github.com/weirproject/weir/collector/container"
	"github.com/weirproject/weir/schema/batch"
)

// cgroups remembers the control groups that forks and execs named. It holds at most maxCgroups; an id that
// it had to forget is shown without its name until the next fork or exec in the group.
type cgroups map[uint64]batch.Cgroup

const maxCgroups = 4096

func newCgroups() cgroups { return make(cgroups) }

func (c cgroups) add(id uint64, leaf []byte) {
	if known, ok := c[id]; ok && known.Name == string(leaf) {
		return
	}
	if len(c) >= maxCgroups {
		clear(c)
	}
	g := batch.Cgroup{ID: id, Name: string(leaf)}
	g.ContainerID, g.ContainerRuntime, _ = container.Identify(g.Name)
	c[id] = g
}

func (c cgroups) of(id uint64) batch.Cgroup {
	if g, ok := c[id]; ok {
		return g
	}
	return batch.Cgroup{ID: id}
}
