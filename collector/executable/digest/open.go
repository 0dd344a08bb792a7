package digest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/weirproject/weir/collector/executable"
)

// open opens the file that was executed: as the process has it, which holds for deleted files, memfds and other mount
// namespaces too; or by its path, where the process is gone. Nothing is opened for reading, and so nothing can make
// the caller wait, before it is known to be that file.
func open(s *executable.Sighting) (*os.File, error) {
	path, err := openIfSame(s, func() (int, error) {
		return unix.Open(proc(s.TGID, "exe"), unix.O_PATH|unix.O_CLOEXEC, 0)
	})
	if err != nil && len(s.Path) > 0 {
		var byPath error
		if path, byPath = openIfSame(s, func() (int, error) { return openByPath(s) }); byPath != nil {
			err = worse(err, byPath)
		} else {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	defer unix.Close(path)
	// Without waiting for a lease that someone holds.
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(path), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, fmt.Errorf("open for reading: %w", err)
	}
	return os.NewFile(uintptr(fd), "executable"), nil
}

// worse returns the one of the two that tells more: that nothing was found tells least.
func worse(exe, path error) error {
	if errors.Is(exe, unix.ENOENT) || errors.Is(exe, unix.ESRCH) {
		return path
	}
	return exe
}

func openIfSame(s *executable.Sighting, open func() (int, error)) (fd int, err error) {
	if fd, err = open(); err != nil {
		return -1, err
	}
	if _, err := check(fd, s); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// resolveCached is RESOLVE_CACHED of include/uapi/linux/openat2.h.
const resolveCached = 0x20

// openByPath follows the path in the mount namespace of the neighbour. It crosses no symbolic link: the kernel's walk
// went up from the file itself; and stops where a file system would have to be asked: a program that was
// executed is in the kernel's cache of names.
func openByPath(s *executable.Sighting) (int, error) {
	root, err := openRoot(s.Neighbour)
	if err != nil {
		return -1, err
	}
	defer unix.Close(root)
	how := unix.OpenHow{
		Flags:   unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW,
		Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | resolveCached,
	}
	fd, err := unix.Openat2(root, string(s.Path), &how)
	if errors.Is(err, unix.EINVAL) { // before 5.12
		how.Resolve &^= resolveCached
		fd, err = unix.Openat2(root, string(s.Path), &how)
	}
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOTDIR):
		return -1, unix.ENOENT
	case errors.Is(err, unix.ELOOP):
		return -1, errChanged
	}
	return fd, err
}

// openRoot opens the root directory of a process. That of the host's first process is most often the collector's own,
// which does where the other is not to be had.
func openRoot(tgid uint32) (int, error) {
	const flags = unix.O_PATH | unix.O_CLOEXEC | unix.O_DIRECTORY
	root, err := unix.Open(proc(tgid, "root"), flags, 0)
	if err != nil && tgid == executable.HostNeighbour {
		return unix.Open("/", flags, 0)
	}
	return root, err
}

func proc(tgid uint32, name string) string {
	return "/proc/" + strconv.FormatUint(uint64(tgid), 10) + "/" + name
}

// check compares the open file with what the kernel told of it at the exec, as far as that is known without asking
// a server. A file whose change time alone is another one lost or got a name, or another mode, most often as the program
// was deleted: it has the contents that it had, unless someone set back the time of their last change.
func check(fd int, s *executable.Sighting) (certain bool, err error) {
	var st unix.Statx_t
	err = unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS, &st)
	if err != nil {
		return false, fmt.Errorf("stat: %w", err)
	}
	same := st.Mode&unix.S_IFMT == unix.S_IFREG &&
		st.Ino == s.Inode &&
		st.Size == s.Size &&
		nanoseconds(st.Mtime) <= s.ChangedNs &&
		(!s.DeviceTells() || st.Dev_major<<20|st.Dev_minor == s.Device)
	if !same {
		return false, errChanged
	}
	return nanoseconds(st.Ctime) == s.ChangedNs, nil
}

func nanoseconds(t unix.StatxTimestamp) uint64 { return uint64(t.Sec)*1e9 + uint64(t.Nsec) }

// hash reads as many bytes as the file had when it was executed, and says whether it is certain that it had these.
func (l *lane) hash(ctx context.Context, file *os.File, s *executable.Sighting) (sum [sha256.Size]byte, certain bool, err error) {
	if err := l.spend(ctx, openBytes); err != nil {
		return sum, false, err
	}
	h := sha256.New()
	for left := s.Size; left > 0; {
		n := min(left, chunkBytes)
		if err := l.spend(ctx, int(n)); err != nil {
			return sum, false, err
		}
		if _, err := io.ReadFull(file, l.buffer[:n]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return sum, false, errChanged
		} else if err != nil {
			return sum, false, fmt.Errorf("read: %w", err)
		}
		h.Write(l.buffer[:n])
		left -= n
	}
	certain, err = check(int(file.Fd()), s)
	return [sha256.Size]byte(h.Sum(nil)), certain, err
}
