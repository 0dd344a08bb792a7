package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Size is a number of bytes, written with a unit: 512B, 64KiB, 16MiB, 5GiB, 1TiB, or 16MB for powers of
// ten.
type Size uint64

// Units of Size.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
	GiB Size = 1 << 30
)

type unit struct {
	name  string
	bytes uint64
}

// units are in the order in which String looks for the largest that divides a size.
func units() []unit {
	return []unit{
		{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
		{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1},
	}
}

// UnmarshalText reads a whole number with a unit.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "kKMGTiB")
	n, err := strconv.ParseUint(strings.TrimSuffix(digits, " "), 10, 64)
	if err != nil {
		return fmt.Errorf("size %.40q: no whole number", text)
	}
	for _, u := range units() {
		if u.name != string(text[len(digits):]) {
			continue
		}
		if n > math.MaxInt64/u.bytes {
			return fmt.Errorf("size %.40q: too large", text)
		}
		*s = Size(n * u.bytes)
		return nil
	}
	return fmt.Errorf("size %.40q: no unit", text)
}

// MarshalText is the inverse of UnmarshalText.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	for _, u := range units() {
		if s != 0 && uint64(s)%u.bytes == 0 {
			return fmt.Sprintf("%d%s", uint64(s)/u.bytes, u.name)
		}
	}
	return "0B"
}

// Expect implements [Expecter].
func (Size) Expect() (what, write string) {
	return "a size", "a number with a unit, such as 5GiB"
}

// Secret is a reference to a file that holds a secret: "file:/etc/weir/password". The secret itself is
// never part of a configuration, so that configurations can be shown, logged and committed.
type Secret struct{ path string }

// maxSecret bounds what is read: a password, a token, or a PEM file.
const maxSecret = 64 << 10

// NewSecret returns the reference to the file at an absolute path.
func NewSecret(path string) Secret { return Secret{path} }

// UnmarshalText reads a reference. Its errors do not repeat text, which may be the secret itself.
func (s *Secret) UnmarshalText(text []byte) error {
	path, ok := strings.CutPrefix(string(text), "file:")
	if !ok || !filepath.IsAbs(path) {
		return errors.New("is not a reference to a file; write file:/absolute/path, and the secret into that file")
	}
	s.path = path
	return nil
}

// IsZero reports whether no secret is configured.
func (s Secret) IsZero() bool { return s.path == "" }

// String returns the reference, never the secret.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "file:" + s.path
}

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// Expect implements [Expecter].
func (Secret) Expect() (what, write string) {
	return "a reference to a file", "file:/absolute/path"
}

// Read reads the secret, without the line's end that editors leave behind. It is read at each use, so
// that a rotated secret is taken up without a restart.
func (s Secret) Read() (string, error) {
	f, err := os.Open(s.path)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	text := strings.TrimRight(string(data), "\r\n")
	switch {
	case err != nil:
		return "", fmt.Errorf("read secret: %w", err)
	case len(data) > maxSecret:
		return "", fmt.Errorf("read secret %s: larger than %s", s.path, Size(maxSecret))
	case text == "":
		return "", fmt.Errorf("read secret %s: the file is empty", s.path)
	}
	return text, nil
}
