package batch

import (
	"hash/maphash"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// dictionary finds the index of a byte string, and adds it where the batch has none yet. It is a hash table
// with open addressing over the bytes that go to the wire, since a map[string] would copy each entry once
// more: half of what a draft costs is spent here (BenchmarkBatch).
type dictionary struct {
	seed    maphash.Seed
	entries []entry
	slots   []uint32 // index of an entry, plus 1; a power of two, at most half full
	wire    *weirv1.Dictionary
}

type entry struct {
	hash  uint64
	start uint32
	end   uint32
}

func newDictionary() dictionary {
	return dictionary{seed: maphash.MakeSeed(), slots: make([]uint32, 1024), wire: &weirv1.Dictionary{}}
}

// index returns the index of b, which starts at 1. No bytes are 0, which is none.
func (d *dictionary) index(b []byte) uint32 {
	if len(b) == 0 {
		return 0
	}
	hash := maphash.Bytes(d.seed, b)
	mask := uint64(len(d.slots) - 1)
	slot := hash & mask
	for ; d.slots[slot] != 0; slot = (slot + 1) & mask {
		e := d.entries[d.slots[slot]-1]
		if e.hash == hash && string(d.wire.Data[e.start:e.end]) == string(b) {
			return d.slots[slot]
		}
	}
	return d.add(slot, hash, b)
}

func (d *dictionary) add(slot, hash uint64, b []byte) uint32 {
	start := uint32(len(d.wire.Data))
	d.wire.Data = append(d.wire.Data, b...)
	d.wire.Size = append(d.wire.Size, uint32(len(b)))
	d.entries = append(d.entries, entry{hash: hash, start: start, end: start + uint32(len(b))})
	d.slots[slot] = uint32(len(d.entries))
	if 2*len(d.entries) > len(d.slots) {
		d.grow()
	}
	return uint32(len(d.entries))
}

func (d *dictionary) grow() {
	d.slots = make([]uint32, 2*len(d.slots))
	mask := uint64(len(d.slots) - 1)
	for i, e := range d.entries {
		slot := e.hash & mask
		for d.slots[slot] != 0 {
			slot = (slot + 1) & mask
		}
		d.slots[slot] = uint32(i + 1)
	}
}

func (d *dictionary) reset() {
	d.entries = d.entries[:0]
	d.wire.Data = d.wire.Data[:0]
	d.wire.Size = d.wire.Size[:0]
	clear(d.slots)
}
