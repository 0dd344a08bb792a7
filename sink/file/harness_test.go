package file

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/sinktest"
)

// small rotates after every few requests.
func small(directory string) *Config {
	cfg := Default()
	cfg.Directory, cfg.RotateBytes = directory, 64*config.KiB
	return cfg
}

// large does not rotate in a test.
func large(directory string) *Config {
	cfg := Default()
	cfg.Directory = directory
	return cfg
}

func open(t *testing.T, cfg *Config) sink.Sink {
	t.Helper()
	if err := cfg.Validate(); err != nil {
		t.Fatal(err)
	}
	s, err := cfg.Open(t.Context(), env(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func env(t *testing.T) sink.Env {
	return sink.Env{Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
}

func deliver(t *testing.T, s sink.Sink, b *sink.Batch) error {
	t.Helper()
	var rows []sink.Row
	for row := range b.Rows() {
		rows = append(rows, row)
	}
	_, err := s.Deliver(t.Context(), rows)
	return err
}

func mustDeliver(t *testing.T, s sink.Sink, rows int) {
	t.Helper()
	if err := deliver(t, s, sinktest.Batch(t, rows)); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if info, err := os.Lstat(to); err == nil && info.IsDir() {
		if err := os.Remove(to); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// names lists a directory, rotated files by the form of their names alone.
func names(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		name := e.Name()
		if at, ok := parseRotated(name); ok {
			name = strings.Replace(name, at.Format(stampLayout), "TIME", 1)
		}
		list = append(list, name)
	}
	return list
}

// lines are the documents of all files of a directory.
func lines(t *testing.T, directory string) [][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(directory, "events*.ndjson*"))
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for _, path := range paths {
		for line := range bytes.Lines(read(t, path)) {
			list = append(list, bytes.TrimSuffix(line, []byte("\n")))
		}
	}
	return list
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(path, compressed) {
		return data
	}
	z, err := zstd.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if data, err = io.ReadAll(z); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return data
}
