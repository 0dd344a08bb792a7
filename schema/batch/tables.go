package batch

import (
	"net/netip"
	"strings"

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
	SHA256                       []byte // nil is none
	HashState                    weirv1.HashState
	Redacted, LoginName          string
}

// Credentials are the credentials of a task at the time of an event.
type Credentials struct {
	CredentialIDs
	// Names of the effective and of the real ids on the host.
	UserName, GroupName         string
	RealUserName, RealGroupName string
}

// CredentialIDs are what tells credentials apart.
type CredentialIDs struct {
	UID, GID, EUID, EGID uint32
	Effective            uint64 // capabilities
	// Foreign ids are not those of the host's users: they have no names, or others.
	Foreign bool
}

// Cgroup is where a task is placed, and what that says of its container.
type Cgroup struct {
	CgroupIDs
	Version uint32 // of the hierarchy that the rest tells of: 1 or 2
	Path    string
	PathCut bool

	ContainerID, ContainerRuntime string
	OuterContainerID              string
	ContainerOwner                uint32
	Orchestrator, Workload        string
}

// CgroupIDs are what tells placements apart: kernfs ids in the v2 hierarchy and in a v1 hierarchy, 0 is none.
type CgroupIDs struct{ V2, V1 uint64 }

// id is that of the group which the wire tells of.
func (c *Cgroup) id() uint64 {
	if c.Version == 1 {
		return c.V1
	}
	return c.V2
}

// tables remembers which entries of the shared tables a batch has, and at which index.
type tables struct {
	processes   lookup[schema.ProcessKey]
	credentials lookup[CredentialIDs]
	cgroups     lookup[CgroupIDs]
	rungs       lookup[string]
}

func newTables() tables {
	return tables{
		processes:   newLookup[schema.ProcessKey](),
		credentials: newLookup[CredentialIDs](),
		cgroups:     newLookup[CgroupIDs](),
		rungs:       newLookup[string](),
	}
}

func (t *tables) reset() {
	t.processes.reset()
	t.credentials.reset()
	t.cgroups.reset()
	t.rungs.reset()
}

// lookup finds the index of an entry. Most rows name what the row before named: it is looked at before the
// map (BenchmarkBatch).
type lookup[K comparable] struct {
	known map[K]uint32
	last  K
	at    uint32 // index of last; 0 is none
}

func newLookup[K comparable]() lookup[K] { return lookup[K]{known: map[K]uint32{}} }

func (l *lookup[K]) find(k K) (uint32, bool) {
	if l.at != 0 && l.last == k {
		return l.at, true
	}
	at, ok := l.known[k]
	if ok {
		l.last, l.at = k, at
	}
	return at, ok
}

func (l *lookup[K]) add(k K, at uint32) {
	l.known[k] = at
	l.last, l.at = k, at
}

