package process

import (
	"slices"

	"github.com/weirproject/weir/schema"
)

// slot is where an entry is kept, in one of the table's lists.
type slot struct {
	Entry
	endedAt schema.BootTime // 0: live
	text    []byte          // the entry's strings, one behind the other

	before, next *slot
}

// entryBytes is what an entry costs beside its strings: the slot and the map's, and its file as if no other shared it.
const entryBytes = 480

// longText is how much room for strings a slot is kept with when it is used again.
const longText = 512

func (s *slot) size() int { return entryBytes + cap(s.text) + len(s.Redacted) }

// set copies e and its strings.
func (s *slot) set(e *Entry) {
	n := len(e.Executable) + len(e.Arguments) + len(e.Comm)
	if cap(s.text) < n || cap(s.text) > max(longText, n) {
		s.text = make([]byte, 0, n)
	}
	s.text = s.text[:0]
	s.Entry = *e
	s.Executable = s.keep(e.Executable)
	s.Arguments = s.keep(e.Arguments)
	s.Comm = s.keep(e.Comm)
}

// keep appends b to the text, where there is room, and returns it there. Nil stays nil.
func (s *slot) keep(b []byte) []byte {
	if b == nil {
		return nil
	}
	start := len(s.text)
	s.text = append(s.text, b...)
	return slices.Clip(s.text[start:])
}

// list is a list of slots, each of which is in one at most.
type list struct {
	first, last *slot
	len         int
}

func (l *list) push(s *slot) {
	s.before, s.next = l.last, nil
	if l.last != nil {
		l.last.next = s
	} else {
		l.first = s
	}
	l.last = s
	l.len++
}

func (l *list) remove(s *slot) {
	if s.before != nil {
		s.before.next = s.next
	} else {
		l.first = s.next
	}
	if s.next != nil {
		s.next.before = s.before
	} else {
		l.last = s.before
	}
	s.before, s.next = nil, nil
	l.len--
}
