package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestKeyIsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	made, err := Key(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Key(dir)
	if err != nil || !made.Equal(again) {
		t.Errorf("second start: %v, the same key: %v", err, made.Equal(again))
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("the directory holds %v, error %v", files, err)
	}
}

func TestKeyOfTwoStartsAtOnceIsOne(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	keys := make([]string, 8)
	for i := range keys {
		wg.Go(func() {
			key, err := Key(dir)
			if err != nil {
				t.Error(err)
			}
			keys[i] = string(key)
		})
	}
	wg.Wait()
	for _, key := range keys {
		if key != keys[0] {
			t.Fatal("two keys were made")
		}
	}
}

func TestKeyRefusals(t *testing.T) {
	for _, tt := range []struct {
		name   string
		spoil  func(path string) error
		want   string
		unsafe bool
	}{
		{"a symbolic link", func(path string) error {
			return errors.Join(os.Rename(path, path+".real"), os.Symlink(path+".real", path))
		}, "is a symbolic link", true},
		{"a mode that lets others read", func(path string) error { return os.Chmod(path, 0o640) }, "has mode 0640", true},
		{"another owner", func(path string) error { return os.Chown(path, 65534, -1) }, "belongs to uid 65534 and weir runs as uid", true},
		{"a directory", func(path string) error { return errors.Join(os.Remove(path), os.Mkdir(path, 0o700)) }, "is no regular file", true},
		{"text", func(path string) error { return os.WriteFile(path, []byte("secret"), 0o600) }, "is not PEM; restore it", false},
		{"half a key", func(path string) error { return os.Truncate(path, 60) }, "is not PEM; restore it", false},
		{"a key of another kind", func(path string) error {
			return os.WriteFile(path, []byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"), 0o600)
		}, "restore it", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := Key(dir); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, keyFile)
			if err := tt.spoil(path); err != nil {
				t.Fatal(err)
			}
			_, err := Key(dir)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that names %s and %q", err, path, tt.want)
			}
			if _, ok := errors.AsType[*UnsafeKeyError](err); ok != tt.unsafe {
				t.Errorf("is an UnsafeKeyError: %v", ok)
			}
		})
	}
	if _, err := Key(filepath.Join(t.TempDir(), "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing directory: %v", err)
	}
}
