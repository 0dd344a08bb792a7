package stream_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/weirproject/weir/schema"
)

// event is what the tests want to know of an ECS document.
type event struct {
	Event struct {
		ID string `json:"id"`
	} `json:"event"`
	Process struct {
		PID       int      `json:"pid"`
		Args      []string `json:"args"`
		ArgsCount int      `json:"args_count"`
		ExitCode  int      `json:"exit_code"`
		Parent    struct {
			PID int `json:"pid"`
		} `json:"parent"`
	} `json:"process"`
	Source      endpoint `json:"source"`
	Destination endpoint `json:"destination"`
	Server      endpoint `json:"server"`
	Network     struct {
		Direction string `json:"direction"`
	} `json:"network"`
	Error struct {
		Code string `json:"code"`
	} `json:"error"`
	Cloud struct {
		Instance struct {
			ID string `json:"id"`
		} `json:"instance"`
	} `json:"cloud"`
	Service struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"service"`
	Message string `json:"message"`
	Weir    struct {
		Kind string `json:"kind"`
		Raw  struct {
			Process struct {
				Args string `json:"args"`
			} `json:"process"`
		} `json:"raw"`
		Exit struct {
			Signal string `json:"signal"`
		} `json:"exit"`
		Network struct {
			Mapped bool `json:"ipv4_mapped"`
			Sent   struct {
				Bytes int `json:"bytes"`
			} `json:"sent"`
			Received struct {
				Bytes int `json:"bytes"`
			} `json:"received"`
		} `json:"network"`
		Gap struct {
			Finding string `json:"finding"`
		} `json:"gap"`
		Loss struct {
			Kind   string `json:"kind"`
			Events int    `json:"events"`
			Place  string `json:"place"`
		} `json:"loss"`
	} `json:"weir"`
}

type endpoint struct {
	IP   netip.Addr `json:"ip"`
	Port uint16     `json:"port"`
}

func (e endpoint) addrPort() netip.AddrPort { return netip.AddrPortFrom(e.IP, e.Port) }

func decode(t *testing.T, document []byte) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(document, &e); err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	return e
}

// marked returns the events of a workload.
func marked(events []event, marker string) []event {
	return slices.DeleteFunc(slices.Clone(events), func(e event) bool { return !slices.Contains(e.Process.Args, marker) })
}

// fact is one thing that a workload did, by its own account or by an event's.
type fact struct {
	Kind string
	PID  int
	PPID int
	// Of an exec: the arguments' bytes, each ended by NUL, as text, and how many.
	Raw   string `json:",omitzero"`
	Text  string `json:",omitzero"`
	Count int    `json:",omitzero"`
	// Of an exit.
	Code   int    `json:",omitzero"`
	Signal string `json:",omitzero"`
	// Of a connection or a listener.
	Source      netip.AddrPort `json:",omitzero"`
	Destination netip.AddrPort `json:",omitzero"`
	Server      netip.AddrPort `json:",omitzero"`
	Direction   string         `json:",omitzero"`
	Errno       string         `json:",omitzero"`
	Mapped      bool           `json:",omitzero"`
	Sent        int            `json:",omitzero"`
	Received    int            `json:",omitzero"`
	// What the event is joined with.
	Instance string `json:",omitzero"`
	Service  string `json:",omitzero"`
	Version  string `json:",omitzero"`
}

func (f fact) String() string {
	text, err := json.Marshal(f)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// fact returns what the event says.
func (e event) fact() fact {
	f := fact{
		Kind: e.Weir.Kind, PID: e.Process.PID, PPID: e.Process.Parent.PID,
		Instance: e.Cloud.Instance.ID, Service: e.Service.Name, Version: e.Service.Version,
	}
	switch f.Kind {
	case schema.ProcessExec.Name:
		f.Raw, f.Text, f.Count = e.raw(), joined(e.Process.Args), e.Process.ArgsCount
	case schema.ProcessExit.Name:
		f.Code, f.Signal = e.Process.ExitCode, e.Weir.Exit.Signal
	default:
		f.Source, f.Destination, f.Server = e.Source.addrPort(), e.Destination.addrPort(), e.Server.addrPort()
		f.Direction, f.Errno, f.Mapped = e.Network.Direction, e.Error.Code, e.Weir.Network.Mapped
		f.Sent, f.Received = e.Weir.Network.Sent.Bytes, e.Weir.Network.Received.Bytes
	}
	return f
}

// raw returns the bytes of the arguments, which stand beside the text where that is not the same.
func (e event) raw() string {
	if e.Weir.Raw.Process.Args == "" {
		return joined(e.Process.Args)
	}
	raw, err := base64.StdEncoding.DecodeString(e.Weir.Raw.Process.Args)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func joined(args []string) string { return strings.Join(args, "\x00") + "\x00" }

// count counts facts by kind.
func count(facts []fact) map[string]int {
	n := map[string]int{}
	for _, f := range facts {
		n[f.Kind]++
	}
	return n
}

// shown bounds what a failure lists.
const shown = 12

// compare fails the test for each fact without an event, each event that tells no fact or tells one again, and
// each event id that comes twice.
func compare(t *testing.T, where string, facts []fact, events []event) {
	t.Helper()
	missing, more := difference(facts, events)
	for _, list := range []struct {
		what  string
		facts []fact
	}{{"missing", missing}, {"too many, or different", more}} {
		if n := len(list.facts); n > 0 {
			t.Errorf("%s: %d of %d facts, %d events: %s: %d\n%s", where, len(facts), len(facts), len(events), list.what, n, lines(list.facts))
		}
	}
	noneTwice(t, where, events)
}

// counted are the kinds whose events tell sums, and not one thing that was done.
var counted = map[string]bool{
	schema.CapabilityCheck.Name: true, schema.NetworkRetransmit.Name: true, schema.SocketCreate.Name: true, schema.BlockIo.Name: true,
}

// difference returns the facts that no event tells, and what events tell beyond the facts.
func difference(facts []fact, events []event) (missing, more []fact) {
	open := map[fact]int{}
	for _, f := range facts {
		open[f]++
	}
	for _, e := range events {
		f := e.fact()
		if counted[f.Kind] {
			continue
		}
		if open[f]--; open[f] < 0 {
			more = append(more, f)
		}
	}
	for f, n := range open {
		for range n {
			missing = append(missing, f)
		}
	}
	return missing, more
}

func noneTwice(t *testing.T, where string, events []event) {
	t.Helper()
	ids := map[string]int{}
	for _, e := range events {
		if ids[e.Event.ID]++; ids[e.Event.ID] == 2 {
			t.Errorf("%s: event %s is there twice: %s", where, e.Event.ID, e.fact())
		}
	}
}

func lines(facts []fact) string {
	var out strings.Builder
	for i, f := range facts {
		if i == shown {
			fmt.Fprintf(&out, "\tand %d more\n", len(facts)-shown)
			break
		}
		fmt.Fprintf(&out, "\t%s\n", f)
	}
	return out.String()
}
