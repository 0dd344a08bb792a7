package schema

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
)

// HostID names a machine: the first 16 bytes of SHA-256 of the host's first Ed25519 public key.
type HostID [16]byte

// NewHostID returns the id of the host whose first public key is key.
func NewHostID(key ed25519.PublicKey) HostID {
	sum := sha256.Sum256(key)
	return HostID(sum[:16])
}

// BootID names one boot of a machine: /proc/sys/kernel/random/boot_id.
type BootID [16]byte

// AttachmentID names the life of pinned hooks and counters.
type AttachmentID [16]byte

// RunID names the life of one collector process; batch numbers count within it.
type RunID [16]byte

// EventID names one event everywhere and for ever: see batch.Batch.EventID.
type EventID [16]byte

func (id HostID) String() string       { return hex.EncodeToString(id[:]) }
func (id BootID) String() string       { return hex.EncodeToString(id[:]) }
func (id AttachmentID) String() string { return hex.EncodeToString(id[:]) }
func (id RunID) String() string        { return hex.EncodeToString(id[:]) }
func (id EventID) String() string      { return hex.EncodeToString(id[:]) }

// BootTime is µs on a host's CLOCK_BOOTTIME. Only a batch's header makes a time of day of it.
type BootTime uint64

// TGID is a process id (thread group id) in the initial pid namespace.
type TGID uint32

// ProcessKey names one program that a process ran, within one boot of one host; the batch's header names
// both. The zero key is "no process".
//
// In this order it has no padding, so that maps hash it at once.
type ProcessKey struct {
	Start BootTime // task_struct.start_boottime of the leader
	TGID  TGID
	Exec  uint32 // task_struct.self_exec_id
}

// IsZero reports whether the key names no process.
func (k ProcessKey) IsZero() bool { return k == ProcessKey{} }
