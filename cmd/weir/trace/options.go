package trace

import (
	"flag"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/weirproject/weir/cmd/weir/look"
	"github.com/weirproject/weir/internal/cli"
	"github.com/weirproject/weir/schema"
)

// options are the flags, by the names that the bcc tools have for them.
type options struct {
	trace
	clock, since, showUser, showContainer, json bool
	onlyFailed, withFailed                      bool
	pids, user, name, onPorts                   string
}

func (o *options) add(f *flag.FlagSet) {
	f.BoolVar(&o.clock, "T", false, "show the time of day")
	f.BoolVar(&o.since, "t", false, "show the seconds since the start")
	f.BoolVar(&o.showUser, "U", false, "show the user")
	f.BoolVar(&o.showContainer, "C", false, "show the container")
	f.StringVar(&o.pids, "p", "", "only processes with these `IDS`, separated by commas")
	f.StringVar(&o.user, "u", "", "only this `USER`, by name or id: the effective one")
	f.StringVar(&o.name, "n", "", "only processes whose name has this `TEXT` in it")
	f.BoolVar(&o.json, "json", false, "print ECS documents, one a line, as a sink would get them")
	if o.failed != nil {
		f.BoolVar(&o.onlyFailed, "x", false, "only what failed")
	}
	if o.failures != nil {
		f.BoolVar(&o.withFailed, "x", false, "what failed too")
	}
	if o.ports != nil {
		f.StringVar(&o.onPorts, "P", "", "only these `PORTS`, separated by commas")
	}
}

// kinds are those that are looked at.
func (o *options) kinds() []*schema.Kind {
	if o.withFailed {
		return []*schema.Kind{o.kind, o.failures}
	}
	return []*schema.Kind{o.kind}
}

// filter is what the flags leave of the events.
type filter struct {
	options
	onPIDs, onPort []uint64
	uid            uint64
}

func (o *options) filter() (*filter, error) {
	f := &filter{options: *o}
	var err error
	if f.onPIDs, err = numbers("-p", o.pids, 32); err != nil {
		return nil, err
	}
	if f.onPort, err = numbers("-P", o.onPorts, 16); err != nil {
		return nil, err
	}
	if o.user != "" {
		f.uid, err = uidOf(o.user)
	}
	return f, err
}

func numbers(name, list string, bits int) (all []uint64, err error) {
	if list == "" {
		return nil, nil
	}
	for word := range strings.SplitSeq(list, ",") {
		n, err := strconv.ParseUint(word, 10, bits)
		if err != nil {
			return nil, cli.Usagef("%s %q: write numbers, separated by commas", name, list)
		}
		all = append(all, n)
	}
	return all, nil
}

func uidOf(name string) (uint64, error) {
	if n, err := strconv.ParseUint(name, 10, 32); err == nil {
		return n, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, cli.Usagef("-u %q: %v", name, err)
	}
	return strconv.ParseUint(u.Uid, 10, 32)
}

func (f *filter) passes(r row) bool {
	return f.passesActor(r) && (!f.onlyFailed || f.failed(r)) && (f.onPort == nil || slices.ContainsFunc(f.ports(r), func(port uint32) bool {
		return slices.Contains(f.onPort, uint64(port))
	}))
}

// passesActor leaves out events whose process is not known where a flag asks for some processes alone.
func (f *filter) passesActor(r row) bool {
	if r.process() == 0 {
		return f.onPIDs == nil && f.user == "" && f.name == ""
	}
	return (f.onPIDs == nil || slices.Contains(f.onPIDs, uint64(look.TGID(r.Proto(), r.process())))) &&
		(f.user == "" || r.credentials() > 0 && uint64(schema.At(r.Proto().Credentials.Euid, int(r.credentials()-1))) == f.uid) &&
		strings.Contains(r.comm(), f.name)
}
