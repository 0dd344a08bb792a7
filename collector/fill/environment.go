package fill

import (
	"bytes"
	"strings"

	"github.com/weirproject/weir/bpf"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// allowed are names of variables, or their beginnings with a * behind.
type allowed []string

func (a allowed) has(name []byte) bool {
	for _, one := range a {
		if beginning, ok := strings.CutSuffix(one, "*"); ok && bytes.HasPrefix(name, []byte(beginning)) || string(name) == one {
			return true
		}
	}
	return false
}

// appendTo appends the variables of an environment that are allowed, each ended by a NUL byte.
func (a allowed) appendTo(dst, environment []byte) []byte {
	for len(environment) > 0 {
		variable, rest, _ := bytes.Cut(environment, []byte{0})
		if name, _, ok := bytes.Cut(variable, []byte("=")); ok && a.has(name) {
			dst = append(append(dst, variable...), 0)
		}
		environment = rest
	}
	return dst
}

func (f *Filler) environmentColumns(g *weirv1.ProcessExec, s *bpf.ExecSample) {
	f.text = f.allowed.appendTo(f.text[:0], s.Environment())
	clean, rules := f.redacted(f.text)
	g.Environment = append(g.Environment, f.draft.Text(clean))
	g.EnvironmentRedacted = append(g.EnvironmentRedacted, f.draft.Text([]byte(rules)))
	g.EnvironmentCut = append(g.EnvironmentCut, len(s.Environment()) < int(s.EnvironmentBytes))
}

// redacted returns the text without secrets, valid until the next call, and the rules that found some.
func (f *Filler) redacted(text []byte) (clean []byte, rules string) {
	if f.redact == nil {
		return text, ""
	}
	return f.redact.Redact(text)
}
