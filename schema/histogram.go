package schema

import "encoding/binary"

// Histogram counts values by powers of two: slot 0 has 0 and 1, slot n values from 2^n on and below 2^(n+1). On the
// wire it is weirv1.Form_FORM_HISTOGRAM.
type Histogram [64]uint64

// HistogramOf reads what Encode has made, as far as it is that.
func HistogramOf(counts []byte) (h Histogram) {
	for slot := range h {
		n, size := binary.Uvarint(counts)
		if size <= 0 {
			break
		}
		h[slot], counts = n, counts[size:]
	}
	return h
}

// Encode returns the counts as varints, up to the last that is not 0.
func (h *Histogram) Encode() (counts []byte) {
	last := len(h)
	for last > 0 && h[last-1] == 0 {
		last--
	}
	for _, n := range h[:last] {
		counts = binary.AppendUvarint(counts, n)
	}
	return counts
}

// Least returns the least value that the slot holds.
func (*Histogram) Least(slot int) uint64 {
	if slot == 0 {
		return 0
	}
	return 1 << slot
}

// Quantile returns the value below which so many of 100 values lie, as far as their slots tell: the end of the last
// one's. It is 0 where there is none.
func (h *Histogram) Quantile(percent uint64) uint64 {
	var total, sum uint64
	for _, n := range h {
		total += n
	}
	for slot, n := range h {
		if sum += n; sum > 0 && sum*100 >= total*percent {
			return h.Least(slot + 1)
		}
	}
	return 0
}
