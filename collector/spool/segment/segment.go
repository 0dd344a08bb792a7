// Package segment is the core of the spool: what a segment is as bytes (segment.go, entry.go), how it is
// read though parts of it are damaged (walk.go), and what is to be done with which segment (list.go).
// docs/format/spool.md draws the bytes.
//
// It does no I/O of its own, trusts no byte that it reads, and nothing in it is safe for concurrent use.
package segment

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// HeaderSize is the bytes of a segment's header.
const HeaderSize = 40

// magic begins every segment, version included.
const magic = "weirspl1"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Header begins a segment.
type Header struct {
	Number uint64 // the segment's, as in its name
	First  uint64 // number of the first entry, or, of evicted ones, of the first that is told of
	// Replaces is the lowest segment number that this one stands for: its own, or lower where evicted
	// segments were made one. Those from Replaces to before Number are to be removed where they are still there.
	Replaces uint64
	// Evicted segments hold nothing but Evicted entries.
	Evicted bool
}

const evictedFlag = 1

// maxNumber bounds the numbers that are believed, so that they can be counted on from.
const maxNumber = 1 << 62

// Errors of ParseHeader.
var (
	ErrHeaderShort    = errors.New("header is cut off")
	ErrHeaderMagic    = errors.New("does not begin as a segment")
	ErrHeaderChecksum = errors.New("checksum of the header")
	ErrHeaderNumbers  = errors.New("numbers of the header")
)

// AppendHeader appends h to dst.
func AppendHeader(dst []byte, h Header) []byte {
	start := len(dst)
	dst = append(dst, magic...)
	dst = binary.LittleEndian.AppendUint64(dst, h.Number)
	dst = binary.LittleEndian.AppendUint64(dst, h.First)
	dst = binary.LittleEndian.AppendUint64(dst, h.Replaces)
	flags := uint32(0)
	if h.Evicted {
		flags |= evictedFlag
	}
	dst = binary.LittleEndian.AppendUint32(dst, flags)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// ParseHeader reads the first HeaderSize bytes of a segment.
func ParseHeader(b []byte) (Header, error) {
	switch {
	case len(b) < HeaderSize:
		return Header{}, ErrHeaderShort
	case string(b[:len(magic)]) != magic:
		return Header{}, ErrHeaderMagic
	case crc32.Checksum(b[:HeaderSize-4], castagnoli) != binary.LittleEndian.Uint32(b[HeaderSize-4:]):
		return Header{}, ErrHeaderChecksum
	}
	h := Header{
		Number:   binary.LittleEndian.Uint64(b[8:]),
		First:    binary.LittleEndian.Uint64(b[16:]),
		Replaces: binary.LittleEndian.Uint64(b[24:]),
		Evicted:  binary.LittleEndian.Uint32(b[32:])&evictedFlag != 0,
	}
	if h.First == 0 || h.First > maxNumber || h.Replaces > h.Number {
		return Header{}, ErrHeaderNumbers
	}
	return h, nil
}

const (
	ackMagic = "weirack1"

	// AckSize is the bytes of the file that keeps what Kafka has.
	AckSize = 20
)

// AppendAck appends to dst that Kafka has all entries up to number.
func AppendAck(dst []byte, number uint64) []byte {
	start := len(dst)
	dst = append(dst, ackMagic...)
	dst = binary.LittleEndian.AppendUint64(dst, number)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
}

// ParseAck reads what AppendAck wrote.
func ParseAck(b []byte) (number uint64, ok bool) {
	if len(b) != AckSize || string(b[:8]) != ackMagic || crc32.Checksum(b[:16], castagnoli) != binary.LittleEndian.Uint32(b[16:]) {
		return 0, false
	}
	if number = binary.LittleEndian.Uint64(b[8:]); number > maxNumber {
		return 0, false
	}
	return number, true
}
