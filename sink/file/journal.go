package file

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	current = "events.ndjson"
	// Others may read events by group, nobody else: they hold command lines.
	fileMode      = 0o640
	directoryMode = 0o750
)

// journal is the current file of a locked directory. Its methods are called by one goroutine at a time.
type journal struct {
	root *os.Root
	lock *os.File
	log  *slog.Logger

	file    *os.File // nil: to be opened
	size    int64    // up to here it holds whole requests that are on disk
	written int64    // size and what the open request has written; size <= written
	began   time.Time
}

func openJournal(directory string, log *slog.Logger) (*journal, error) {
	j, err := lockDirectory(directory)
	if err != nil {
		return nil, fmt.Errorf("open file sink: %w", err)
	}
	j.log = log
	if err := j.ready(time.Now()); err != nil {
		_ = j.close() // the first error tells more
		return nil, fmt.Errorf("open file sink: %w", err)
	}
	return j, nil
}

func lockDirectory(directory string) (*journal, error) {
	if directory == "" {
		return nil, errors.New("directory is missing; write one, or configure a data directory")
	}
	if err := os.MkdirAll(directory, directoryMode); err != nil {
		return nil, err
	}
	// Who may change the parent could otherwise lead a privileged weir to write where it likes.
	switch info, err := os.Lstat(directory); {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s: is a symbolic link; write the directory that it leads to", directory)
	}
	root, err := os.OpenRoot(directory)
	if err != nil {
		return nil, err
	}
	lock, err := root.Open(".")
	if err != nil {
		_ = root.Close() // the first error tells more
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		_ = errors.Join(lock.Close(), root.Close())
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: another weir writes to it; give each a directory of its own", directory)
		}
		return nil, fmt.Errorf("lock %s: %w", directory, err)
	}
	return &journal{root: root, lock: lock}, nil
}

// ready opens the current file where it is not open.
func (j *journal) ready(now time.Time) error {
	if j.file != nil {
		return nil
	}
	known, err := j.root.Lstat(current)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return j.create(now)
	case err != nil:
		return err
	case !known.Mode().IsRegular():
		return fmt.Errorf("%s/%s: is no file but %s; remove it", j.root.Name(), current, known.Mode().Type())
	}
	f, err := j.root.OpenFile(current, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	if err := j.resume(f, known); err != nil {
		_ = f.Close() // the first error tells more
		return err
	}
	return nil
}

func (j *journal) create(now time.Time) error {
	f, err := j.root.OpenFile(current, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if err := j.lock.Sync(); err != nil {
		_ = f.Close() // the first error tells more
		return fmt.Errorf("sync %s: %w", j.root.Name(), err)
	}
	j.file, j.size, j.written, j.began = f, 0, 0, now
	return nil
}

// resume goes on with a file of an earlier process, or of a failed request.
func (j *journal) resume(f *os.File, known fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(known, info) {
		return fmt.Errorf("%s: was exchanged while it was opened", f.Name())
	}
	whole, err := lastLineEnd(f, info.Size())
	if err != nil {
		return err
	}
	if torn := info.Size() - whole; torn > 0 {
		if err := f.Truncate(whole); err != nil {
			return err
		}
		j.log.Warn("torn last line cut; its event comes again", "file", f.Name(), "bytes", torn)
	}
	j.file, j.size, j.written, j.began = f, whole, whole, birth(f, info)
	return nil
}

// lastLineEnd returns the offset behind the last line's end, by reading backwards.
func lastLineEnd(f io.ReaderAt, size int64) (int64, error) {
	buffer := make([]byte, 64<<10)
	for end := size; end > 0; {
		start := max(0, end-int64(len(buffer)))
		part := buffer[:end-start]
		if _, err := f.ReadAt(part, start); err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if i := bytes.LastIndexByte(part, '\n'); i >= 0 {
			return start + int64(i) + 1, nil
		}
		end = start
	}
	return 0, nil
}

// birth is when the file was made, or last written where the file system does not tell.
func birth(f *os.File, info fs.FileInfo) time.Time {
	var st unix.Statx_t
	err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return info.ModTime()
	}
	return time.Unix(st.Btime.Sec, int64(st.Btime.Nsec))
}

// write adds to the open request.
func (j *journal) write(p []byte) error {
	n, err := j.file.Write(p)
	j.written += int64(n)
	return err
}

// commit brings the open request to disk.
func (j *journal) commit() error {
	if err := j.file.Sync(); err != nil {
		return err
	}
	if err := j.check(); err != nil {
		return err
	}
	j.size = j.written
	return nil
}

// check makes sure that the current file's name still leads to the file that is written.
func (j *journal) check() error {
	named, err := j.root.Lstat(current)
	if err != nil {
		return err
	}
	info, err := j.file.Stat()
	switch {
	case err != nil:
		return err
	case !os.SameFile(named, info):
		return fmt.Errorf("%s: is another file than the one that is written; rotation is weir's own", j.file.Name())
	case info.Size() != j.written:
		return fmt.Errorf("%s: has %d bytes in place of %d; somebody else changes it", j.file.Name(), info.Size(), j.written)
	}
	return nil
}

// abandon cuts off what the open request has written, as far as that can be done, and leaves it to ready to
// look at the file anew: after a failed fsync its pages in memory tell nothing of those on disk.
func (j *journal) abandon() {
	if j.file == nil {
		return
	}
	info, err := j.file.Stat()
	if err == nil && info.Size() > j.size { // a shorter one would be filled with zeros
		err = j.file.Truncate(j.size)
	}
	if err != nil {
		j.log.Warn("failed request cannot be cut off; its events come again", "file", j.file.Name(), "err", err)
	}
	_ = j.file.Close() // what matters of it is on disk
	j.file = nil
}

// rotate gives the current file its lasting name. It is whole and on disk; ready opens the next.
func (j *journal) rotate(now time.Time) error {
	if err := j.check(); err != nil {
		j.abandon()
		return err
	}
	files, err := j.rotated()
	if err != nil {
		return err
	}
	if n := len(files); n > 0 && !now.After(files[n-1].at) {
		now = files[n-1].at.Add(time.Millisecond) // the clock was set back, or two rotations fell into one ms
	}
	_ = j.file.Close() // what matters of it is on disk
	j.file = nil
	if err := j.root.Rename(current, rotatedName(now)); err != nil {
		return err
	}
	return j.lock.Sync()
}

func (j *journal) close() error {
	var errs []error
	if j.file != nil {
		errs = append(errs, j.file.Close())
	}
	return errors.Join(append(errs, j.lock.Close(), j.root.Close())...)
}
