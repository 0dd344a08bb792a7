package attach

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// InUseError says that another process has the attachment: a ring has one reader.
type InUseError struct {
	Pins string
	PID  int // 0: not known
}

func (e *InUseError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = "process " + strconv.Itoa(e.PID)
	}
	return "attachment " + e.Pins + ": in use by " + who + "; stop it, or give this collector a name of its own (attachment)"
}

// takeLease makes the directory and locks it for as long as the file is open: the kernel ends the lease of a
// process that is killed.
func takeLease(path string) (*os.File, error) {
	for {
		if err := makeDir(path); err != nil {
			return nil, err
		}
		dir, err := lockDir(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // who had it removed it meanwhile: giveLease
		}
		return dir, err
	}
}

// makeDir makes the directory and the one above it. bpffs is everybody's to write to where it was mounted without
// a mode: what others have made there, links above all, is not taken.
func makeDir(path string) error {
	for _, dir := range []string{filepath.Dir(path), path} {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if err := checkOwn(dir); err != nil {
			return err
		}
	}
	return nil
}

func checkOwn(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner := int(info.Sys().(*syscall.Stat_t).Uid)
	if !info.IsDir() || owner != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s: is no directory that belongs to uid %d and that nobody else writes to (%s, uid %d); remove it",
			dir, os.Geteuid(), info.Mode(), owner)
	}
	return nil
}

// lockDir fails with fs.ErrNotExist where the directory that it has locked is not the one at the path any more.
func lockDir(path string) (*os.File, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = &InUseError{path, holder(dir)}
	}
	if err == nil {
		err = checkSame(dir, path)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	return dir, nil
}

func checkSame(dir *os.File, path string) error {
	locked, err := dir.Stat()
	if err != nil {
		return err
	}
	named, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !os.SameFile(locked, named) {
		return fs.ErrNotExist
	}
	return nil
}

// giveLease ends the lease, and removes the directory where nothing is pinned in it.
func giveLease(dir *os.File) error {
	if err := os.Remove(dir.Name()); err != nil && !errors.Is(err, unix.ENOTEMPTY) {
		return errors.Join(err, dir.Close())
	}
	return dir.Close()
}

// holder finds in /proc/locks who has the file locked: "1: FLOCK ADVISORY WRITE 3319 00:27:254737 0 EOF".
func holder(file *os.File) (pid int) {
	info, err := file.Stat()
	if err != nil {
		return 0
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer locks.Close()
	stat := info.Sys().(*syscall.Stat_t)
	wanted := fmt.Sprintf("%02x:%02x:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev), stat.Ino)
	for lines := bufio.NewScanner(locks); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 5 && fields[1] == "FLOCK" && fields[5] == wanted {
			pid, _ = strconv.Atoi(fields[4])
		}
	}
	return max(pid, 0) // -1 is of another pid namespace
}

// mountBPFFS mounts the file system of pins where it is not: systemd does it, a container's runtime may not.
func mountBPFFS(path string, log *slog.Logger) error {
	var at unix.Statfs_t
	if err := unix.Statfs(path, &at); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if at.Type == unix.BPF_FS_MAGIC {
		return nil
	}
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	if err := unix.Mount("bpf", path, "bpf", flags, "mode=0700"); err != nil {
		return fmt.Errorf("mount bpffs on %s: %w", path, err)
	}
	log.Info("bpffs was not mounted, and is now", "path", path)
	return nil
}
