package ecs

import (
	"encoding/binary"
	"strconv"
)

// appendSlots appends the least value of each slot of a histogram that is not empty.
func appendSlots(d *Documents, dst []byte, v uint64) []byte {
	return appendHistogram(dst, d.bytes(v), func(slot int, _ uint64) uint64 {
		if slot == 0 {
			return 0
		}
		return 1 << slot
	})
}

// appendSlotCounts appends how many values each of them has.
func appendSlotCounts(d *Documents, dst []byte, v uint64) []byte {
	return appendHistogram(dst, d.bytes(v), func(_ int, count uint64) uint64 { return count })
}

// appendHistogram reads what weirv1.Form_FORM_HISTOGRAM describes, as far as it is that.
func appendHistogram(dst, counts []byte, show func(slot int, count uint64) uint64) []byte {
	separator := byte('[')
	for slot := 0; slot < 64 && len(counts) > 0; slot++ {
		count, n := binary.Uvarint(counts)
		if n <= 0 {
			break
		}
		counts = counts[n:]
		if count > 0 {
			dst = strconv.AppendUint(append(dst, separator), show(slot, count), 10)
			separator = ','
		}
	}
	if separator == '[' {
		return dst
	}
	return append(dst, ']')
}
