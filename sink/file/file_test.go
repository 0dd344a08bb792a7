package file

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/internal/config"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/sinktest"
)

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(t *testing.T) sinktest.Harness {
		directory := filepath.Join(t.TempDir(), "events")
		return sinktest.Harness{
			Open: func(t *testing.T) sink.Sink {
				cfg := small(directory)
				cfg.Compress = true
				return open(t, cfg)
			},
			Documents: func(t *testing.T) [][]byte { return lines(t, directory) },
			Break: func(t *testing.T) func() {
				aside := filepath.Join(directory, "aside")
				rename(t, filepath.Join(directory, current), aside)
				if err := os.Mkdir(filepath.Join(directory, current), 0o700); err != nil {
					t.Fatal(err)
				}
				return func() { rename(t, aside, filepath.Join(directory, current)) }
			},
		}
	})
}

func TestFilesAreOfTheOwnerAndReadableByTheGroup(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	directory := filepath.Join(t.TempDir(), "a", "events")
	mustDeliver(t, open(t, small(directory)), 1)
	for path, want := range map[string]fs.FileMode{directory: 0o750 | fs.ModeDir, filepath.Join(directory, current): 0o640} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %s, want %s", path, info.Mode(), want)
		}
	}
}

func TestTheTornLineOfACrashIsCut(t *testing.T) {
	tests := map[string]struct{ before, after string }{
		"nothing torn":        {"{\"a\":1}\n{\"b\":2}\n", "{\"a\":1}\n{\"b\":2}\n"},
		"last line torn":      {"{\"a\":1}\n{\"b\":", "{\"a\":1}\n"},
		"only line torn":      {"{\"a\"", ""},
		"empty":               {"", ""},
		"torn line is long":   {"{\"a\":1}\n" + strings.Repeat("x", 200<<10), "{\"a\":1}\n"},
		"line's end missing":  {"{\"a\":1}\n{\"b\":2}", "{\"a\":1}\n"},
		"zeros after a crash": {"{\"a\":1}\n\x00\x00\x00", "{\"a\":1}\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			path := filepath.Join(directory, current)
			if err := os.WriteFile(path, []byte(test.before), 0o640); err != nil {
				t.Fatal(err)
			}
			s := open(t, small(directory))
			if diff := cmp.Diff(test.after, string(read(t, path))); diff != "" {
				t.Error(diff)
			}
			mustDeliver(t, s, 1)
			if got := read(t, path); !bytes.HasPrefix(got, []byte(test.after+`{"@timestamp"`)) {
				t.Errorf("events do not follow: %.200q", got)
			}
		})
	}
}

func TestLinksAndOtherThingsAreRefused(t *testing.T) {
	tests := map[string]struct {
		prepare func(directory, outside string) error
		want    string
	}{
		"directory is a link": {func(directory, outside string) error {
			return errors.Join(os.Remove(directory), os.Symlink(filepath.Dir(outside), directory))
		}, "is a symbolic link"},
		"file is a link": {func(directory, outside string) error { return os.Symlink(outside, filepath.Join(directory, current)) }, "is no file but L"},
		"file is a link that stays inside": {func(directory, _ string) error {
			return errors.Join(os.WriteFile(filepath.Join(directory, "other"), nil, 0o600), os.Symlink("other", filepath.Join(directory, current)))
		}, "is no file but L"},
		"file is a pipe":      {func(directory, _ string) error { return syscall.Mkfifo(filepath.Join(directory, current), 0o600) }, "is no file but p"},
		"file is a directory": {func(directory, _ string) error { return os.Mkdir(filepath.Join(directory, current), 0o700) }, "is no file but d"},
		"directory is a file": {func(directory, _ string) error {
			return errors.Join(os.Remove(directory), os.WriteFile(directory, nil, 0o600))
		}, "not a directory"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			directory, outside := filepath.Join(t.TempDir(), "events"), filepath.Join(t.TempDir(), "outside")
			if err := errors.Join(os.Mkdir(directory, 0o750), os.WriteFile(outside, []byte("precious"), 0o600)); err != nil {
				t.Fatal(err)
			}
			if err := test.prepare(directory, outside); err != nil {
				t.Fatal(err)
			}
			_, err := small(directory).Open(t.Context(), env(t))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			if got := string(read(t, outside)); got != "precious" {
				t.Errorf("the file outside now holds %q", got)
			}
		})
	}
}

