// Package executable remembers what the collector has found out about the files that processes run: the hash of
// their contents, and their file capabilities.
//
//	exec sample ──► Cache.Find ──► File, known or pending ──► process entry ──► batch, when it is sealed
//	                    │                 ▲
//	                    └─ Sighting ──► Queue ──► package digest reads the file ──► File.Settle
//
// A file is known again by what the kernel tells of it at the exec: device, inode, size and change time. So an exec
// of a known file costs one look into a map, and no system call.
//
// It is a core: no I/O, no clock. Cache and File are for one goroutine.
package executable

import (
	"crypto/sha256"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// File is what is known of the file that a process runs. Processes that run the same one share it.
type File struct {
	State        weirv1.HashState
	SHA256       [sha256.Size]byte // where State is unspecified or unsettled
	Capabilities Capabilities
}

// Pending reports whether the file is still to be read.
func (f *File) Pending() bool { return f.State == weirv1.HashState_HASH_STATE_PENDING }

// Hash returns the hash; none where State says why.
func (f *File) Hash() []byte {
	switch f.State {
	case weirv1.HashState_HASH_STATE_UNSPECIFIED, weirv1.HashState_HASH_STATE_UNSETTLED:
		return f.SHA256[:]
	}
	return nil
}

// Capabilities are a file's: capabilities(7). All zero: it has none.
type Capabilities struct {
	Permitted, Inheritable uint64
	Effective              bool
	RootUID                uint32 // 0: they hold in all user namespaces
}

// ID names one state of one file.
type ID struct {
	Device    uint32 // the kernel's own; stat tells another one on some file systems
	Inode     uint64
	Size      uint64
	ChangedNs uint64 // since 1970
}

// Sighting is an exec of a file, with what it takes to find the file afterwards.
type Sighting struct {
	ID
	Filesystem  uint32 // its magic number
	UserMounted bool   // it was mounted in a user namespace
	TGID        uint32 // the process, in the initial pid namespace
	// Path is the file's in the mount namespace of Neighbour, another process; empty where it has none. It is the caller's:
	// whoever keeps the sighting copies it.
	Path      []byte
	Neighbour uint32
	Owner     uint32 // real user id, by which the budget is shared
	AtNs      uint64 // when, since 1970; 0: the process is older than the collector
}

// HostNeighbour is the host's first process.
const HostNeighbour = 1

// tickNs is how long a file's change time may lag behind: a tick of the slowest kernels, twice.
const tickNs = 20e6

// settled reports whether a change of the file after the exec is certain to have another change time than the one
// that the exec saw.
func (s *Sighting) settled() bool { return s.AtNs == 0 || s.ChangedNs+tickNs < s.AtNs }

// Magic numbers of file systems: include/uapi/linux/magic.h, and their own headers.
const (
	btrfs     = 0x9123683e
	bcachefs  = 0xca451a4e
	overlayfs = 0x794c7630
)

// local are the file systems whose files are read: of others, a server or any user may keep a reader waiting for ever.
var local = map[uint32]bool{
	0xef53:     true, // ext2, ext3, ext4
	0x58465342: true, // xfs
	0xf2f52010: true, // f2fs
	0x2fc12fc1: true, // zfs
	0x01021994: true, // tmpfs, and memfds
	0x858458f6: true, // ramfs
	0x958458f6: true, // hugetlbfs
	0x73717368: true, // squashfs
	0xe0f5e1e2: true, // erofs
	0x9660:     true, // iso9660
	0x4d44:     true, // vfat
	0x2011bab0: true, // exfat
	0x3153464a: true, // jfs
	0x15013346: true, // udf
	btrfs:      true,
	bcachefs:   true,
	overlayfs:  true,
}

// Readable reports whether files of the file system are read.
func (s *Sighting) Readable() bool { return local[s.Filesystem] }

// DeviceTells reports whether stat tells the same device as the kernel does: not where a subvolume or a layer has
// one of its own.
func (s *Sighting) DeviceTells() bool {
	return s.Filesystem != btrfs && s.Filesystem != bcachefs && s.Filesystem != overlayfs
}

// unique reports whether device and inode tell files apart: in btrfs and bcachefs each subvolume counts anew.
func (s *Sighting) unique() bool { return s.Filesystem != btrfs && s.Filesystem != bcachefs }
