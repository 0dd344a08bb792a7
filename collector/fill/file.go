package fill

import (
	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/executable"
	"github.com/weirproject/weir/collector/process"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Files tells of the files that processes run.
type Files interface {
	// Find returns what is known of the file now; what is pending is written into it later.
	Find(executable.Sighting) *executable.File
}

// late are places in the draft that wait for a file to be read.
type late struct {
	entries []lateFile // of the process table
	rows    []lateFile // of process.exec
}

type lateFile struct {
	at   uint32
	file *executable.File
}

// executed tells of the file that the process of e runs. The path holds in the mount namespace of the host's first
// process, or else of the parent.
func (f *Filler) executed(e *process.Entry, head *bpf.Head, file *bpf.FileFacts, end bpf.PathEnd) *executable.File {
	if f.files == nil || file.Inode == 0 {
		return nil
	}
	s := executable.Sighting{
		ID:          executable.ID{Device: file.Device, Inode: file.Inode, Size: file.SizeBytes, ChangedNs: file.ChangedNs},
		Filesystem:  file.Filesystem,
		UserMounted: file.UserMounted != 0,
		TGID:        uint32(e.Key.TGID),
		Owner:       head.Actor.Uid,
	}
	if bpf.Kind(head.Kind) == bpf.KindProcessExec {
		s.AtNs = uint64(f.now.UnixNano()) - (uint64(f.boot)*1000 - head.TimeNs)
	}
	if end == bpf.PathWhole {
		s.Neighbour = f.neighbour(e)
	}
	if s.Neighbour != 0 {
		s.Path = e.Executable
	}
	return f.files.Find(s)
}

// neighbour returns a process that is in the same mount namespace and outlives e; 0 where none is known.
func (f *Filler) neighbour(e *process.Entry) uint32 {
	if e.MountNamespace == 0 {
		return executable.HostNeighbour
	}
	if parent, ok := f.table.Lookup(e.Parent); ok && parent.MountNamespace == e.MountNamespace {
		return uint32(parent.Key.TGID)
	}
	return 0
}

// fileColumns are the executable's capabilities. They come with its hash.
func (f *Filler) fileColumns(g *weirv1.ProcessExec, file *executable.File) {
	if file != nil {
		f.late.rows = append(f.late.rows, lateFile{uint32(len(g.FilePermitted)), file})
	}
	g.FilePermitted = append(g.FilePermitted, 0)
	g.FileInheritable = append(g.FileInheritable, 0)
	g.FileEffective = append(g.FileEffective, false)
	g.FileRootUid = append(g.FileRootUid, 0)
}

// Waits reports whether the draft names files that are being read.
func (f *Filler) Waits() bool {
	for _, l := range f.late.entries {
		if l.file.Pending() {
			return true
		}
	}
	return false
}

// Complete brings what is known of files by now into the draft. It is to be called before each seal.
func (f *Filler) Complete() {
	for _, l := range f.late.entries {
		f.draft.SetHash(l.at, l.file.Hash(), l.file.State)
	}
	g := f.draft.Columns().ProcessExec
	for _, l := range f.late.rows {
		c := l.file.Capabilities
		g.FilePermitted[l.at], g.FileInheritable[l.at] = c.Permitted, c.Inheritable
		g.FileEffective[l.at], g.FileRootUid[l.at] = c.Effective, c.RootUID
	}
	f.late = late{f.late.entries[:0], f.late.rows[:0]}
}
