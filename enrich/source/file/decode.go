package file

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/weirproject/weir/enrich/source"
	"github.com/weirproject/weir/internal/config"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// document is the file.
type document struct {
	// What machines there are. A machine that changes gets a further entry with the same id and a later
	// valid_from: events are joined with what was true when they happened.
	Instances []instance `yaml:"instances"`
	// What was rolled out, on what, and when.
	Deploys []deploy `yaml:"deploys"`
}

// period is when an entry holds.
type period struct {
	// From when on the entry holds, such as 2026-11-24T07:41:04Z; without it, it always has.
	ValidFrom Time `yaml:"valid_from"`
	// Until when it holds; without it, until the next entry with its id.
	ValidTo Time `yaml:"valid_to"`
}

type instance struct {
	// The cloud's or the operator's id of the instance, such as i-0abc.
	ID     string `yaml:"id"`
	period `yaml:",inline"`
	// What the host is recognised by, beside the id, in this order of trust: weir's host id, the content
	// of /etc/machine-id, the host's name.
	HostID    string `yaml:"host_id"`
	MachineID string `yaml:"machine_id"`
	Hostname  string `yaml:"hostname"`
	// Where it is.
	Account  string `yaml:"account"`
	Provider string `yaml:"provider"`
	Region   string `yaml:"region"`
	Zone     string `yaml:"zone"`
	// What it is.
	Type       string       `yaml:"type"`
	Image      string       `yaml:"image"`
	Addresses  []netip.Addr `yaml:"addresses"`
	LaunchTime Time         `yaml:"launch_time"`
	Group      string       `yaml:"group"`
	Cluster    string       `yaml:"cluster"`
	Node       string       `yaml:"node"`
	// Whatever else is to be seen at its events.
	Tags map[string]string `yaml:"tags"`
}

type deploy struct {
	// The roll-out's id.
	ID     string `yaml:"id"`
	period `yaml:",inline"`
	// What it was rolled out on, one of the three; an instance's own wins over its group's, and that over
	// its image's.
	Instance string `yaml:"instance"`
	Group    string `yaml:"group"`
	Image    string `yaml:"image"`
	// What was rolled out.
	App         string `yaml:"app"`
	Stack       string `yaml:"stack"`
	Cluster     string `yaml:"cluster"`
	Version     string `yaml:"version"`
	ImageDigest string `yaml:"image_digest"`
	Commit      string `yaml:"commit"`
	Build       string `yaml:"build"`
	Pipeline    string `yaml:"pipeline"`
	// Who did it.
	Who string `yaml:"who"`
}

// Time is a moment, written as in RFC 3339.
type Time struct{ time.Time }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *Time) UnmarshalText(text []byte) (err error) {
	t.Time, err = time.Parse(time.RFC3339, string(text))
	return err
}

// Expect implements [config.Expecter].
func (Time) Expect() (what, write string) { return "a time", "one such as 2026-11-24T07:41:04Z" }

func (t Time) us() int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Validate implements [config.Validator].
func (i *instance) Validate() error {
	return errors.Join(checkID(i.ID), i.period.check())
}

// Validate implements [config.Validator].
func (d *deploy) Validate() error {
	errs := []error{checkID(d.ID), d.period.check()}
	var targets []string
	for _, t := range [][2]string{{"instance", d.Instance}, {"group", d.Group}, {"image", d.Image}} {
		if t[1] != "" {
			targets = append(targets, t[0])
		}
	}
	switch len(targets) {
	case 0:
		errs = append(errs, config.Invalid("", "no target; write one of instance, group and image"))
	case 1:
	default:
		errs = append(errs, config.Invalid(targets[1], "the target is %s already; write one of them", targets[0]))
	}
	return errors.Join(errs...)
}

// Validate implements [config.Validator]: two entries with one id need different beginnings.
func (d *document) Validate() error {
	var errs []error
	seen := map[string]bool{}
	once := func(list string, i int, id string, from Time) {
		if key := fmt.Sprint(list, "\x00", id, "\x00", from.us()); !seen[key] {
			seen[key] = true
			return
		}
		errs = append(errs, config.Invalid(fmt.Sprintf("%s[%d]", list, i), "%q has an entry with this valid_from already", id))
	}
	for i, v := range d.Instances {
		once("instances", i, v.ID, v.ValidFrom)
	}
	for i, v := range d.Deploys {
		once("deploys", i, v.ID, v.ValidFrom)
	}
	return errors.Join(errs...)
}

func checkID(id string) error {
	if strings.TrimSpace(id) == "" {
		return config.Invalid("id", "missing")
	}
	return nil
}

func (p *period) check() error {
	if !p.ValidTo.IsZero() && !p.ValidTo.After(p.ValidFrom.Time) {
		return config.Invalid("valid_to", "not after valid_from")
	}
	return nil
}

// Decode reads the content of a file; faults call it name.
func Decode(name string, data []byte) (source.Set, error) {
	var d document
	if err := config.Decode(name, data, &d); err != nil {
		return source.Set{}, err
	}
	var set source.Set
	for _, i := range d.Instances {
		set.Instances = append(set.Instances, i.proto())
	}
	for _, d := range d.Deploys {
		set.Deploys = append(set.Deploys, d.proto())
	}
	return set, nil
}

func (i *instance) proto() *weirv1.Instance {
	p := &weirv1.Instance{
		Id: i.ID, ValidFromUs: i.ValidFrom.us(), ValidToUs: i.ValidTo.us(),
		HostId: strings.ToLower(i.HostID), MachineId: i.MachineID, Hostname: i.Hostname,
		Account: i.Account, Provider: i.Provider, Region: i.Region, Zone: i.Zone,
		Type: i.Type, Image: i.Image, LaunchTimeUs: i.LaunchTime.us(),
		Group: i.Group, Cluster: i.Cluster, Node: i.Node, Tags: maps.Clone(i.Tags),
	}
	for _, a := range i.Addresses {
		p.Addresses = append(p.Addresses, a.String())
	}
	return p
}

func (d *deploy) proto() *weirv1.Deploy {
	return &weirv1.Deploy{
		Id: d.ID, ValidFromUs: d.ValidFrom.us(), ValidToUs: d.ValidTo.us(),
		Instance: d.Instance, Group: d.Group, Image: d.Image,
		App: d.App, Stack: d.Stack, Cluster: d.Cluster, Version: d.Version, ImageDigest: d.ImageDigest,
		Commit: d.Commit, Build: d.Build, Pipeline: d.Pipeline, Who: d.Who,
	}
}
