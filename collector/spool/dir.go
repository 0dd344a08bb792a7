package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// UnsafeError says why a directory is not used as a spool, and what to do.
type UnsafeError struct {
	Path   string
	Reason string
}

func (e *UnsafeError) Error() string { return e.Path + " " + e.Reason }

// InUseError says that another process has the spool.
type InUseError struct {
	PID int // 0 where it did not say
}

func (e *InUseError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = "process " + strconv.Itoa(e.PID)
	}
	return "in use by " + who + "; stop it, or give this collector a directory of its own"
}

// openDir opens the directory, which it makes where it is missing: owned by us, closed to others, no
// symbolic link, and none in it.
func openDir(path string) (*os.Root, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("%w; make the directory, or name another", err)
	}
	named, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if named.Mode()&fs.ModeSymlink != 0 {
		return nil, &UnsafeError{path, "is a symbolic link; name the directory that it points to"}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	if err := checkDir(root, path, named); err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

func checkDir(root *os.Root, path string, named fs.FileInfo) error {
	info, err := root.Stat(".")
	switch {
	case err != nil:
		return err
	case !os.SameFile(info, named):
		return &UnsafeError{path, "was exchanged while it was opened; somebody else can write to the directory above it"}
	}
	if err := checkOwner(path, info); err != nil {
		return err
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return &UnsafeError{path, fmt.Sprintf("has mode %04o, open to others; chmod 0700 it", mode)}
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := root.Lstat(e.Name())
		if err != nil {
			return err
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return &UnsafeError{path + "/" + e.Name(), "is a symbolic link; a spool holds none: remove it"}
		}
		if err := checkOwner(path+"/"+e.Name(), info); err != nil {
			return err
		}
	}
	return nil
}

func checkOwner(path string, info fs.FileInfo) error {
	if owner := info.Sys().(*syscall.Stat_t).Uid; int(owner) != os.Geteuid() {
		return &UnsafeError{path, fmt.Sprintf("belongs to uid %d and weir runs as uid %d; chown it, or name another directory", owner, os.Geteuid())}
	}
	return nil
}

// lockFile holds the process id of the spool's owner, which has the file locked for as long as it lives.
const lockFile = "lock"

func lock(root *os.Root) (*os.File, error) {
	f, err := root.OpenFile(lockFile, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, notWritable(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		text, _ := io.ReadAll(io.LimitReader(f, 32))
		pid, _ := strconv.Atoi(strings.TrimSpace(string(text))) // 0 where it is not legible
		return nil, errors.Join(&InUseError{pid}, f.Close())
	} else if err != nil {
		return nil, errors.Join(fmt.Errorf("lock: %w", err), f.Close())
	}
	// Who cannot write the id still has the lock; that the disk is full shows at the first append.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// notWritable adds what to do to an error of making a file.
func notWritable(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
		return fmt.Errorf("%w; the directory must be writable for the collector: remount or chown it, or name another", err)
	}
	return err
}

// syncRoot makes what was created, renamed or removed in the directory last.
func syncRoot(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
