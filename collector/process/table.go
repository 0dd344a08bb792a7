// Package process is the collector's table of processes: which program each process key is, and what is
// known of it, so that an event can carry its process and its parent.
//
// The table is a core: it has no clock, no I/O and no locks. It is fed by samples in ring order and asked
// for the same moment. Its size has a hard bound in bytes; what it has to forget is counted.
//
// Invariants
//   - An entry is in exactly one of two lists: live (least recently used first) or ended (first ended first).
//   - An exec ends the program before it: the old entry moves to ended, since children still name it as
//     their parent.
//   - bytes is the sum of size over all entries, and bytes <= limit after every call.
package process

import (
	"container/list"
	"iter"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Entry is what is known of one program that a process ran.
type Entry struct {
	Key     schema.ProcessKey
	Parent  schema.ProcessKey // zero: unknown, or none
	Creator schema.ProcessKey // zero: the parent

	// The bytes are never written to: entries share them.
	Executable    []byte
	ExecutableCut bool
	Arguments     []byte // each ended by a NUL byte; at most ArgumentsBytes
	ArgumentsCut  bool
	Comm          []byte

	NamespaceTGID    uint32 // 0: the same as in the initial namespace
	PIDNamespace     uint32 // inode numbers; 0: the initial one
	MountNamespace   uint32
	NetworkNamespace uint32
	UserNamespace    uint32

	LoginUID     uint32 // NoLogin: none
	AuditSession uint32 // NoLogin: none
	TTY          uint32 // major << 8 | minor; 0: none
	Session      uint32 // process id of the session's leader

	Knowledge weirv1.Knowledge
}

// NoLogin is the kernel's (uid_t)-1: a process that belongs to no login.
const NoLogin = ^uint32(0)

// ArgumentsBytes is how much of a program's arguments an entry keeps.
const ArgumentsBytes = 256

// entryBytes is what an entry costs beside its strings: the struct, the list element, the map's slot.
const entryBytes = 360

func (e *Entry) size() int {
	return entryBytes + len(e.Executable) + len(e.Arguments) + len(e.Comm)
}

// Table holds the processes of one boot. It is not safe for concurrent use.
type Table struct {
	limit   int
	bytes   int
	evicted uint64
	entries map[schema.ProcessKey]*list.Element // of *slot
	live    list.List
	ended   list.List
}

type slot struct {
	Entry
	endedAt schema.BootTime // 0: live
}

// Grace is how long the table remembers a program after its end, for events that come later, such as the
// close of a connection that outlived it; and for children that name it as their parent.
const Grace schema.BootTime = 60e6

// NewTable returns an empty table that holds at most limit bytes.
func NewTable(limit int) *Table {
	return &Table{limit: limit, entries: make(map[schema.ProcessKey]*list.Element)}
}

// Len returns the number of live processes.
func (t *Table) Len() int { return t.live.Len() }

// Bytes returns what the table holds, in bytes, as it accounts for them.
func (t *Table) Bytes() int { return t.bytes }

// Evicted returns how many programs the bound made the table forget while they ran.
func (t *Table) Evicted() uint64 { return t.evicted }

// Lookup returns the entry of k, valid until the next call that changes the table.
func (t *Table) Lookup(k schema.ProcessKey) (*Entry, bool) {
	el, ok := t.entries[k]
	if !ok {
		return nil, false
	}
	s := el.Value.(*slot)
	if s.endedAt == 0 {
		t.live.MoveToBack(el)
	}
	return &s.Entry, true
}

// Fork adds the process that a clone made. What a child inherits and the sample does not tell (executable,
// arguments) comes from the program that called clone, or, where that ended before the table began, from what the
// child was seeded with.
func (t *Table) Fork(child Entry, caller schema.ProcessKey) {
	from, ok := t.Lookup(caller)
	if !ok {
		from, ok = t.Lookup(child.Key)
	}
	if ok {
		child.Executable, child.ExecutableCut = from.Executable, from.ExecutableCut
		child.Arguments, child.ArgumentsCut = from.Arguments, from.ArgumentsCut
	}
	t.put(child)
}

// Exec adds the program that a process runs from now on; the one before it ends.
func (t *Table) Exec(e Entry, at schema.BootTime) {
	before := e.Key
	before.Exec--
	t.end(before, at)
	t.put(e)
}

// Seed adds a process that is older than the collector, unless a sample has told of it already.
func (t *Table) Seed(e Entry) {
	if _, ok := t.entries[e.Key]; !ok {
		t.put(e)
	}
}

// SeedArguments gives a seeded process that has no arguments these.
func (t *Table) SeedArguments(k schema.ProcessKey, arguments []byte, cut bool) {
	el, ok := t.entries[k]
	if !ok || el.Value.(*slot).Arguments != nil {
		return
	}
	s := el.Value.(*slot)
	s.Arguments, s.ArgumentsCut = arguments, cut
	t.bytes += len(arguments)
	t.shrink()
}

// Live yields the programs that run.
func (t *Table) Live() iter.Seq[schema.ProcessKey] {
	return func(yield func(schema.ProcessKey) bool) {
		for el := t.live.Front(); el != nil; el = el.Next() {
			if !yield(el.Value.(*slot).Key) {
				return
			}
		}
	}
}

// Exit ends the process's program. Its entry stays for Grace.
func (t *Table) Exit(k schema.ProcessKey, at schema.BootTime) {
	t.end(k, at)
	// A process that is killed within exec, when there is no way back, ends as a program that was never told.
	before := k
	before.Exec--
	t.end(before, at)
}

// Expire forgets what ended more than Grace before now. A program with children that still run is
// remembered by them only as a key.
func (t *Table) Expire(now schema.BootTime) {
	for el := t.ended.Front(); el != nil && el.Value.(*slot).endedAt+Grace < now; el = t.ended.Front() {
		t.remove(&t.ended, el)
	}
}

func (t *Table) put(e Entry) {
	if el, ok := t.entries[e.Key]; ok {
		t.remove(t.listOf(el), el)
	}
	s := &slot{Entry: e}
	t.bytes += s.size()
	t.entries[e.Key] = t.live.PushBack(s)
	t.shrink()
}

func (t *Table) end(k schema.ProcessKey, at schema.BootTime) {
	el, ok := t.entries[k]
	if !ok || el.Value.(*slot).endedAt != 0 {
		return
	}
	s := t.live.Remove(el).(*slot)
	s.endedAt = max(at, 1)
	t.entries[k] = t.ended.PushBack(s)
}

// shrink forgets ended programs first, then those that no event named for the longest time.
func (t *Table) shrink() {
	for t.bytes > t.limit {
		if el := t.ended.Front(); el != nil {
			t.remove(&t.ended, el)
			continue
		}
		t.evicted++
		t.remove(&t.live, t.live.Front())
	}
}

func (t *Table) listOf(el *list.Element) *list.List {
	if el.Value.(*slot).endedAt != 0 {
		return &t.ended
	}
	return &t.live
}

func (t *Table) remove(l *list.List, el *list.Element) {
	s := l.Remove(el).(*slot)
	t.bytes -= s.size()
	delete(t.entries, s.Key)
}
