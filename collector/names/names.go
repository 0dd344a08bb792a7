// Package names gives the host's names of user and group ids.
//
// It reads /etc/passwd and /etc/group itself, and again when they change. Other sources (LDAP, SSSD,
// systemd-homed: what glibc asks by its name service switch) are not asked: weir is linked statically, and an event
// would have to wait for a server.
package names

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// staleness is how long a change goes unnoticed.
	staleness = time.Second
	// maxBytes bounds what is read of a database, and with it the memory of its names.
	maxBytes = 8 << 20
)

// Names gives names of users and groups. It is not safe for concurrent use.
type Names struct {
	users, groups database
}

// New returns the names of the host.
func New() *Names {
	return &Names{users: database{path: "/etc/passwd"}, groups: database{path: "/etc/group"}}
}

// User returns the name of uid, or "" where the host has none.
func (n *Names) User(uid uint32, now time.Time) string { return n.users.name(uid, now) }

// Group returns the name of gid, or "" where the host has none.
func (n *Names) Group(gid uint32, now time.Time) string { return n.groups.name(gid, now) }

// database is a file of lines NAME:PASSWORD:ID:…
type database struct {
	path    string
	version version
	checked time.Time
	byID    map[uint32]string
}

// version tells one state of a file from the next.
type version struct {
	device, inode uint64
	size          int64
	changed       unix.Timespec
}

func (d *database) name(id uint32, now time.Time) string {
	if since := now.Sub(d.checked); since >= staleness || since < 0 {
		d.checked = now
		d.refresh()
	}
	return d.byID[id]
}

// refresh reads the file if it has changed. While it cannot be read, or is being written and has no line, what was known holds:
// an event has the number.
func (d *database) refresh() {
	var st unix.Stat_t
	if err := unix.Stat(d.path, &st); err != nil {
		return
	}
	now := version{uint64(st.Dev), st.Ino, st.Size, st.Ctim}
	if now == d.version {
		return
	}
	raw, err := read(d.path)
	if err != nil {
		return
	}
	if byID := parse(raw); len(byID) > 0 {
		d.version, d.byID = now, byID
	}
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxBytes {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxBytes)
	}
	return raw, nil
}

// parse returns the names by their ids; of two with the same id the first, as getpwuid does. Lines that are not of the form are left out, as
// are those that ask other sources: +NAME, -NAME.
func parse(raw []byte) map[uint32]string {
	byID := make(map[uint32]string)
	for line := range bytes.Lines(raw) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		_, rest, _ = bytes.Cut(rest, []byte(":"))
		number, _, _ := bytes.Cut(rest, []byte(":"))
		id, err := strconv.ParseUint(string(bytes.TrimSpace(number)), 10, 32)
		if err != nil || len(name) == 0 || bytes.IndexByte([]byte("#+-"), name[0]) >= 0 {
			continue
		}
		if _, known := byID[uint32(id)]; !known {
			byID[uint32(id)] = string(name)
		}
	}
	return byID
}
