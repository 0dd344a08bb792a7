package config

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSizesAreReadWithTheirUnit(t *testing.T) {
	for text, want := range map[string]Size{"0B": 0, "512B": 512, "64KiB": 64 << 10, "16 MiB": 16 << 20, "5GiB": 5 << 30, "1TiB": 1 << 40, "16MB": 16e6, "3kB": 3000} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "5", "5 gigs", "GiB", "-1B", "1.5GiB", "5Gi", "5GiBB", "9999999999TiB", "99999999999999999999B"} {
		var got Size
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: taken as %s", text, got)
		}
	}
}

func TestASizeReadsBackAsItIsWritten(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		want := Size(rng.Uint64() >> (1 + rng.UintN(63)))
		var got Size
		if err := got.UnmarshalText([]byte(want.String())); err != nil || got != want {
			t.Fatalf("%d is written %s and read as %d, %v", want, want, got, err)
		}
	}
}

func TestASecretIsReadAtUseAndNeverShown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := NewSecret(path)
	if got, err := s.Read(); err != nil || got != "hunter2" {
		t.Errorf("%q, %v", got, err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("sasl", "password", s)
	if !strings.Contains(log.String(), "file:"+path) {
		t.Error(log.String())
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(); err == nil {
		t.Errorf("an empty file is read as %q", got)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"max_bytes", "dir", "segment_bytes", "codec"}
	for word, want := range map[string]string{"max_byte": "max_bytes", "maxbytes": "max_bytes", "dri": "dir", "codex": "codec", "colour": "", "x": ""} {
		if got, _ := nearest(word, known); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}
