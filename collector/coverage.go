package collector

import (
	"fmt"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/attach"
)

// rungs names the rung that each covered kind comes by.
func rungs(coverage []attach.Coverage) map[bpf.Kind]string {
	names := make(map[bpf.Kind]string)
	for _, c := range coverage {
		if c.Rung != nil {
			names[c.Kind] = c.Rung.String()
		}
	}
	return names
}

// coverageText is what weir.started and weir.heartbeat tell: "kind=rung", each ended by a NUL byte.
func coverageText(coverage []attach.Coverage) (text []byte) {
	for _, c := range coverage {
		text = append(text, c.Kind.String()+"="...)
		text = append(text, rungOrReason(c)...)
		text = append(text, 0)
	}
	return text
}

func rungOrReason(c attach.Coverage) string {
	switch {
	case c.Rung != nil:
		return c.Rung.String()
	case len(c.Refused) > 0:
		return "none: " + c.Refused[len(c.Refused)-1].Error()
	}
	return "none"
}

// checkRequired refuses to run without a kind that the configuration wants by all means.
func checkRequired(required []KindName, coverage []attach.Coverage) error {
	for _, name := range required {
		for _, c := range coverage {
			if c.Kind.String() == string(name) && c.Rung == nil {
				return fmt.Errorf("kind %s is required and has no rung on this kernel: %s", name, rungOrReason(c))
			}
		}
	}
	return nil
}
