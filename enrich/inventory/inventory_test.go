package inventory

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

func us(seconds int64) int64 { return seconds * 1e6 }

func TestLookup(t *testing.T) {
	inv := New([]*weirv1.Instance{
		{Id: "i-1", HostId: "aa", Hostname: "web", Group: "web", Image: "v1"},
		{Id: "i-1", HostId: "aa", Hostname: "web", Group: "web", Image: "v2", ValidFromUs: us(100)},
		{Id: "i-2", Hostname: "moved", ValidToUs: us(50)},
		{Id: "i-3", Hostname: "moved", ValidFromUs: us(60)},
		{Id: "g-1", MachineId: "golden", Hostname: "one"},
		{Id: "g-2", MachineId: "golden", Hostname: "two"},
		{Id: "x-1", HostId: "bb", Hostname: "taken"},
	}, []*weirv1.Deploy{
		{Id: "d-image", Image: "v1"},
		{Id: "d-group", Group: "web", ValidFromUs: us(20)},
		{Id: "d-single", Instance: "i-1", ValidFromUs: us(40), ValidToUs: us(60)},
		{Id: "d-next", Group: "web", ValidFromUs: us(200)},
		{Id: "d-rival", Group: "web", ValidFromUs: us(300)},
		{Id: "d-other", Group: "web", ValidFromUs: us(300)},
	})
	tests := []struct {
		name             string
		host             Host
		at               int64
		instance, deploy string
		tie              bool
	}{
		{"the host id is trusted most", Host{HostID: "aa", Hostname: "moved"}, 10, "i-1", "d-image", false},
		{"a group is more specific than an image", Host{HostID: "aa"}, 30, "i-1", "d-group", false},
		{"an instance is more specific than a group", Host{HostID: "aa"}, 40, "i-1", "d-single", false},
		{"a deploy that ended gives way", Host{HostID: "aa"}, 60, "i-1", "d-group", false},
		{"a roll-out replaces the one before", Host{HostID: "aa"}, 200, "i-1", "d-next", false},
		{"two roll-outs of one moment tie", Host{HostID: "aa"}, 300, "i-1", "", true},
		{"an instance id is the inventory's id", Host{InstanceID: "i-2", HostID: "cc"}, 10, "i-2", "", false},
		{"a hostname is whose it was", Host{Hostname: "moved"}, 49, "i-2", "", false},
		{"a hostname is nobody's between", Host{Hostname: "moved"}, 55, "", "", false},
		{"a hostname is whose it is", Host{Hostname: "moved"}, 60, "i-3", "", false},
		{"a shared machine id ties", Host{MachineID: "golden"}, 10, "", "", true},
		{"a hostname settles a shared machine id", Host{MachineID: "golden", Hostname: "two"}, 10, "g-2", "", false},
		{"another host id rules a hostname out", Host{HostID: "cc", Hostname: "taken"}, 10, "", "", false},
		{"a host without names fits nothing", Host{}, 10, "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := inv.Lookup(tt.host, at(tt.at))
			got := []any{m.Instance.GetId(), m.Deploy.GetId(), m.Tie}
			if diff := cmp.Diff([]any{tt.instance, tt.deploy, tt.tie}, got); diff != "" {
				t.Errorf("instance, deploy, tie (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJoinFollowsVersionsWithinABatch(t *testing.T) {
	v1 := &weirv1.Instance{Id: "i-1", Hostname: "web", Image: "v1", ValidFromUs: us(10)}
	v2 := &weirv1.Instance{Id: "i-1", Hostname: "web", Image: "v2", ValidFromUs: us(20), ValidToUs: us(30)}
	deploy := &weirv1.Deploy{Id: "d", Image: "v2"}
	inv := New([]*weirv1.Instance{v2, v1}, []*weirv1.Deploy{deploy})
	times := []time.Time{at(5), at(10), at(19), at(20), at(19), at(25), at(26), at(40), at(41)}

	got := inv.Join(Host{Hostname: "web"}, slices.Values(times))
	want := Join{
		Instances: []*weirv1.Instance{v1, v2},
		Deploys:   []*weirv1.Deploy{deploy},
		Spans: []*weirv1.Span{
			{Rows: 1}, {Rows: 2, Instance: 1}, {Rows: 1, Instance: 2, Deploy: 1}, {Rows: 1, Instance: 1},
			{Rows: 2, Instance: 2, Deploy: 1}, // and nothing is joined behind the last span
		},
		Joined: weirv1.Joined_JOINED_COMPLETE,
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("join (-want +got):\n%s", diff)
	}
}

func TestJoinOfNoRowsSaysNothing(t *testing.T) {
	got := New(nil, nil).Join(Host{Hostname: "web"}, slices.Values([]time.Time{}))
	if diff := cmp.Diff(Join{}, got, protocmp.Transform()); diff != "" {
		t.Errorf("join (-want +got):\n%s", diff)
	}
}

// TestLookupIsTheTwins compares look-ups in random inventories with a twin that reads the rules aloud.
func TestLookupIsTheTwins(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		instances, deploys := randomInstances(r), randomDeploys(r)
		inv := New(slices.Clone(instances), slices.Clone(deploys))
		host := Host{HostID: name(r, "h"), MachineID: name(r, "m"), InstanceID: name(r, "i"), Hostname: name(r, "n")}
		var previous Match
		for s := range int64(12) {
			m := inv.Lookup(host, at(s))
			instance, deploy, tie := twin(instances, deploys, host, us(s))
			if m.Instance != instance || m.Deploy != deploy || m.Tie != tie {
				t.Fatalf("seed %d at %d: %v, %v, tie %v; twin: %v, %v, tie %v",
					seed, s, m.Instance, m.Deploy, m.Tie, instance, deploy, tie)
			}
			same := previous.Instance == m.Instance && previous.Deploy == m.Deploy && previous.Tie == m.Tie
			if previous.holds(us(s)) && !same {
				t.Fatalf("seed %d: what is said to hold at %d does not", seed, s)
			}
			previous = m
		}
	}
}

// twin is Lookup without index and window.
func twin(instances []*weirv1.Instance, deploys []*weirv1.Deploy, host Host, t int64) (*weirv1.Instance, *weirv1.Deploy, bool) {
	var fits []*weirv1.Instance
	best := ""
	for _, v := range holding(instances, t) {
		score, first := "", ""
		for _, pair := range [][2]string{
			{host.HostID, v.HostId}, {host.MachineID, v.MachineId}, {host.InstanceID, v.Id}, {host.Hostname, v.Hostname},
		} {
			said := "-"
			if pair[0] != "" && pair[1] != "" {
				said = fmt.Sprint(pair[0] == pair[1])
				if first == "" {
					first = said
				}
			}
			score += map[string]string{"true": "1", "false": "0", "-": "0"}[said]
		}
		if first != "true" {
			continue
		}
		if score > best {
			best, fits = score, nil
		}
		if score == best {
			fits = append(fits, v)
		}
	}
	if len(fits) != 1 {
		return nil, nil, len(fits) > 1
	}
	on := fits[0]
	for _, targets := range []func(d *weirv1.Deploy) bool{
		func(d *weirv1.Deploy) bool { return d.Instance == on.Id },
		func(d *weirv1.Deploy) bool { return d.Group != "" && d.Group == on.Group },
		func(d *weirv1.Deploy) bool { return d.Image != "" && d.Image == on.Image },
	} {
		var found []*weirv1.Deploy
		for _, d := range holding(deploys, t) {
			if !targets(d) {
				continue
			}
			if len(found) > 0 && d.ValidFromUs > found[0].ValidFromUs {
				found = nil
			}
			if len(found) == 0 || d.ValidFromUs == found[0].ValidFromUs {
				found = append(found, d)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return on, found[0], false
		default:
			return on, nil, true
		}
	}
	return on, nil, false
}

// holding returns, for each id, the version that holds at t.
func holding[V version](list []V, t int64) []V {
	latest := map[string]V{}
	for _, v := range list {
		if l, ok := latest[v.GetId()]; v.GetValidFromUs() <= t && (!ok || v.GetValidFromUs() >= l.GetValidFromUs()) {
			latest[v.GetId()] = v
		}
	}
	var found []V
	for _, v := range latest {
		if v.GetValidToUs() == 0 || t < v.GetValidToUs() {
			found = append(found, v)
		}
	}
	return found
}

func name(r *rand.Rand, prefix string) string {
	if n := r.IntN(4); n > 0 {
		return fmt.Sprint(prefix, n)
	}
	return ""
}

func randomInstances(r *rand.Rand) (list []*weirv1.Instance) {
	for range r.IntN(8) {
		list = append(list, &weirv1.Instance{
			Id: fmt.Sprint("i", 1+r.IntN(4)), ValidFromUs: us(r.Int64N(10)), ValidToUs: us(r.Int64N(3) * r.Int64N(10)),
			HostId: name(r, "h"), MachineId: name(r, "m"), Hostname: name(r, "n"), Group: name(r, "g"), Image: name(r, "v"),
		})
	}
	return list
}

func randomDeploys(r *rand.Rand) (list []*weirv1.Deploy) {
	for range r.IntN(8) {
		d := &weirv1.Deploy{
			Id: fmt.Sprint("d", 1+r.IntN(4)), ValidFromUs: us(r.Int64N(10)), ValidToUs: us(r.Int64N(3) * r.Int64N(10)),
		}
		switch r.IntN(3) {
		case 0:
			d.Instance = fmt.Sprint("i", 1+r.IntN(4))
		case 1:
			d.Group = fmt.Sprint("g", 1+r.IntN(3))
		default:
			d.Image = fmt.Sprint("v", 1+r.IntN(3))
		}
		list = append(list, d)
	}
	return list
}