func (l *lookup[K]) reset() {
	clear(l.known)
	l.at = 0
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

// Process returns the index of k's entry, if the batch has one that is more than a key.
func (d *Draft) Process(k schema.ProcessKey) (uint32, bool) {
	index, ok := d.tables.processes.find(k)
	return index, ok && !d.onlyKey(index)
}

// AddProcess adds an entry, and returns its index. An entry that is there already stays as it is, unless it
// was only a key, as that of an ancestor is.
func (d *Draft) AddProcess(e ProcessEntry) uint32 {
	index, ok := d.tables.processes.find(e.Key)
	if ok && (e.Knowledge == weirv1.Knowledge_KNOWLEDGE_KEY || !d.onlyKey(index)) {
		return index
	}
	if !ok {
		index = d.addProcessKey(e.Key)
	}
	d.setProcess(index-1, e)
	return index
}

func (d *Draft) onlyKey(index uint32) bool {
	return d.plain.Processes.Knowledge[index-1] == weirv1.Knowledge_KNOWLEDGE_KEY
}

// addProcessKey makes room for an entry in every column.
func (d *Draft) addProcessKey(k schema.ProcessKey) uint32 {
	p := d.plain.Processes
	p.Tgid = append(p.Tgid, int32(k.TGID))
	p.StartUs = append(p.StartUs, int64(k.Start))
	p.ExecCount = append(p.ExecCount, k.Exec)
	p.Parent = append(p.Parent, 0)
	p.Creator = append(p.Creator, 0)
	p.Executable = append(p.Executable, 0)
	p.Arguments = append(p.Arguments, 0)
	p.ArgumentsCut = append(p.ArgumentsCut, false)
	p.Comm = append(p.Comm, 0)
	p.NamespaceTgid = append(p.NamespaceTgid, 0)
	p.PidNamespace = append(p.PidNamespace, 0)
	p.MountNamespace = append(p.MountNamespace, 0)
	p.NetworkNamespace = append(p.NetworkNamespace, 0)
	p.UserNamespace = append(p.UserNamespace, 0)
	p.LoginUid = append(p.LoginUid, 0)
	p.AuditSession = append(p.AuditSession, 0)
	p.Tty = append(p.Tty, 0)
	p.Session = append(p.Session, 0)
	p.ExecutableCut = append(p.ExecutableCut, false)
	p.Knowledge = append(p.Knowledge, 0)
	p.Sha256 = append(p.Sha256, 0)
	p.HashState = append(p.HashState, 0)
	p.Redacted = append(p.Redacted, 0)
	p.LoginName = append(p.LoginName, 0)
	index := uint32(len(p.Tgid))
	d.tables.processes.add(k, index)
	return index
}

func (d *Draft) setProcess(i uint32, e ProcessEntry) {
	p := d.plain.Processes
	p.Parent[i] = int32(e.Parent)
	p.Creator[i] = e.Creator
	p.Executable[i] = d.Text(e.Executable)
	p.Arguments[i] = int32(d.Text(e.Arguments))
	p.ArgumentsCut[i] = e.ArgumentsCut
	p.Comm[i] = d.Text(e.Comm)
	p.NamespaceTgid[i] = e.NamespaceTGID
	p.PidNamespace[i] = e.PIDNamespace
	p.MountNamespace[i] = e.MountNamespace
	p.NetworkNamespace[i] = e.NetworkNamespace
	p.UserNamespace[i] = e.UserNamespace
	p.LoginUid[i] = e.LoginUIDPlus1
	p.AuditSession[i] = e.AuditPlus1
	p.Tty[i] = e.TTY
	p.Session[i] = uint32(e.SessionLeader)
	p.ExecutableCut[i] = e.ExecutableCut
	p.Knowledge[i] = e.Knowledge
	p.Redacted[i] = d.Text([]byte(e.Redacted))
	p.LoginName[i] = d.Text([]byte(e.LoginName))
	d.SetHash(i+1, e.SHA256, e.HashState)
}

// SetHash sets the hash of the process entry with this index, which may be known later than the rest.
func (d *Draft) SetHash(index uint32, sha256 []byte, state weirv1.HashState) {
	d.plain.Processes.Sha256[index-1] = d.Text(sha256)
	d.plain.Processes.HashState[index-1] = state
}

// FindCredentials returns the index of the entry with these ids, if the batch has one.
func (d *Draft) FindCredentials(ids CredentialIDs) (uint32, bool) {
	index, ok := d.tables.credentials.find(ids)
	return index, ok
}

// Credentials returns the index of c's entry, and adds it where the batch has none.
func (d *Draft) Credentials(c Credentials) uint32 {
	if index, ok := d.FindCredentials(c.CredentialIDs); ok {
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
	t.RealUserName = append(t.RealUserName, d.Text([]byte(c.RealUserName)))
	t.RealGroupName = append(t.RealGroupName, d.Text([]byte(c.RealGroupName)))
	index := uint32(len(t.Uid))
	d.tables.credentials.add(c.CredentialIDs, index)
	return index
}

// FindCgroup returns the index of the entry with these ids, if the batch has one.
func (d *Draft) FindCgroup(ids CgroupIDs) (uint32, bool) {
	index, ok := d.tables.cgroups.find(ids)
	return index, ok
}

// Cgroup returns the index of c's entry, and adds it where the batch has none.
func (d *Draft) Cgroup(c Cgroup) uint32 {
	if index, ok := d.FindCgroup(c.CgroupIDs); ok {
		return index
	}
	t := d.plain.Cgroups
	t.Id = append(t.Id, c.id())
	t.Name = append(t.Name, d.Text([]byte(c.Path[strings.LastIndexByte(c.Path, '/')+1:])))
	t.Version = append(t.Version, c.Version)
	t.Path = append(t.Path, d.Text([]byte(c.Path)))
	t.PathCut = append(t.PathCut, c.PathCut)
	t.ContainerId = append(t.ContainerId, d.Text([]byte(c.ContainerID)))
	t.ContainerRuntime = append(t.ContainerRuntime, d.Text([]byte(c.ContainerRuntime)))
	t.OuterContainerId = append(t.OuterContainerId, d.Text([]byte(c.OuterContainerID)))
	t.ContainerOwner = append(t.ContainerOwner, c.ContainerOwner)
	t.Orchestrator = append(t.Orchestrator, d.Text([]byte(c.Orchestrator)))
	t.Workload = append(t.Workload, d.Text([]byte(c.Workload)))
	index := uint32(len(t.Id))
	d.tables.cgroups.add(c.CgroupIDs, index)
	return index
}

// Rung returns the index of the rung's entry, and adds it where the batch has none. No name is 0.
func (d *Draft) Rung(name string) uint32 {
	if name == "" {
		return 0
	}
	if index, ok := d.tables.rungs.find(name); ok {
		return index
	}
	t := d.plain.Rungs
	t.Name = append(t.Name, d.Text([]byte(name)))
	index := uint32(len(t.Name))
	d.tables.rungs.add(name, index)
	return index
}
