package fill

import (
	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/process"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// root is a root directory.
type root struct {
	device uint32
	inode  uint64
}

// initTGID is the process whose root directory has the host's user database.
const initTGID = 1

// hasOtherRoot reports whether the process sees another tree than the host's first process, which the iterator
// gives before all others but kernel threads. Where nothing was seeded, all are taken for the host's.
func (f *Filler) hasOtherRoot(key schema.ProcessKey, facts *bpf.ProcessFacts) bool {
	own := root{facts.RootDevice, facts.RootInode}
	if key.TGID == initTGID {
		f.root = own
	}
	return own != f.root && f.root != (root{})
}

// isForeign reports whether the host's names do not hold for the process's ids. In a user namespace they do: an id is
// told as the host's, to which the namespace maps it. In a container without one, and in a chroot, the same number is
// another user, by another user database.
func (f *Filler) isForeign(key schema.ProcessKey) bool {
	e, ok := f.table.Lookup(key)
	return !ok || isForeign(e)
}

func isForeign(e *process.Entry) bool { return e.OtherRoot && e.UserNamespace == 0 }

// credentials asks for names only where the batch does not have them yet.
func (f *Filler) credentials(ids batch.CredentialIDs) uint32 {
	if index, ok := f.draft.FindCredentials(ids); ok {
		return index
	}
	return f.draft.Credentials(batch.Credentials{
		CredentialIDs: ids,
		UserName:      f.userName(ids.EUID, ids.Foreign),
		GroupName:     f.groupName(ids.EGID, ids.Foreign),
		RealUserName:  f.userName(ids.UID, ids.Foreign),
		RealGroupName: f.groupName(ids.GID, ids.Foreign),
	})
}

// userName leaves out foreign users but root, who is the same one everywhere.
func (f *Filler) userName(uid uint32, foreign bool) string {
	if foreign && uid != 0 {
		return ""
	}
	return f.names.User(uid, f.now)
}

func (f *Filler) groupName(gid uint32, foreign bool) string {
	if foreign && gid != 0 {
		return ""
	}
	return f.names.Group(gid, f.now)
}

// loginName is that of the user who logged in.
func (f *Filler) loginName(e *process.Entry) string {
	if e.LoginUID == process.NoLogin {
		return ""
	}
	return f.userName(e.LoginUID, isForeign(e))
}
