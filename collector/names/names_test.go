package names

import (
	"testing"
	"time"
)

func TestHostsNames(t *testing.T) {
	n := New()
	if got := n.User(0, time.Now()); got != "root" {
		t.Errorf("user 0 is %q, want root", got)
	}
	if got := n.Group(0, time.Now()); got != "root" {
		t.Errorf("group 0 is %q, want root", got)
	}
	if got := n.User(4_000_000_000, time.Now()); got != "" {
		t.Errorf("an id without a name has %q", got)
	}
}

func TestNameIsAskedForOnceWithinItsLifetime(t *testing.T) {
	asked := 0
	c := newCache(func(id string) string { asked++; return "user" + id })
	start := time.Unix(1000, 0)
	c.get(7, start)
	c.get(7, start.Add(lifetime-1))
	if asked != 1 {
		t.Errorf("asked %d times within the lifetime, want 1", asked)
	}
	if got := c.get(7, start.Add(lifetime)); got != "user7" || asked != 2 {
		t.Errorf("after the lifetime: %q, asked %d times; want user7, 2", got, asked)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newCache(func(id string) string { return id })
	for id := range uint32(3 * most) {
		c.get(id, time.Unix(0, 0))
	}
	if len(c.known) > most {
		t.Errorf("%d names cached, want at most %d", len(c.known), most)
	}
}
