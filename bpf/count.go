package bpf

import (
	"bytes"
	"cmp"
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
	// CapabilityKey is By of capability.check.
	CapabilityKey = objectCapabilityKey
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

// Capability returns what capability.check counts by.
func (k *CountKey) Capability() *CapabilityKey { return (*CapabilityKey)(unsafe.Pointer(&k.By)) }
