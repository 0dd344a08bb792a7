// Package redact takes what looks like a secret out of arguments and environments, before anything keeps them.
//
//	arguments ──► scanner: is there a text that a rule looks for? ──no──► as they are
//	                  │ at each such place
//	                  ├──► built-in rule: looks around that place ──┐
//	                  └──► rule of the configuration: RE2 ──────────┴──► what is secret becomes [redacted]
//
// Ordinary arguments are looked at once, by a table. The built-in rules are code, as whoever executes programs
// could make Go's regular expressions, and with them the collector, too slow (docs/decisions/0021). The texts of a
// configured rule are those that its own expression requires, so that the two cannot disagree. BenchmarkRedact has
// ordinary and hostile arguments.
//
// It is a core, and not safe for concurrent use.
package redact

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Mark is what stands in place of a secret, however long that was.
const Mark = "[redacted]"

const (
	// MaxRules is how many configured rules there may be at most.
	MaxRules = 32
	// MaxPattern bounds the length of an expression.
	MaxPattern = 1024
	// maxMatches bounds the matches of one expression, and with them its time: what comes after them is a secret.
	maxMatches = 64
)

// Rule is one of the configuration.
type Rule struct {
	Name string
	// Pattern is a regular expression over all arguments, each ended by a NUL byte. What its groups match is a
	// secret; without groups, what it matches.
	Pattern string
}

// Redactor applies rules.
type Redactor struct {
	rules   []rule
	scanner scanner
	look    lookFunc
	pass    pass
	out     []byte
}

// rule finds secrets where one of its texts is.
type rule struct {
	name  string
	texts []string
	// expression says that the texts are those of an expression that knows no case.
	expression bool
	// find adds the secrets to which the text that ends at end belongs, and reports whether it is done with all of p.
	find func(p *pass, end int) (done bool)
}

// pass is one look at one text.
type pass struct {
	text    []byte
	secrets []span
	covered span // the last secret that a rule found around one place: what is in it needs no look
}

type span struct{ from, to int }

func (p *pass) add(from, to int) {
	if from < to {
		p.secrets = append(p.secrets, span{from, to})
	}
}

// New returns a redactor with the built-in rules of these names, and with the configured ones.
func New(builtin []string, configured []Rule) (*Redactor, error) {
	if len(configured) > MaxRules {
		return nil, fmt.Errorf("%d rules, at most %d", len(configured), MaxRules)
	}
	r := &Redactor{}
	for _, rule := range builtins() {
		if slices.Contains(builtin, rule.name) {
			r.rules = append(r.rules, rule)
		}
	}
	for _, c := range configured {
		rule, err := c.compile()
		if err != nil {
			return nil, fmt.Errorf("rule %s: %w", c.Name, err)
		}
		r.rules = append(r.rules, rule)
	}
	r.scanner, r.look = newScanner(r.rules), r.lookAt
	return r, nil
}

// Builtin returns the names of the built-in rules.
func Builtin() (names []string) {
	for _, r := range builtins() {
		if !slices.Contains(names, r.name) {
			names = append(names, r.name)
		}
	}
	return names
}

func (c Rule) compile() (rule, error) {
	if len(c.Pattern) > MaxPattern {
		return rule{}, fmt.Errorf("its pattern is longer than %d bytes", MaxPattern)
	}
	pattern, err := regexp.Compile(c.Pattern)
	if err != nil {
		return rule{}, err
	}
	find := func(p *pass, _ int) bool { p.match(pattern); return true }
	return rule{name: c.Name, texts: requiredTexts(c.Pattern), expression: true, find: find}, nil
}

// match adds what the pattern's groups match.
func (p *pass) match(pattern *regexp.Regexp) {
	matches := pattern.FindAllSubmatchIndex(p.text, maxMatches)
	for _, m := range matches {
		if len(m) > 2 {
			m = m[2:]
		}
		for ; len(m) > 0; m = m[2:] {
			p.add(m[0], m[1])
		}
	}
	if len(matches) == maxMatches {
		p.add(matches[maxMatches-1][1], len(p.text))
	}
}

// Redact returns the arguments, or the environment, with every secret replaced by Mark, and the names of the rules
// that found some, joined by commas. Where none did, it returns text itself; else what it returns is valid until the
// next call. The NUL bytes stay: there are as many arguments as before.
func (r *Redactor) Redact(text []byte) (clean []byte, names string) {
	r.pass = pass{text: text, secrets: r.pass.secrets[:0]}
	hits := r.scanner.scan(text, r.look)
	if len(r.pass.secrets) == 0 {
		return text, ""
	}
	return r.replace(), r.names(hits)
}

// lookAt lets the rules look at the place before end, and returns those that found a secret. done are those that need
// not look any more.
func (r *Redactor) lookAt(end int, rules uint64, done *uint64) (hits uint64) {
	for i := range r.rules {
		bit := uint64(1) << i
		if rules&bit == 0 || *done&bit != 0 {
			continue
		}
		before := len(r.pass.secrets)
		if r.rules[i].find(&r.pass, end) {
			*done |= bit
		}
		if len(r.pass.secrets) > before {
			hits |= bit
		}
	}
	return hits
}

func (r *Redactor) names(hits uint64) string {
	var names []string
	for i := range r.rules {
		if hits&(1<<i) != 0 && !slices.Contains(names, r.rules[i].name) {
			names = append(names, r.rules[i].name)
		}
	}
	return strings.Join(names, ",")
}

// replace puts Mark in place of the secrets.
func (r *Redactor) replace() []byte {
	text, all := r.pass.text, r.pass.secrets
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	r.out = r.out[:0]
	done := 0
	for i := 0; i < len(all); {
		at := all[i]
		for i++; i < len(all) && all[i].from <= at.to; i++ {
			at.to = max(at.to, all[i].to)
		}
		r.out = append(r.out, text[done:at.from]...)
		r.out = appendMarks(r.out, text[at.from:at.to])
		done = at.to
	}
	return append(r.out, text[done:]...)
}

// appendMarks keeps the NUL bytes of what is a secret.
func appendMarks(out, secret []byte) []byte {
	for {
		part, rest, more := bytes.Cut(secret, []byte{0})
		if len(part) > 0 {
			out = append(out, Mark...)
		}
		if !more {
			return out
		}
		out = append(out, 0)
		secret = rest
	}
}
