package lane

import (
	"errors"
	"slices"
	"strings"

	"github.com/weirproject/weir/schema"
)

// Kinds chooses kinds: by name, such as "process.exec", or by their first word, such as "process.*".
type Kinds []Pattern

// Pattern is a kind, or all kinds with the same first word.
type Pattern string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (p *Pattern) UnmarshalText(text []byte) error {
	noun, verb, ok := strings.Cut(string(text), ".")
	if !ok || noun == "" || verb == "" || strings.ContainsAny(noun+verb, " .*?") && verb != "*" {
		return errors.New("no kind")
	}
	*p = Pattern(text)
	for k := range schema.Kinds() {
		if p.has(k.Name) {
			return nil
		}
	}
	return errors.New("no kind that this weir knows")
}

func (p Pattern) has(kind string) bool {
	noun, all := strings.CutSuffix(string(p), "*")
	return string(p) == kind || all && strings.HasPrefix(kind, noun)
}

// Expect implements [config.Expecter].
func (Pattern) Expect() (what, write string) {
	return "a kind of this weir", "one such as process.exec, or process.* for all that begin so"
}

// Has reports whether the kind is chosen. No patterns choose every kind.
func (k Kinds) Has(kind string) bool {
	return len(k) == 0 || slices.ContainsFunc(k, func(p Pattern) bool { return p.has(kind) })
}
