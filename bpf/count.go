package bpf

import (
	"bytes"
	"cmp"
	"net/netip"
	"unsafe"
)

// Counted kinds: what their programs count in the kernel, by a key.
type (
	// Count is what was counted by one key in one epoch.
	Count = objectCount
	// CountKey is what a kind counts by; By is the kind's own.
	CountKey = objectCountKey
	// CountSample is the first of a key, or, made by Go, what was counted by it.
	CountSample = objectCountSample
	// ProgramKey is who does something: an executable, and where and as whom it runs.
	ProgramKey = objectProgramKey
	// CapabilityKey is By of capability.check, and so on.
	CapabilityKey = objectCapabilityKey
	RetransmitKey = objectRetransmitKey
	SocketKey     = objectSocketKey
	BlockKey      = objectBlockKey
)

// RetransmitCause says why a segment was sent again.
type RetransmitCause = objectRetransmitCause

const (
	RetransmitTimeout   = objectRetransmitCauseRETRANSMIT_TIMEOUT
	RetransmitFast      = objectRetransmitCauseRETRANSMIT_FAST
	RetransmitLossProbe = objectRetransmitCauseRETRANSMIT_LOSS_PROBE
	RetransmitSyn       = objectRetransmitCauseRETRANSMIT_SYN
)

// CapabilityOption is a bit of CapabilityKey.Options.
type CapabilityOption = objectCapabilityOption

// The options of a CapabilityKey.
const (
	CapabilityNoAudit = objectCapabilityOptionCAPABILITY_NOAUDIT // CAP_OPT_NOAUDIT
	CapabilitySetID   = objectCapabilityOptionCAPABILITY_INSETID // CAP_OPT_INSETID
	CapabilityUnknown = objectCapabilityOptionCAPABILITY_UNKNOWN // the rung does not tell
)

// EpochKeys is how many keys each kind has in one epoch; an epoch's are at its number modulo Epochs.
type EpochKeys = objectEpochKeys

// Counted is what was counted by one key.
type Counted struct {
	Key   CountKey
	Count Count
}

// Epochs is how many epochs are counted apart.
const Epochs = uint32(objectEpochsEPOCHS)

// Compare orders keys by their epochs, and those of one epoch in any fixed order.
func (k CountKey) Compare(other CountKey) int {
	return cmp.Or(cmp.Compare(k.Epoch, other.Epoch), bytes.Compare(k.bytes(), other.bytes()))
}

func (k *CountKey) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(k)), unsafe.Sizeof(*k))
}

// Raw returns the sample as Dispatch takes it. It points into the sample.
func (s *CountSample) Raw() []byte {
	s.Head.Size = uint32(unsafe.Sizeof(*s))
	return unsafe.Slice((*byte)(unsafe.Pointer(s)), unsafe.Sizeof(*s))
}

// Series returns the key without what tells the slots of one histogram apart; of other kinds it is the key itself.
func (k CountKey) Series() CountKey {
	if Kind(k.Kind) == KindBlockIO {
		b := k.Block()
		b.Latency, b.Size, b.NoLatency = 0, 0, 0
	}
	return k
}

// Retransmit returns what network.retransmit counts by.
func (k *CountKey) Retransmit() *RetransmitKey { return (*RetransmitKey)(unsafe.Pointer(&k.By)) }

// LocalEnd returns the host's address and port.
func (k *RetransmitKey) LocalEnd() netip.AddrPort {
	return netip.AddrPortFrom(address(uint16(k.Family), &k.Local), k.LocalPort)
}

// RemoteEnd returns the other end's address and port.
func (k *RetransmitKey) RemoteEnd() netip.AddrPort {
	return netip.AddrPortFrom(address(uint16(k.Family), &k.Remote), k.RemotePort)
}

// Socket returns what socket.create counts by.
func (k *CountKey) Socket() *SocketKey { return (*SocketKey)(unsafe.Pointer(&k.By)) }

// Block returns what block.io counts by.
func (k *CountKey) Block() *BlockKey { return (*BlockKey)(unsafe.Pointer(&k.By)) }

// Capability returns what capability.check counts by.
func (k *CountKey) Capability() *CapabilityKey { return (*CapabilityKey)(unsafe.Pointer(&k.By)) }
