package fill

import (
	"bytes"
	"strconv"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/process"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// Fork implements bpf.Handler.
func (f *Filler) Fork(s *bpf.ForkSample) {
	child := f.entry(KeyOf(s.Child), &s.Facts)
	caller := KeyOf(s.Head.Actor.Key)
	if caller != child.Parent {
		child.Creator = caller
	}
	f.table.Fork(child, caller)
	if !f.begin(&s.Head) {
		return
	}
	g := f.draft.Columns().ProcessFork
	g.Child = append(g.Child, int32(f.process(child.Key)))
	g.Flags = append(g.Flags, s.Flags)
}

// Exec implements bpf.Handler.
func (f *Filler) Exec(s *bpf.ExecSample) {
	e := f.entry(KeyOf(s.Head.Actor.Key), &s.Facts)
	f.path = s.Executable().Append(f.path[:0])
	e.Executable, e.ExecutableCut = f.path, bpf.PathEnd(s.ExecutableEnd) == bpf.PathCut
	arguments, rules := f.redacted(s.Arguments())
	cut := len(s.Arguments()) < int(s.ArgumentsBytes)
	e.Arguments, e.ArgumentsCut = firstArguments(arguments, cut)
	e.Redacted = rules
	e.File = f.executed(&e, &s.Head, &s.File, bpf.PathEnd(s.ExecutableEnd))
	f.table.Exec(e, bootTime(s.Head.TimeNs))
	if f.begin(&s.Head) {
		g := f.draft.Columns().ProcessExec
		f.argumentColumns(g, s, arguments, cut)
		f.execColumns(g, s)
		f.fileColumns(g, e.File)
		f.environmentColumns(g, s)
	}
}

func (f *Filler) execColumns(g *weirv1.ProcessExec, s *bpf.ExecSample) {
	g.Filename = append(g.Filename, f.draft.Text(s.Filename()))
	g.Interpreter = append(g.Interpreter, f.draft.Text(s.Interpreter()))
	f.path = s.WorkingDirectory().Append(f.path[:0])
	g.WorkingDirectory = append(g.WorkingDirectory, f.draft.Text(f.path))
	g.WorkingDirectoryCut = append(g.WorkingDirectoryCut, bpf.PathEnd(s.WorkingDirectoryEnd) == bpf.PathCut)
	g.Device = append(g.Device, s.File.Device)
	g.Inode = append(g.Inode, s.File.Inode)
	g.Mode = append(g.Mode, s.File.Mode)
	g.Deleted = append(g.Deleted, s.Deleted != 0)
	g.Memfd = append(g.Memfd, s.Memfd != 0)
	g.Secure = append(g.Secure, s.Secure != 0)
}

// argumentColumns tells what the process's entry does not: arguments that are longer than it keeps.
func (f *Filler) argumentColumns(g *weirv1.ProcessExec, s *bpf.ExecSample, arguments []byte, cut bool) {
	text, total := uint32(0), uint32(0)
	if cut || len(arguments) > process.ArgumentsBytes {
		text = f.draft.Text(arguments)
	}
	if cut {
		total = s.ArgumentsBytes
	}
	g.Arguments = append(g.Arguments, text)
	g.ArgumentCount = append(g.ArgumentCount, s.ArgumentCount)
	g.ArgumentsBytes = append(g.ArgumentsBytes, total)
	g.ArgumentsCut = append(g.ArgumentsCut, cut)
}

// ExecFailed implements bpf.Handler. The process table knows nothing of it: the actor's program runs on.
func (f *Filler) ExecFailed(s *bpf.ExecFailedSample) {
	if !f.begin(&s.Head) {
		return
	}
	g := f.draft.Columns().ProcessExecFailed
	g.Errno = append(g.Errno, s.Error)
	f.path = appendFilename(f.path[:0], s)
	g.Filename = append(g.Filename, f.draft.Text(f.path))
	arguments, rules := f.redacted(s.Arguments())
	g.Arguments = append(g.Arguments, f.draft.Text(arguments))
	g.ArgumentCount = append(g.ArgumentCount, s.ArgumentCount)
	g.ArgumentsCut = append(g.ArgumentsCut, s.ArgumentsCut != 0)
	g.Redacted = append(g.Redacted, f.draft.Text([]byte(rules)))
	f.path = s.WorkingDirectory().Append(f.path[:0])
	g.WorkingDirectory = append(g.WorkingDirectory, f.draft.Text(f.path))
	g.WorkingDirectoryCut = append(g.WorkingDirectoryCut, bpf.PathEnd(s.WorkingDirectoryEnd) == bpf.PathCut)
}

// workingDirectory is AT_FDCWD: a relative path is relative to it, as execve's always are.
const workingDirectory = -100

// appendFilename gives the path as an exec that succeeds has it: the kernel puts the file descriptor before it.
func appendFilename(dst []byte, s *bpf.ExecFailedSample) []byte {
	name := s.Filename()
	if s.Directory == workingDirectory || bytes.HasPrefix(name, []byte("/")) {
		return append(dst, name...)
	}
	dst = strconv.AppendInt(append(dst, "/dev/fd/"...), int64(s.Directory), 10)
	if len(name) > 0 {
		dst = append(dst, '/')
	}
	return append(dst, name...)
}

// Exit implements bpf.Handler.
func (f *Filler) Exit(s *bpf.ExitSample) {
	key := KeyOf(s.Head.Actor.Key)
	if f.begin(&s.Head) {
		g := f.draft.Columns().ProcessExit
		g.ExitCode = append(g.ExitCode, s.ExitCode)
		g.Signal = append(g.Signal, uint32(s.Signal))
		g.CoreDumped = append(g.CoreDumped, s.CoreDumped != 0)
		user, system := s.CPUTime()
		g.UserUs = append(g.UserUs, uint64(user.Microseconds()))
		g.SystemUs = append(g.SystemUs, uint64(system.Microseconds()))
		g.PeakMemoryBytes = append(g.PeakMemoryBytes, s.PeakMemoryBytes)
	}
	f.table.Exit(key, bootTime(s.Head.TimeNs))
}

// Process implements bpf.Handler: a process that is older than the collector.
func (f *Filler) Process(s *bpf.ProcessSample) {
	e := f.entry(KeyOf(s.Head.Actor.Key), &s.Facts)
	e.Executable, e.ExecutableCut = s.Executable().Append(nil), bpf.PathEnd(s.ExecutableEnd) == bpf.PathCut
	e.File = f.executed(&e, &s.Head, &s.File, bpf.PathEnd(s.ExecutableEnd))
	e.Knowledge = weirv1.Knowledge_KNOWLEDGE_ITERATOR
	f.table.Seed(e)
}

// namespaces are the inode numbers of a process's namespaces.
type namespaces struct{ pid, mount, network, user uint32 }

// SeedArguments adds the arguments of a process that the iterator found, where its exec was not seen.
func (f *Filler) SeedArguments(key schema.ProcessKey, all []byte) {
	clean, rules := f.redacted(all)
	first, cut := firstArguments(clean, false)
	f.table.SeedArguments(key, first, cut, rules)
}

// kthreadd is the first kernel thread. Whatever init is made to do, it stays in the initial namespaces.
const kthreadd = 2

// namespacesOf tells those that are not the initial ones: kthreadd has these, and the
// iterator gives it before all others.
func (f *Filler) namespacesOf(key schema.ProcessKey, facts *bpf.ProcessFacts) namespaces {
	all := namespaces{facts.PidNamespace, facts.MountNamespace, facts.NetworkNamespace, facts.UserNamespace}
	if key.TGID == kthreadd {
		f.initial = all
	}
	return namespaces{
		pid:     unless(all.pid, f.initial.pid),
		mount:   unless(all.mount, f.initial.mount),
		network: unless(all.network, f.initial.network),
		user:    unless(all.user, f.initial.user),
	}
}

// unless returns v, or 0 where it is what it usually is, or nothing was seeded that tells what that is.
func unless(v, usual uint32) uint32 {
	if v == usual || usual == 0 {
		return 0
	}
	return v
}

// entry is what the kernel's facts say of a process, but for what it runs.
func (f *Filler) entry(key schema.ProcessKey, facts *bpf.ProcessFacts) process.Entry {
	in := f.namespacesOf(key, facts)
	return process.Entry{
		Key:              key,
		Parent:           KeyOf(facts.Parent),
		Comm:             facts.CommName(),
		NamespaceTGID:    unless(facts.NamespaceTgid, uint32(key.TGID)),
		PIDNamespace:     in.pid,
		MountNamespace:   in.mount,
		NetworkNamespace: in.network,
		UserNamespace:    in.user,
		OtherRoot:        f.hasOtherRoot(key, facts),
		LoginUID:         facts.LoginUid,
		AuditSession:     facts.AuditSession,
		TTY:              facts.Tty,
		Session:          facts.Session,
	}
}

// process returns the draft's index of a process, whose entry it adds with its parent's where the batch has
// none. An ancestor before the parent is there as a key.
func (f *Filler) process(key schema.ProcessKey) uint32 {
	return f.processWithAncestors(key, 1)
}

func (f *Filler) processWithAncestors(key schema.ProcessKey, depth int) uint32 {
	if key.IsZero() {
		return 0
	}
	if index, ok := f.draft.Process(key); ok {
		return index
	}
	known, ok := f.table.Lookup(key)
	if !ok || depth < 0 {
		return f.draft.AddProcess(batch.ProcessEntry{Key: key, Knowledge: weirv1.Knowledge_KNOWLEDGE_KEY})
	}
	e := batchEntry(known)
	e.LoginName = f.loginName(known)
	file := known.File
	e.Parent = f.processWithAncestors(known.Parent, depth-1)
	e.Creator = f.processWithAncestors(known.Creator, depth-1)
	index := f.draft.AddProcess(e)
	if file != nil {
		f.late.entries = append(f.late.entries, lateFile{index, file})
	}
	return index
}

func batchEntry(e *process.Entry) batch.ProcessEntry {
	return batch.ProcessEntry{
		Key:              e.Key,
		Executable:       e.Executable,
		ExecutableCut:    e.ExecutableCut,
		Arguments:        e.Arguments,
		ArgumentsCut:     e.ArgumentsCut,
		Comm:             e.Comm,
		NamespaceTGID:    e.NamespaceTGID,
		PIDNamespace:     e.PIDNamespace,
		MountNamespace:   e.MountNamespace,
		NetworkNamespace: e.NetworkNamespace,
		UserNamespace:    e.UserNamespace,
		LoginUIDPlus1:    e.LoginUID + 1, // NoLogin becomes 0, which is none
		AuditPlus1:       e.AuditSession + 1,
		TTY:              e.TTY,
		SessionLeader:    schema.TGID(e.Session),
		Knowledge:        e.Knowledge,
		Redacted:         e.Redacted,
	}
}

// firstArguments returns what an entry keeps of arguments, which may be cut already: whole ones, as far as they fit,
// and of a first one that does not fit its beginning.
func firstArguments(all []byte, wasCut bool) (first []byte, cut bool) {
	if len(all) <= process.ArgumentsBytes {
		return all, wasCut
	}
	end := bytes.LastIndexByte(all[:process.ArgumentsBytes], 0) + 1
	if end == 0 {
		end = process.ArgumentsBytes
	}
	return all[:end], true
}
