package kafka

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"
)

// This file is the reader of foreign bytes: what a fetch brought, as producers of any kind left it. It is
// a core without I/O. kafka-go's own decoder allocates what a record count claims, stops for ever at a
// batch that it cannot read, and forgets how far an empty batch reaches.

// Why a batch of records cannot be read.
var (
	errBatchTooLarge   = errors.New("a batch of records beyond fetch_bytes")
	errBatchCut        = errors.New("a batch of records that ends early")
	errBatchChecksum   = errors.New("checksum of a batch of records")
	errBatchCompressed = errors.New("records compressed by Kafka's codec, which weir's topics do not hold")
	errBatchFormat     = errors.New("records of a format before Kafka 0.11")
	errRecord          = errors.New("a record whose lengths do not fit")
)

// Record batches, format 2: https://kafka.apache.org/documentation/#recordbatch.
const (
	batchPrefix = 12 // base offset, length of what follows
	batchHeader = 61
	minMessage  = 14 // of formats 0 and 1, behind the prefix: checksum, magic, attributes, key, value
	minRecord   = 7  // a byte each of length, attributes, deltas, key, value, headers

	codecMask      = 0x07
	logAppendTime  = 1 << 3
	transactional  = 1 << 4
	controlBatch   = 1 << 5
	maxOffsetDelta = 1 << 24 // far above any batch; larger is nonsense, which must not skip what follows
)

// batch is the fixed part of a record batch, and its records' bytes.
type batch struct {
	base, last  int64
	magic       int8
	attributes  int16
	first, max  int64 // timestamps, ms
	producer    int64
	count       int32
	checksum    uint32
	checksummed []byte
	records     []byte
}

// aborted is a transaction that did not commit: its producer's records from first on are void.
type aborted struct{ producer, first int64 }

// decoded is what could be made of a fetch's bytes.
type decoded struct {
	records []Record
	damaged []Damage
	next    int64 // the offset to read next; from, if there was nothing
}

// decode reads the batches in data, of which a fetch asked for those at offset from and later; data may
// end within one. whole says that all of the broker's answer is there: only if not, a first batch that is
// cut is one that is too large. Records alias data.
func decode(data []byte, from int64, void []aborted, whole bool) decoded {
	slices.SortFunc(void, func(a, b aborted) int { return cmp.Compare(a.first, b.first) })
	d := decoder{decoded: decoded{next: from}, void: void, open: map[int64]bool{}}
	for len(data) >= batchPrefix {
		length := int64(int32(binary.BigEndian.Uint32(data[8:])))
		end := batchPrefix + length
		switch {
		case length < minMessage:
			d.damage(int64(binary.BigEndian.Uint64(data)), 0, errBatchCut)
			return d.decoded
		case end > int64(len(data)):
			d.cut(data, whole)
			return d.decoded
		}
		d.batch(data[:end])
		data = data[end:]
	}
	return d.decoded
}

type decoder struct {
	decoded
	void []aborted
	open map[int64]bool // producers within an aborted transaction
}

// cut handles a batch that data does not hold whole. If something was read before it, the next fetch
// begins with it.
func (d *decoder) cut(data []byte, whole bool) {
	if whole || len(data) < batchHeader || len(d.records) > 0 || len(d.damaged) > 0 {
		return
	}
	d.damage(int64(binary.BigEndian.Uint64(data)), int64(int32(binary.BigEndian.Uint32(data[23:]))), errBatchTooLarge)
}

// damage skips the offsets from base to base+delta, of which those before next are passed already.
func (d *decoder) damage(base, delta int64, err error) {
	if delta < 0 || delta > maxOffsetDelta {
		delta = 0
	}
	first := max(base, d.next)
	last := max(base+delta, first)
	d.damaged = append(d.damaged, Damage{First: first, Last: last, Err: err})
	d.next = last + 1
}

