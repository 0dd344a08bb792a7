package ecs

import (
	"strconv"

	"github.com/weirproject/weir/schema"
)

// appendSlots appends the least value of each slot of a histogram that is not empty.
func appendSlots(d *Documents, dst []byte, v uint64) []byte {
	h := schema.HistogramOf(d.bytes(v))
	return appendHistogram(dst, &h, func(slot int) uint64 { return h.Least(slot) })
}

// appendSlotCounts appends how many values each of them has.
func appendSlotCounts(d *Documents, dst []byte, v uint64) []byte {
	h := schema.HistogramOf(d.bytes(v))
	return appendHistogram(dst, &h, func(slot int) uint64 { return h[slot] })
}

func appendHistogram(dst []byte, h *schema.Histogram, show func(slot int) uint64) []byte {
	separator := byte('[')
	for slot, count := range h {
		if count > 0 {
			dst = strconv.AppendUint(append(dst, separator), show(slot), 10)
			separator = ','
		}
	}
	if separator == '[' {
		return dst
	}
	return append(dst, ']')
}
