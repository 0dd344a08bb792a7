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
//
// slot.go has where entries are kept. What is forgotten is used again: a busy host's table makes no garbage
// (BenchmarkForkExecExit).
package process

import (
	"iter"

	"github.com/weirproject/weir/collector/executable"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Entry is what is known of one program that a process ran.
type Entry struct {
	Key     schema.ProcessKey
	Parent  schema.ProcessKey // zero: unknown, or none
	Creator schema.ProcessKey // zero: the parent

	// The table copies these bytes.
	Executable    []byte
	ExecutableCut bool
	File          *executable.File // nil: not known, or files are not read
	Arguments     []byte           // each ended by a NUL byte; at most ArgumentsBytes
	ArgumentsCut  bool
	Redacted      string // the rules that took secrets out of the arguments
	Comm          []byte
	OtherRoot     bool // its root directory is not the host's

	NamespaceTGID    uint32 // 0: the same as in the initial namespace
	PIDNamespace     uint32 // inode numbers; 0: the initial one
	MountNamespace   uint32
	NetworkNamespace uint32
	UserNamespace    uint32

	LoginUID     uint32 // NoLogin: none
	AuditSession uint32 // NoLogin: none
	TTY          uint32 // major << 20 | minor; 0: none
	Session      uint32 // process id of the session's leader

	Knowledge weirv1.Knowledge
}

// NoLogin is the kernel's (uid_t)-1: a process that belongs to no login.
const NoLogin = ^uint32(0)

// ArgumentsBytes is how much of a program's arguments an entry keeps.
const ArgumentsBytes = 256

// Table holds the processes of one boot. It is not safe for concurrent use.
type Table struct {
	limit   int
	bytes   int
	evicted uint64
	entries map[schema.ProcessKey]*slot
	live    list
	ended   list
	free    list // to be used again
}

// Grace is how long the table remembers a program after its end, for events that come later, such as the
// close of a connection that outlived it; and for children that name it as their parent.
const Grace schema.BootTime = 60e6

// NewTable returns an empty table that holds at most limit bytes.
func NewTable(limit int) *Table {
	return &Table{limit: limit, entries: make(map[schema.ProcessKey]*slot)}
}

// Len returns the number of live processes.
func (t *Table) Len() int { return t.live.len }

// Bytes returns what the table holds, in bytes, as it accounts for them.
func (t *Table) Bytes() int { return t.bytes }

// Evicted returns how many programs the bound made the table forget while they ran.
func (t *Table) Evicted() uint64 { return t.evicted }

// Lookup returns the entry of k, valid until the next call that changes the table.
func (t *Table) Lookup(k schema.ProcessKey) (*Entry, bool) {
	s, ok := t.entries[k]
	if !ok {
		return nil, false
	}
	if s.endedAt == 0 {
		t.live.remove(s)
		t.live.push(s)
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
		child.Executable, child.ExecutableCut, child.File = from.Executable, from.ExecutableCut, from.File
		child.Arguments, child.ArgumentsCut, child.Redacted = from.Arguments, from.ArgumentsCut, from.Redacted
	}
	t.put(child)
}

// Exec adds the program that a process runs from now on; the one before it ends.
func (t *Table) Exec(e Entry, at schema.BootTime) {
	before := e.Key
	before.Exec--
	if s, ok := t.entries[before]; ok {
		e.Creator = creator(&s.Entry, e.Parent)
	}
	t.end(before, at)
	t.put(e)
}

// creator returns who made the process that ran before, where that is not its parent now: an exec does not tell it, and
// a process whose parent has ended gets another one.
func creator(before *Entry, parent schema.ProcessKey) schema.ProcessKey {
	made := before.Creator
	if made.IsZero() {
		made = before.Parent
	}
	if made.TGID == parent.TGID && made.Start == parent.Start { // whatever it runs by now
		return schema.ProcessKey{}
	}
	return made
}

// Seed adds a process that is older than the collector, unless a sample has told of it already.
func (t *Table) Seed(e Entry) {
	if _, ok := t.entries[e.Key]; !ok {
		t.put(e)
	}
}

// SeedArguments gives a seeded process that has no arguments these.
func (t *Table) SeedArguments(k schema.ProcessKey, arguments []byte, cut bool, redacted string) {
	s, ok := t.entries[k]
	if !ok || s.Arguments != nil {
		return
	}
	e := s.Entry
	e.Arguments, e.ArgumentsCut, e.Redacted = arguments, cut, redacted
	t.bytes -= s.size()
	s.text = nil // e's strings lie in it
	s.set(&e)
	t.bytes += s.size()
	t.shrink()
}

// Live yields the programs that run.
func (t *Table) Live() iter.Seq[schema.ProcessKey] {
	return func(yield func(schema.ProcessKey) bool) {
		for s := t.live.first; s != nil; s = s.next {
			if !yield(s.Key) {
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
	for s := t.ended.first; s != nil && s.endedAt+Grace < now; s = t.ended.first {
		t.remove(&t.ended, s)
	}
}

// put copies e before anything is forgotten: its strings may lie in the slot that it takes the place of.
func (t *Table) put(e Entry) {
	s := t.take()
	s.set(&e)
	if before, ok := t.entries[e.Key]; ok {
		t.remove(t.listOf(before), before)
	}
	t.bytes += s.size()
	t.entries[e.Key] = s
	t.live.push(s)
	t.shrink()
}

func (t *Table) end(k schema.ProcessKey, at schema.BootTime) {
	s, ok := t.entries[k]
	if !ok || s.endedAt != 0 {
		return
	}
	t.live.remove(s)
	s.endedAt = max(at, 1)
	t.ended.push(s)
}

// shrink forgets ended programs first, then those that no event named for the longest time.
func (t *Table) shrink() {
	for t.bytes > t.limit {
		if s := t.ended.first; s != nil {
			t.remove(&t.ended, s)
			continue
		}
		t.evicted++
		t.remove(&t.live, t.live.first)
	}
}

func (t *Table) listOf(s *slot) *list {
	if s.endedAt != 0 {
		return &t.ended
	}
	return &t.live
}

func (t *Table) remove(l *list, s *slot) {
	l.remove(s)
	t.bytes -= s.size()
	delete(t.entries, s.Key)
	t.giveBack(s)
}

// take returns a slot that nothing names.
func (t *Table) take() *slot {
	s := t.free.first
	if s == nil {
		return &slot{}
	}
	t.free.remove(s)
	return s
}

// freeSlots is how many forgotten entries are kept to be used again: more than end between two reads of a busy
// host's ring.
const freeSlots = 1024

func (t *Table) giveBack(s *slot) {
	if t.free.len < freeSlots {
		s.Entry, s.endedAt = Entry{}, 0
		if cap(s.text) > longText { // nobody counts what waits here
			s.text = nil
		}
		t.free.push(s)
	}
}