func TestASecondWeirIsKeptOut(t *testing.T) {
	directory := t.TempDir()
	s := open(t, small(directory))
	if _, err := small(directory).Open(t.Context(), env(t)); err == nil || !strings.Contains(err.Error(), "another weir") {
		t.Errorf("error %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, small(directory))
}

func TestRotatesBySizeAndRemovesTheOldest(t *testing.T) {
	directory := t.TempDir()
	cfg := small(directory)
	cfg.KeepFiles, cfg.Compress = 2, true
	s := open(t, cfg)
	for range 12 {
		mustDeliver(t, s, 16) // 50 KB: two long messages
	}
	if diff := cmp.Diff([]string{"events-TIME.ndjson.zst", "events-TIME.ndjson.zst", current}, names(t, directory)); diff != "" {
		t.Error(diff)
	}
}

func TestTotalSizeIsBounded(t *testing.T) {
	directory := t.TempDir()
	cfg := small(directory)
	cfg.KeepBytes = 256 * config.KiB
	s := open(t, cfg)
	for range 20 {
		mustDeliver(t, s, 16)
	}
	total := 0
	for _, line := range lines(t, directory) {
		total += len(line) + 1
	}
	if bound := int(cfg.KeepBytes + cfg.RotateBytes); total > bound || total < bound/2 {
		t.Errorf("%d bytes are kept, want at most %d and not much less", total, bound)
	}
}

func TestRotatesByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory := t.TempDir()
		cfg := small(directory)
		cfg.RotateAge = time.Hour
		s := open(t, cfg)
		for range 3 {
			mustDeliver(t, s, 1)
			time.Sleep(40 * time.Minute) // the bubble's time
		}
		mustDeliver(t, s, 1)
		if diff := cmp.Diff([]string{"events-TIME.ndjson", current}, names(t, directory)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNamesStayInOrderWhenTheClockIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		directory := t.TempDir()
		later := rotatedName(time.Now().Add(time.Hour))
		if err := os.WriteFile(filepath.Join(directory, later), []byte("{}\n"), 0o640); err != nil {
			t.Fatal(err)
		}
		s := open(t, small(directory))
		for range 5 {
			mustDeliver(t, s, 24)
		}
		j := s.(*Sink).journal
		files, err := j.rotated()
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 5 || files[0].name != later {
			t.Errorf("files %v, want %s and four behind it", files, later)
		}
	})
}

func TestALeftoverOfACrashIsCompressedAnew(t *testing.T) {
	directory := t.TempDir()
	plain := filepath.Join(directory, rotatedName(time.Now().Add(-time.Hour)))
	for path, content := range map[string]string{plain: "{\"a\":1}\n", plain + compressed: "half of it", plain + compressed + unfinished: "x"} {
		if err := os.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	cfg := small(directory)
	cfg.Compress = true
	s := open(t, cfg)
	for range 2 {
		mustDeliver(t, s, 32)
	}
	if got := string(read(t, plain+compressed)); got != "{\"a\":1}\n" {
		t.Errorf("compressed file holds %q", got)
	}
	if diff := cmp.Diff([]string{"events-TIME.ndjson.zst", "events-TIME.ndjson.zst", current}, names(t, directory)); diff != "" {
		t.Error(diff)
	}
}

func TestAFileThatSomebodyRemovesOrMovesLosesNoEvent(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"removed":   os.Remove,
		"moved":     func(path string) error { return os.Rename(path, path+".1") },
		"truncated": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			s := open(t, small(directory))
			mustDeliver(t, s, 3)
			if err := harm(filepath.Join(directory, current)); err != nil {
				t.Fatal(err)
			}
			b := sinktest.Batch(t, 3)
			if err := deliver(t, s, b); err == nil {
				t.Fatal("events were accepted that nobody can find")
			}
			if err := deliver(t, s, b); err != nil {
				t.Fatal(err)
			}
			for row := range b.Len() {
				id := b.EventID(row).String()
				if !slices.ContainsFunc(lines(t, directory), func(line []byte) bool { return bytes.Contains(line, []byte(id)) }) {
					t.Errorf("event %s is lost", id)
				}
			}
		})
	}
}

// TestAFullDiskLosesNothing mounts a small file system: it needs root, as weir's tests do.
func TestAFullDiskLosesNothing(t *testing.T) {
	directory := t.TempDir()
	if err := syscall.Mount("weir-test", directory, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mount tmpfs: %v; run the tests as root", err)
	}
	defer func() {
		if err := syscall.Unmount(directory, 0); err != nil {
			t.Error(err)
		}
	}()
	s := open(t, large(directory))
	defer s.Close()
	ballast := filepath.Join(directory, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 200<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	mustDeliver(t, s, 1)
	before := read(t, filepath.Join(directory, current))
	b := sinktest.Batch(t, 64) // 200 KB
	if err := deliver(t, s, b); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("error %v, want that the disk is full", err)
	}
	if after := read(t, filepath.Join(directory, current)); !bytes.Equal(before, after) {
		t.Errorf("%d bytes of the failed request stay", len(after)-len(before))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := deliver(t, s, b); err != nil {
		t.Fatal(err)
	}
	if got := len(lines(t, directory)); got != 1+b.Len() {
		t.Errorf("%d lines, want %d", got, 1+b.Len())
	}
}

func TestConfigNamesEveryFault(t *testing.T) {
	if err := Default().Validate(); err != nil {
		t.Error(err)
	}
	err := (&Config{Directory: "here", KeepBytes: 1, RotateBytes: 1, KeepFiles: -1}).Validate()
	for _, key := range []string{"directory", "rotate_bytes", "rotate_age", "keep_bytes", "keep_files"} {
		if err == nil || !strings.Contains(err.Error(), key+": ") {
			t.Errorf("no fault names %s: %v", key, err)
		}
	}
}

// same renders every row alike: what is measured is the sink.
type same string

func (d same) Append(dst []byte, _ batch.Row) []byte { return append(dst, d...) }

func BenchmarkDeliver(b *testing.B) {
	cfg := Default()
	cfg.Directory = b.TempDir()
	s, err := cfg.Open(b.Context(), sink.Env{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	var rows []sink.Row
	source := sinktest.Batch(b, 1000)
	source.Documents = same(`{"@timestamp":"2026-11-24T07:36:31.123456Z","event":{"kind":"event"},"message":"` + strings.Repeat("x", 900) + `"}`)
	for row := range source.Rows() {
		rows = append(rows, row)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Deliver(b.Context(), rows); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(rows)), "ns/event")
}
