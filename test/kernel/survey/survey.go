// Package survey tells which rung each kind takes on the running kernel. It is the same on this machine and as
// the first thing that a guest of test/kernel does.
package survey

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/collector/attach"
)

// Survey is one kernel's.
type Survey struct {
	Release string // as uname has it
	Refused string // why weir runs not at all; empty: it runs
	Kinds   []Kind // in the order of their numbers
}

// Kind is which rung one kind takes.
type Kind struct {
	Name    string
	Rung    int      // its place in the ladder; 0: the kernel has none for it
	Refused []string // why not the rungs before it, in their order
}

// Take attaches the best rung of every kind, and detaches it again.
func Take() (Survey, error) {
	release, err := Release()
	if err != nil {
		return Survey{}, err
	}
	a, err := attach.New(attach.Default())
	if _, refused := errors.AsType[*attach.Refused](err); refused {
		return Survey{Release: release, Refused: err.Error()}, nil
	}
	if err != nil {
		return Survey{}, err
	}
	s := Survey{Release: release}
	for _, c := range a.Coverage() {
		s.Kinds = append(s.Kinds, newKind(c))
	}
	return s, a.Close()
}

func newKind(c attach.Coverage) Kind {
	k := Kind{Name: c.Kind.String()}
	if c.Rung != nil {
		k.Rung = c.Rung.Order
	}
	for _, r := range c.Refused {
		k.Refused = append(k.Refused, r.Error())
	}
	return k
}

// Release is the running kernel's, such as "6.12.117+deb13-cloud-amd64".
func Release() (string, error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "", fmt.Errorf("uname: %w", err)
	}
	return unix.ByteSliceToString(name.Release[:]), nil
}