func (d *decoder) batch(data []byte) {
	base := int64(binary.BigEndian.Uint64(data))
	if magic := data[16]; magic != 2 {
		d.damage(base, 0, fmt.Errorf("%w: %d", errBatchFormat, magic))
		return
	}
	if len(data) < batchHeader {
		d.damage(base, 0, errBatchCut)
		return
	}
	b := parseBatch(data)
	switch {
	case b.last < d.next: // the broker sends whole batches, also those that begin before what was asked for
		return
	case crc32.Checksum(b.checksummed, crc32.MakeTable(crc32.Castagnoli)) != b.checksum:
		d.damage(base, b.last-base, errBatchChecksum)
		return
	case b.last < base || b.last-base > maxOffsetDelta:
		d.damage(base, 0, errRecord)
		return
	}
	d.enter(b)
	switch {
	case b.attributes&controlBatch != 0:
		delete(d.open, b.producer) // commit and abort markers alike end the transaction
	case b.attributes&transactional != 0 && d.open[b.producer]:
	case b.attributes&codecMask != 0:
		d.damage(base, b.last-base, errBatchCompressed)
	default:
		d.read(b)
	}
	d.next = max(d.next, b.last+1)
}

// enter opens the aborted transactions that begin at or before the batch.
func (d *decoder) enter(b batch) {
	for len(d.void) > 0 && d.void[0].first <= b.last {
		d.open[d.void[0].producer] = true
		d.void = d.void[1:]
	}
}

func parseBatch(data []byte) batch {
	be := binary.BigEndian
	b := batch{
		base:        int64(be.Uint64(data)),
		magic:       int8(data[16]),
		checksum:    be.Uint32(data[17:]),
		attributes:  int16(be.Uint16(data[21:])),
		first:       int64(be.Uint64(data[27:])),
		max:         int64(be.Uint64(data[35:])),
		producer:    int64(be.Uint64(data[43:])),
		count:       int32(be.Uint32(data[57:])),
		checksummed: data[21:],
		records:     data[batchHeader:],
	}
	b.last = b.base + int64(int32(be.Uint32(data[23:])))
	return b
}

// read appends the batch's records that were asked for. From the first that does not fit on, the rest of
// the batch is damaged.
func (d *decoder) read(b batch) {
	in := varints{data: b.records}
	for range min(int(b.count), len(b.records)/minRecord) {
		r, ok := in.record(b)
		if !ok || r.Offset > b.last {
			break
		}
		if r.Offset >= d.next {
			d.records = append(d.records, r)
			d.next = r.Offset + 1
		}
	}
	if in.bad || len(in.data) > 0 {
		d.damage(d.next, b.last-d.next, errRecord)
	}
}

// varints reads zigzag varints and what they measure. After an error it stays bad.
type varints struct {
	data []byte
	bad  bool
}

func (v *varints) record(b batch) (Record, bool) {
	in := varints{data: v.bytes()}
	if v.bad {
		return Record{}, false
	}
	in.skip(1) // attributes: unused
	timestamp := b.first + in.int()
	if b.attributes&logAppendTime != 0 {
		timestamp = b.max
	}
	r := Record{Offset: b.base + in.int(), Time: time.UnixMilli(timestamp)}
	r.Key, r.Value = in.bytes(), in.bytes()
	r.Headers = in.headers()
	v.bad = in.bad
	return r, !in.bad
}

func (v *varints) headers() []Header {
	n := v.int()
	if n < 0 || n > int64(len(v.data)/2) {
		v.bad = true
		return nil
	}
	var headers []Header
	for range n {
		headers = append(headers, Header{Key: string(v.bytes()), Value: v.bytes()})
	}
	return headers
}

func (v *varints) int() int64 {
	n, size := binary.Varint(v.data)
	if size <= 0 {
		v.bad = true
		return 0
	}
	v.data = v.data[size:]
	return n
}

// bytes reads a length and so many bytes; -1 is none.
func (v *varints) bytes() []byte {
	n := v.int()
	switch {
	case v.bad || n == -1:
		return nil
	case n < 0 || n > int64(len(v.data)):
		v.bad = true
		return nil
	}
	part := v.data[:n:n]
	v.data = v.data[n:]
	return part
}

func (v *varints) skip(n int) {
	if v.bad || n > len(v.data) {
		v.bad = true
		return
	}
	v.data = v.data[n:]
}
