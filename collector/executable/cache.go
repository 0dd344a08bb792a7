package executable

import (
	"container/list"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Cache holds the files that were executed last, at most so many.
type Cache struct {
	limit   int
	entries map[ID]*list.Element // of *entry
	recent  list.List            // least recently executed first
}

type entry struct {
	id   ID
	file *File
}

// NewCache returns an empty cache of at most limit files.
func NewCache(limit int) *Cache {
	return &Cache{limit: limit, entries: make(map[ID]*list.Element)}
}

// Find returns the file of a sighting. wanted says that the caller has to have it read, and to call Settled then.
func (c *Cache) Find(s *Sighting) (f *File, wanted bool) {
	if el, ok := c.entries[s.ID]; ok && s.settled() && s.unique() {
		c.recent.MoveToBack(el)
		return el.Value.(*entry).file, false
	}
	f = &File{State: weirv1.HashState_HASH_STATE_PENDING}
	if !s.Readable() {
		f.State = weirv1.HashState_HASH_STATE_FILE_SYSTEM
		return f, false
	}
	if s.settled() && s.unique() {
		c.add(s.ID, f)
	}
	return f, true
}

func (c *Cache) add(id ID, f *File) {
	c.entries[id] = c.recent.PushBack(&entry{id, f})
	if c.recent.Len() > c.limit {
		c.remove(c.recent.Front())
	}
}

func (c *Cache) remove(el *list.Element) {
	delete(c.entries, el.Value.(*entry).id)
	c.recent.Remove(el)
}

// Settled writes what was found of the file of a sighting. What may be found better at the next exec is forgotten.
func (c *Cache) Settled(s *Sighting, f *File, found File) {
	if found.State == weirv1.HashState_HASH_STATE_UNSPECIFIED && !s.settled() {
		found.State = weirv1.HashState_HASH_STATE_UNSETTLED
	}
	*f = found
	switch found.State {
	case weirv1.HashState_HASH_STATE_UNSPECIFIED, weirv1.HashState_HASH_STATE_TOO_LARGE:
		return
	}
	if el, ok := c.entries[s.ID]; ok && el.Value.(*entry).file == f {
		c.remove(el)
	}
}

// Len returns the number of files in the cache.
func (c *Cache) Len() int { return c.recent.Len() }
