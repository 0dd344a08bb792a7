package batch

import (
	"net/netip"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// ProcessEntry is one entry of the batch's process table: weirv1.Processes says what its fields mean.
type ProcessEntry struct {
	Key             schema.ProcessKey
	Parent, Creator uint32 // indexes that Process or AddProcess gave, 0 is none

	Executable, Arguments, Comm  []byte
	ExecutableCut, ArgumentsCut  bool
	NamespaceTGID                uint32
	PIDNamespace, MountNamespace uint32
	NetworkNamespace             uint32
	UserNamespace                uint32
	LoginUIDPlus1, AuditPlus1    uint32 // 0 is none
	TTY                          uint32
	SessionLeader                schema.TGID
	Knowledge                    weirv1.Knowledge
}

// Credentials are the credentials of a task at the time of an event.
type Credentials struct {
	CredentialIDs
	// Names of the effective ids on the host; they are read only when the ids are new to the batch.
	UserName, GroupName string
}

// CredentialIDs are what tells credentials apart.
type CredentialIDs struct {
	UID, GID, EUID, EGID uint32
	Effective            uint64 // capabilities
}

// Cgroup is a control group; all but ID is read only when ID is new to the batch.
type Cgroup struct {
	ID                                  uint64
	Name, ContainerID, ContainerRuntime string
}

// tables remembers which entries of the shared tables a batch has, and at which index.
type tables struct {
	processes   map[schema.ProcessKey]uint32
	credentials map[CredentialIDs]uint32
	cgroups     map[uint64]uint32
	rungs       map[string]uint32
}

func newTables() tables {
	return tables{
		processes:   map[schema.ProcessKey]uint32{},
		credentials: map[CredentialIDs]uint32{},
		cgroups:     map[uint64]uint32{},
		rungs:       map[string]uint32{},
	}
}

func (t *tables) reset() {
	clear(t.processes)
	clear(t.credentials)
	clear(t.cgroups)
	clear(t.rungs)
}

// Text returns the dictionary's index of b; no bytes are 0, which is none. b is copied.
func (d *Draft) Text(b []byte) uint32 { return d.texts.index(b) }

// Address returns the dictionary's index of a's 4 or 16 bytes; the zero Addr is 0, which is none.
func (d *Draft) Address(a netip.Addr) uint32 {
	switch {
	case !a.IsValid():
		return 0
	case a.Is4():
		b := a.As4()
		return d.texts.index(b[:])
	default:
		b := a.As16()
		return d.texts.index(b[:])
	}
}

// Process returns the index of k's entry, if the batch has one.
func (d *Draft) Process(k schema.ProcessKey) (uint32, bool) {
	index, ok := d.tables.processes[k]
	return index, ok
}

// AddProcess adds an entry, and returns its index. An entry whose key the batch has already stays as it is.
func (d *Draft) AddProcess(e ProcessEntry) uint32 {
	if index, ok := d.tables.processes[e.Key]; ok {
		return index
	}
	p := d.plain.Processes
	p.Tgid = append(p.Tgid, int32(e.Key.TGID))
	p.StartUs = append(p.StartUs, int64(e.Key.Start))
	p.ExecCount = append(p.ExecCount, e.Key.Exec)
	p.Parent = append(p.Parent, e.Parent)
	p.Creator = append(p.Creator, e.Creator)
	p.Executable = append(p.Executable, d.Text(e.Executable))
	p.Arguments = append(p.Arguments, d.Text(e.Arguments))
	p.ArgumentsCut = append(p.ArgumentsCut, e.ArgumentsCut)
	p.Comm = append(p.Comm, d.Text(e.Comm))
	p.NamespaceTgid = append(p.NamespaceTgid, e.NamespaceTGID)
	p.PidNamespace = append(p.PidNamespace, e.PIDNamespace)
	p.MountNamespace = append(p.MountNamespace, e.MountNamespace)
	p.NetworkNamespace = append(p.NetworkNamespace, e.NetworkNamespace)
	p.UserNamespace = append(p.UserNamespace, e.UserNamespace)
	p.LoginUid = append(p.LoginUid, e.LoginUIDPlus1)
	p.AuditSession = append(p.AuditSession, e.AuditPlus1)
	p.Tty = append(p.Tty, e.TTY)
	p.Session = append(p.Session, uint32(e.SessionLeader))
	p.ExecutableCut = append(p.ExecutableCut, e.ExecutableCut)
	p.Knowledge = append(p.Knowledge, e.Knowledge)
	index := uint32(len(p.Tgid))
	d.tables.processes[e.Key] = index
	return index
}

// Credentials returns the index of c's entry, and adds it where the batch has none.
func (d *Draft) Credentials(c Credentials) uint32 {
	if index, ok := d.tables.credentials[c.CredentialIDs]; ok {
		return index
	}
	t := d.plain.Credentials
	t.Uid = append(t.Uid, c.UID)
	t.Gid = append(t.Gid, c.GID)
	t.Euid = append(t.Euid, c.EUID)
	t.Egid = append(t.Egid, c.EGID)
	t.Effective = append(t.Effective, c.Effective)
	t.UserName = append(t.UserName, d.Text([]byte(c.UserName)))
	t.GroupName = append(t.GroupName, d.Text([]byte(c.GroupName)))
	index := uint32(len(t.Uid))
	d.tables.credentials[c.CredentialIDs] = index
	return index
}

// Cgroup returns the index of c's entry, and adds it where the batch has none.
func (d *Draft) Cgroup(c Cgroup) uint32 {
	if index, ok := d.tables.cgroups[c.ID]; ok {
		return index
	}
	t := d.plain.Cgroups
	t.Id = append(t.Id, c.ID)
	t.Name = append(t.Name, d.Text([]byte(c.Name)))
	t.ContainerId = append(t.ContainerId, d.Text([]byte(c.ContainerID)))
	t.ContainerRuntime = append(t.ContainerRuntime, d.Text([]byte(c.ContainerRuntime)))
	index := uint32(len(t.Id))
	d.tables.cgroups[c.ID] = index
	return index
}

// Rung returns the index of the rung's entry, and adds it where the batch has none. No name is 0.
func (d *Draft) Rung(name string) uint32 {
	if name == "" {
		return 0
	}
	if index, ok := d.tables.rungs[name]; ok {
		return index
	}
	t := d.plain.Rungs
	t.Name = append(t.Name, d.Text([]byte(name)))
	index := uint32(len(t.Name))
	d.tables.rungs[name] = index
	return index
}
