package file

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
)

const (
	stampLayout = "20060102T150405.000Z"
	compressed  = ".zst"
	unfinished  = ".tmp"
)

// rotated is a file that is not written any more.
type rotated struct {
	name  string
	at    time.Time
	bytes int64
}

func rotatedName(at time.Time) string { return "events-" + at.UTC().Format(stampLayout) + ".ndjson" }

// parseRotated tells rotated files from what else is in the directory, which is left alone.
func parseRotated(name string) (time.Time, bool) {
	stamp, isRotated := strings.CutPrefix(strings.TrimSuffix(name, compressed), "events-")
	stamp, isLines := strings.CutSuffix(stamp, ".ndjson")
	at, err := time.Parse(stampLayout, stamp)
	return at, isRotated && isLines && err == nil
}

// rotated lists the rotated files, the oldest first.
func (j *journal) rotated() ([]rotated, error) {
	entries, err := fs.ReadDir(j.root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var files []rotated
	for _, e := range entries {
		at, ok := parseRotated(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		files = append(files, rotated{e.Name(), at, info.Size()})
	}
	slices.SortFunc(files, func(a, b rotated) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name)) })
	return files, nil
}

// tidy compresses what is not compressed yet, and removes the oldest files beyond what is kept.
func (s *Sink) tidy() error {
	files, err := s.journal.rotated()
	if err != nil {
		return err
	}
	var errs []error
	for i, f := range files {
		if s.config.Compress && !strings.HasSuffix(f.name, compressed) {
			files[i], err = s.journal.compress(f)
			errs = append(errs, err)
		}
	}
	for _, f := range s.excess(files) {
		err := s.journal.root.Remove(f.name)
		errs = append(errs, err)
		if err == nil {
			s.log.Info("oldest file removed", "file", f.name, "bytes", f.bytes)
		}
	}
	return errors.Join(errs...)
}

// excess are the oldest files, by which the bounds are exceeded.
func (s *Sink) excess(files []rotated) []rotated {
	total := int64(s.config.RotateBytes) // the current file's share
	for _, f := range files {
		total += f.bytes
	}
	for i, f := range files {
		tooMany := s.config.KeepFiles > 0 && len(files)-i > s.config.KeepFiles
		tooLarge := s.config.KeepBytes > 0 && total > int64(s.config.KeepBytes)
		if !tooMany && !tooLarge {
			return files[:i]
		}
		total -= f.bytes
	}
	return files
}

// compress puts a compressed file in the place of f. A crash leaves an unfinished file, or both: the next
// tidy makes it anew.
func (j *journal) compress(f rotated) (rotated, error) {
	name := strings.TrimSuffix(f.name, compressed) + compressed
	size, err := j.compressTo(name+unfinished, f.name)
	if err != nil {
		return f, fmt.Errorf("compress %s: %w", f.name, errors.Join(err, ignoreMissing(j.root.Remove(name+unfinished))))
	}
	if err := j.root.Rename(name+unfinished, name); err != nil {
		return f, err
	}
	if err := j.lock.Sync(); err != nil {
		return f, err
	}
	return rotated{name, f.at, size}, j.root.Remove(f.name)
}

func (j *journal) compressTo(to, from string) (int64, error) {
	in, err := j.root.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if err := ignoreMissing(j.root.Remove(to)); err != nil {
		return 0, err
	}
	out, err := j.root.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return 0, err
	}
	err = copyCompressed(out, in)
	info, statErr := out.Stat()
	if err := errors.Join(err, statErr, out.Close()); err != nil {
		return 0, err
	}
	return info.Size(), nil
}

func copyCompressed(out *os.File, in io.Reader) error {
	z, err := zstd.NewWriter(out, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	if _, err := io.Copy(z, in); err != nil {
		return errors.Join(err, z.Close())
	}
	if err := z.Close(); err != nil {
		return err
	}
	return out.Sync()
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
