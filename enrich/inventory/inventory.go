// Package inventory joins hosts with what the organisation knows about them: instances and deploys, as
// versions in time. An event is joined with what was true when it happened.
//
// It is a pure core, and an Inventory does not change once it is made: a new state of the sources is a new
// Inventory.
package inventory

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Host is what a host is recognised by, in order of trust.
type Host struct {
	HostID     string // hexadecimal
	MachineID  string
	InstanceID string
	Hostname   string
}

// Match is what holds for a host at one time, and for how long.
type Match struct {
	Instance *weirv1.Instance // nil: none fits
	Deploy   *weirv1.Deploy   // nil: none fits
	// Tie: more than one instance, or more than one deploy, fits equally well; that one is left out.
	Tie bool

	window
}

// Inventory is versions of instances and deploys, indexed by what they are looked up by.
type Inventory struct {
	byHostID     map[string][]*instance
	byMachineID  map[string][]*instance
	byInstanceID map[string][]*instance
	byHostname   map[string][]*instance

	byTarget map[target][]*deploy
}

type instance struct {
	*weirv1.Instance
	window
}

type deploy struct {
	*weirv1.Deploy
	window
}

// target is what a deploy was rolled out on.
type target struct {
	level specificity
	name  string
}

// specificity orders the kinds of target: the highest wins.
type specificity uint8

const (
	image specificity = iota + 1
	group
	single
)

// New makes an inventory. A version holds until its own end, or until the next version of its id; of two
// with the same id and start the later in the list replaces the other.
func New(instances []*weirv1.Instance, deploys []*weirv1.Deploy) *Inventory {
	inv := &Inventory{
		byHostID: map[string][]*instance{}, byMachineID: map[string][]*instance{},
		byInstanceID: map[string][]*instance{}, byHostname: map[string][]*instance{},
		byTarget: map[target][]*deploy{},
	}
	for v, w := range versions(instances) {
		inv.addInstance(&instance{v, w})
	}
	for v, w := range versions(deploys) {
		t := targetOf(v)
		inv.byTarget[t] = append(inv.byTarget[t], &deploy{v, w})
	}
	return inv
}

func (inv *Inventory) addInstance(v *instance) {
	for _, index := range []struct {
		by  map[string][]*instance
		key string
	}{
		{inv.byHostID, v.GetHostId()}, {inv.byMachineID, v.GetMachineId()},
		{inv.byInstanceID, v.GetId()}, {inv.byHostname, v.GetHostname()},
	} {
		if index.key != "" {
			index.by[index.key] = append(index.by[index.key], v)
		}
	}
}

func targetOf(d *weirv1.Deploy) target {
	switch {
	case d.GetInstance() != "":
		return target{single, d.GetInstance()}
	case d.GetGroup() != "":
		return target{group, d.GetGroup()}
	}
	return target{image, d.GetImage()}
}

// Lookup returns what holds for the host at the given time.
func (inv *Inventory) Lookup(host Host, at time.Time) Match {
	m := Match{window: always()}
	t := at.UnixMicro()
	m.Instance = inv.instance(host, t, &m)
	if m.Instance != nil {
		m.Deploy = inv.deploy(m.Instance, t, &m)
	}
	return m
}

// instance returns the version that fits the host best, and narrows m's window to where that is so.
func (inv *Inventory) instance(host Host, t int64, m *Match) *weirv1.Instance {
	var best *weirv1.Instance
	var top fit
	var tied bool
	for v := range inv.candidates(host) {
		f := fitOf(host, v.Instance)
		if f == 0 {
			continue
		}
		m.narrow(v.window, t)
		switch {
		case !v.holds(t) || f < top:
		case f > top:
			best, top, tied = v.Instance, f, false
		case v.GetId() != best.GetId():
			tied = true
		}
	}
	if tied {
		m.Tie = true
		return nil
	}
	return best
}

// candidates returns the instances that share at least one attribute with the host, each once.
func (inv *Inventory) candidates(host Host) map[*instance]struct{} {
	found := map[*instance]struct{}{}
	for _, list := range [][]*instance{
		inv.byHostID[host.HostID], inv.byMachineID[host.MachineID],
		inv.byInstanceID[host.InstanceID], inv.byHostname[host.Hostname],
	} {
		for _, v := range list {
			found[v] = struct{}{}
		}
	}
	return found
}

// fit is how well an instance fits a host: a bit for each attribute that is the same, the most trusted
// highest. 0: it does not fit.
type fit uint8

// fitOf compares the attributes that both name. Where the most trusted of them differs, the instance is
// another machine, whatever else is the same: a hostname moves on, and golden images share a machine id.
func fitOf(host Host, v *weirv1.Instance) fit {
	var f fit
	differs := false
	for _, a := range [...][2]string{
		{host.HostID, v.GetHostId()}, {host.MachineID, v.GetMachineId()},
		{host.InstanceID, v.GetId()}, {host.Hostname, v.GetHostname()},
	} {
		f <<= 1
		if a[0] == "" || a[1] == "" {
			continue
		}
		if a[0] == a[1] {
			f |= 1
		} else if f == 0 {
			differs = true
		}
	}
	if differs {
		return 0
	}
	return f
}

// deploy returns the deploy with the most specific target, and of several with that target the one that began
// last: a roll-out replaces the one before it. It narrows m's window to where that is so.
func (inv *Inventory) deploy(on *weirv1.Instance, t int64, m *Match) *weirv1.Deploy {
	var best *weirv1.Deploy
	var from int64
	var tied bool
	for _, to := range []target{{single, on.GetId()}, {group, on.GetGroup()}, {image, on.GetImage()}} {
		if to.name == "" {
			continue
		}
		found := best != nil
		for _, d := range inv.byTarget[to] {
			m.narrow(d.window, t)
			switch {
			case !d.holds(t) || found:
			case best == nil || d.window.from > from:
				best, from, tied = d.Deploy, d.window.from, false
			case d.window.from == from && d.GetId() != best.GetId():
				tied = true
			}
		}
	}
	if tied {
		m.Tie = true
		return nil
	}
	return best
}

// window is a span of time: µs since 1970, from included, to not.
type window struct{ from, to int64 }

func always() window { return window{math.MinInt64, math.MaxInt64} }

func (w window) holds(t int64) bool { return w.from <= t && t < w.to }

// narrow cuts w at the other window's ends, on the side on which t is not.
func (w *window) narrow(other window, t int64) {
	for _, end := range [...]int64{other.from, other.to} {
		if end <= t {
			w.from = max(w.from, end)
		} else {
			w.to = min(w.to, end)
		}
	}
}

// version is what instances and deploys have in common.
type version interface {
	GetId() string
	GetValidFromUs() int64
	GetValidToUs() int64
}

// versions yields each version that holds at some time, with the window in which it does.
func versions[V version](list []V) func(yield func(V, window) bool) {
	byID := map[string][]V{}
	for _, v := range list {
		byID[v.GetId()] = append(byID[v.GetId()], v)
	}
	return func(yield func(V, window) bool) {
		for _, id := range slices.Sorted(maps.Keys(byID)) {
			of := byID[id]
			slices.SortStableFunc(of, func(a, b V) int { return cmp.Compare(a.GetValidFromUs(), b.GetValidFromUs()) })
			for i, v := range of {
				w := window{v.GetValidFromUs(), math.MaxInt64}
				if v.GetValidToUs() != 0 {
					w.to = v.GetValidToUs()
				}
				if i+1 < len(of) {
					w.to = min(w.to, of[i+1].GetValidFromUs())
				}
				if w.from < w.to && !yield(v, w) {
					return
				}
			}
		}
	}
}
