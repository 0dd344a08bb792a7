// Package fill makes rows of samples: it keeps the process table up to date with them, and appends to a
// draft what each of them tells, with the process that did it, that process's parent, its credentials and
// its control group.
//
//	bpf.Dispatch ──sample──► Filler ──► process.Table
//	                            │  ◄──┘ who is that?
//	                            └──────► batch.Draft
//
// One file a domain. It is a core: it has no clock and no I/O, and is not safe for concurrent use. Whoever
// drives it asks after each sample whether the draft is full.
package fill

import (
	"slices"
	"time"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/process"
	"github.com/weirproject/weir/collector/redact"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// Names gives the host's names of user and group ids; "" is none.
type Names interface {
	User(uid uint32, now time.Time) string
	Group(gid uint32, now time.Time) string
}

// Cgroups gives the paths of control groups, of each that a sample names.
type Cgroups interface {
	Cgroup(bpf.CgroupKey) (bpf.CgroupPath, bool)
}

// Config is what a Filler needs to know beforehand.
type Config struct {
	// Events are the kinds that become rows; samples of the others only feed the process table.
	Events []*schema.Kind
	// Rungs names the rung that each kind comes by.
	Rungs   map[bpf.Kind]string
	Names   Names
	Cgroups Cgroups
	// Files tells of the files that processes run; nil: nothing.
	Files Files
	// Redactor takes secrets out of arguments and environments; nil: none.
	Redactor *redact.Redactor
	// Environment names the variables that process.exec tells; a name with a * at its end is the beginning of names.
	Environment []string
}

// Filler implements bpf.Handler.
type Filler struct {
	draft   *batch.Draft
	table   *process.Table
	cgroups *cgroups
	names   Names
	kinds   []sampleKind // by bpf.Kind
	counts  map[*schema.Kind]*Counts
	mode    Mode
	now     time.Time
	boot    schema.BootTime // the same moment as now
	initial namespaces      // of the machine's first kernel thread
	root    root            // directory of the machine's first process
	files   Files
	late    late
	redact  *redact.Redactor
	allowed allowed
	path    []byte // where paths are turned round
	text    []byte // where environments are filtered
}

// sampleKind is what is to be done with the samples of a kind.
type sampleKind struct {
	kind   *schema.Kind
	event  bool // they become rows
	rung   string
	counts *Counts
}

// Counts says what became of the samples of one kind.
type Counts struct {
	Rows     uint64 // of samples of the ring
	Absorbed uint64 // for the process table alone

	Summaries  uint64 // rows that tell what was counted
	Summarised uint64 // counted runs that these tell
}

// New returns a filler that appends to draft and keeps table.
func New(draft *batch.Draft, table *process.Table, cfg Config) *Filler {
	f := &Filler{
		draft:   draft,
		table:   table,
		cgroups: newCgroups(cfg.Cgroups),
		names:   cfg.Names,
		kinds:   make([]sampleKind, slices.Max(bpf.Kinds())+1),
		files:   cfg.Files,
		redact:  cfg.Redactor,
		allowed: cfg.Environment,
		counts:  make(map[*schema.Kind]*Counts),
	}
	for kind := range schema.Kinds() {
		f.counts[kind] = &Counts{}
	}
	for _, number := range bpf.Kinds() {
		if kind, ok := schema.KindByName(number.String()); ok {
			f.kinds[number] = sampleKind{kind, slices.Contains(cfg.Events, kind), cfg.Rungs[number], f.counts[kind]}
		}
	}
	return f
}

// Mode is what samples are for.
type Mode uint8

const (
	// ForRows: samples of the configured kinds become rows, and all are counted.
	ForRows Mode = iota
	// ForTable: samples feed the process table alone and are not counted, as a run before has done that.
	ForTable
	// ForNext: samples feed the process table alone, as the attachment that follows tells them too.
	ForNext
)

// For returns the filler for samples of this use; at first that is ForRows.
func (f *Filler) For(m Mode) *Filler {
	f.mode = m
	return f
}

// SetTime tells the filler the time by both clocks.
func (f *Filler) SetTime(now time.Time, boot schema.BootTime) { f.now, f.boot = now, boot }

// Counts returns what became of the samples of a kind so far.
func (f *Filler) Counts(kind *schema.Kind) Counts { return *f.counts[kind] }

// begin appends the row's common part, if the sample's kind becomes events. The caller then appends a value
// to each column of the kind's group.
func (f *Filler) begin(head *bpf.Head) bool {
	k := &f.kinds[head.Kind]
	if f.mode == ForTable {
		f.draft.Sample(head.Cpu, head.Sequence)
		return false
	}
	if !k.event || f.mode == ForNext {
		f.draft.Sample(head.Cpu, head.Sequence)
		k.counts.Absorbed++
		return false
	}
	if head.Sequence != 0 {
		k.counts.Rows++
	}
	e := batch.Event{
		Kind:     k.kind,
		Time:     bootTime(head.TimeNs),
		CPU:      head.Cpu,
		Sequence: head.Sequence,
		Rung:     f.draft.Rung(k.rung),
	}
	if !head.Actor.Key.IsZero() {
		f.addActor(&e, &head.Actor)
	}
	f.draft.Append(e)
	return true
}

func (f *Filler) addActor(e *batch.Event, a *bpf.Actor) {
	e.Process = f.process(KeyOf(a.Key))
	e.Thread = int32(a.Tid) - int32(a.Key.Tgid)
	e.Cgroup = f.cgroup(batch.CgroupIDs{V2: a.Cgroups.V2, V1: a.Cgroups.V1})
	e.Credentials = f.credentials(batch.CredentialIDs{
		UID: a.Uid, GID: a.Gid, EUID: a.Euid, EGID: a.Egid, Effective: a.Effective,
		Foreign: f.isForeign(KeyOf(a.Key)),
	})
}

func (f *Filler) cgroup(ids batch.CgroupIDs) uint32 {
	if index, ok := f.draft.FindCgroup(ids); ok {
		return index
	}
	return f.draft.Cgroup(f.cgroups.of(ids))
}

func bootTime(ns uint64) schema.BootTime { return schema.BootTime(ns / 1000) }

// KeyOf is the kernel's key in the unit of the wire.
func KeyOf(k bpf.ProcessKey) schema.ProcessKey {
	return schema.ProcessKey{TGID: schema.TGID(k.Tgid), Start: bootTime(k.StartNs), Exec: k.ExecCount}
}
