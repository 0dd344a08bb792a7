package lane

import (
	"errors"
	"slices"
	"strings"
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
	return nil
}

// Expect implements [config.Expecter].
func (Pattern) Expect() (what, write string) {
	return "a kind", "one such as process.exec, or process.* for all that begin so"
}

// Has reports whether the kind is chosen. No patterns choose every kind.
func (k Kinds) Has(kind string) bool {
	return len(k) == 0 || slices.ContainsFunc(k, func(p Pattern) bool {
		noun, all := strings.CutSuffix(string(p), "*")
		return string(p) == kind || all && strings.HasPrefix(kind, noun)
	})
}
