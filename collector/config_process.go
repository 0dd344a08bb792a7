package collector

import (
	"errors"
	"regexp"
	"slices"

	"github.com/weirproject/weir/collector/redact"
	"github.com/weirproject/weir/internal/config"
)

// RedactConfig says what is a secret.
type RedactConfig struct {
	// Built-in rules that hold: docs/security.md tells what each is about. An empty list turns them off.
	Builtin []BuiltinRule `yaml:"builtin"`
	// Further rules.
	Rules []RedactRule `yaml:"rules"`
}

// RedactRule is a rule of the configuration.
type RedactRule struct {
	// Name by which events tell that the rule found something.
	Name string `yaml:"name"`
	// Regular expression (RE2) over all arguments, each ended by a NUL byte, \x00. What its groups match is
	// replaced, or without groups what it matches. One without a fixed text of two characters is tried on every exec.
	Pattern string `yaml:"pattern"`
}

// BuiltinRule is the name of a built-in rule.
type BuiltinRule string

// Words implements config's enums.
func (BuiltinRule) Words() []string { return redact.Builtin() }

func builtinRules() (rules []BuiltinRule) {
	for _, name := range redact.Builtin() {
		rules = append(rules, BuiltinRule(name))
	}
	return rules
}

var ruleName = regexp.MustCompile(`^[a-z0-9_]{1,32}$`)

// Validate implements config.Validator.
func (r *RedactRule) Validate() error {
	var errs []error
	if !ruleName.MatchString(r.Name) || slices.Contains(redact.Builtin(), r.Name) {
		errs = append(errs, config.Invalid("name", "%q is no name of a rule; write up to 32 of a-z, 0-9 and _, and none of a built-in rule", r.Name))
	}
	if _, err := redact.New(nil, []redact.Rule{{Name: r.Name, Pattern: r.Pattern}}); r.Pattern == "" || err != nil {
		errs = append(errs, config.Invalid("pattern", "%q is no expression of RE2 of at most %d bytes", r.Pattern, redact.MaxPattern))
	}
	return errors.Join(errs...)
}

// Validate implements config.Validator.
func (c *RedactConfig) Validate() error {
	if len(c.Rules) > redact.MaxRules {
		return config.Invalid("rules", "%d rules are too many; write at most %d", len(c.Rules), redact.MaxRules)
	}
	return nil
}

// redactor has the rules of the configuration.
func (c *RedactConfig) redactor() (*redact.Redactor, error) {
	var builtin []string
	for _, name := range c.Builtin {
		builtin = append(builtin, string(name))
	}
	var rules []redact.Rule
	for _, r := range c.Rules {
		rules = append(rules, redact.Rule{Name: r.Name, Pattern: r.Pattern})
	}
	return redact.New(builtin, rules)
}

// ExecutablesConfig bounds the reading of executables.
type ExecutablesConfig struct {
	// How much may be read a second; what was not used of four seconds may be read at once. However much that is, it
	// takes no more than 5 % of a core. 0B: nothing is read, and the collector keeps two capabilities less.
	BytesPerSecond config.Size `yaml:"bytes_per_second"`
	// Size of a file beyond which it is not read, but for its capabilities.
	MaxBytes config.Size `yaml:"max_bytes"`
}

// Validate implements config.Validator.
func (c *ExecutablesConfig) Validate() error {
	var errs []error
	if c.BytesPerSecond != 0 && (c.BytesPerSecond < config.MiB || c.BytesPerSecond > config.GiB) {
		errs = append(errs, config.Invalid("bytes_per_second", "%s is out of range; write 1MiB to 1GiB, or 0B", c.BytesPerSecond))
	}
	if c.MaxBytes < config.MiB {
		errs = append(errs, config.Invalid("max_bytes", "%s is too small; write 1MiB or more", c.MaxBytes))
	}
	return errors.Join(errs...)
}

// VariableName is the name of a variable of the environment, or with a * at its end the beginning of names.
type VariableName string

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}\*?$`)

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *VariableName) UnmarshalText(text []byte) error {
	if !variableName.Match(text) {
		return errors.New("no name of a variable")
	}
	*n = VariableName(text)
	return nil
}

// Expect implements config.Expecter.
func (VariableName) Expect() (what, write string) {
	return "the name of a variable", "one such as LD_PRELOAD, or LD_* for all that begin so"
}

func variables(names []VariableName) (all []string) {
	for _, n := range names {
		all = append(all, string(n))
	}
	return all
}
