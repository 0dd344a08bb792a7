// Package names gives the host's names of user and group ids, from its user database, cached.
package names

import (
	"os/user"
	"strconv"
	"time"
)

const (
	// lifetime is how long a name, or that there is none, is believed.
	lifetime = time.Minute
	// most bounds each cache: an attacker with a user namespace can make events under 2^32 ids.
	most = 4096
)

// Names is a cache of user and group names. It is not safe for concurrent use.
type Names struct {
	users, groups cache
}

// New returns an empty cache over the host's user database.
func New() *Names {
	return &Names{users: newCache(userName), groups: newCache(groupName)}
}

// User returns the name of uid, or "" where the host has none.
func (n *Names) User(uid uint32, now time.Time) string { return n.users.get(uid, now) }

// Group returns the name of gid, or "" where the host has none.
func (n *Names) Group(gid uint32, now time.Time) string { return n.groups.get(gid, now) }

type cache struct {
	lookup func(id string) string
	known  map[uint32]known
}

type known struct {
	name  string
	until time.Time
}

func newCache(lookup func(string) string) cache {
	return cache{lookup: lookup, known: make(map[uint32]known)}
}

func (c *cache) get(id uint32, now time.Time) string {
	if k, ok := c.known[id]; ok && now.Before(k.until) {
		return k.name
	}
	if len(c.known) >= most {
		clear(c.known)
	}
	k := known{name: c.lookup(strconv.FormatUint(uint64(id), 10)), until: now.Add(lifetime)}
	c.known[id] = k
	return k.name
}

// An error and an unknown id are the same to an event: it has the number.
func userName(id string) string {
	u, err := user.LookupId(id)
	if err != nil {
		return ""
	}
	return u.Username
}

func groupName(id string) string {
	g, err := user.LookupGroupId(id)
	if err != nil {
		return ""
	}
	return g.Name
}
