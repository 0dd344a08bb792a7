// Package container recognises containers by the names that runtimes give their control groups.
//
// It asks no runtime, and it makes no guess: a name that is not one of the known forms is no container. What the
// names say is as good as whoever could give them: collector/fill tells who that was.
package container

// A Placement is what the path of a control group says of the container that it belongs to.
type Placement struct {
	ID, Runtime string // of the innermost container; the runtime is empty where only the id is in the name
	Outer       string // id of the outermost container, where the innermost is within another one
	Level       int    // of the part that names the innermost, from 1 on; 0: there is no container

	Orchestrator string // "kubernetes", "ecs"; empty where the path tells of none
	Workload     string // the pod's uid, the task's id
}

// Identify reads a path, the root's child first. A container's init may make groups below that of the container,
// as systemd does, and so any part of the path may be the container's; the last one that is gives its id.
func Identify(parts []string) Placement {
	var p Placement
	for i := range parts {
		if orchestrator, workload, ok := workloadOf(parts[:i+1]); ok {
			p.Orchestrator, p.Workload = orchestrator, workload
		}
		id, runtime, ok := containerOf(parts[:i+1])
		if !ok || id == p.ID {
			continue
		}
		if p.Level > 0 && p.Outer == "" {
			p.Outer = p.ID
		}
		p.ID, p.Runtime, p.Level = id, runtime, i+1
	}
	return p
}
