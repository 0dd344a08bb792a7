package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// Form says what an entry holds.
type Form uint32

// The forms of an entry.
const (
	Batch     Form = 1 // a batch
	Tombstone Form = 2 // a sealed tombstone, as it came
	Evicted   Form = 3 // in place of batches that the full spool gave up: a tombstone that is yet to be sealed
)

// Entry is one thing that Kafka is to be told, in the order of Number. Its meta part is an obituary: it tells
// all that a tombstone in place of the entry would tell, so that neither publishing, listing nor eviction
// has to inflate a batch.
type Entry struct {
	Form   Form
	Number uint64 // dense, from 1; an Evicted entry has that of the last entry that it stands for

	SchemaVersion uint32
	Host          schema.HostID
	Run           schema.RunID
	Previous      batch.Hash        // chain hash of the batch before the first
	Tomb          *weirv1.Tombstone // first, last, the last's hash, rows by kind; the reason of an Evicted one

	Body []byte // the record; of an Evicted entry, a marshalled Header of the run
}

const (
	headSize   = 32
	entryMagic = "wEnt"
	metaFixed  = 4 + 16 + 16 + 32

	// maxMeta and maxBody bound what a reader allocates on the word of a head.
	maxMeta = 64 << 10
	maxBody = 16 << 20
)

// ErrTooLarge says that no reader would take the entry.
var ErrTooLarge = fmt.Errorf("more than %d bytes", maxBody)

// Size returns the bytes that the entry takes.
func (e Entry) Size() int64 { return int64(headSize+metaFixed+proto.Size(e.Tomb)) + int64(len(e.Body)) }

// NewEntry returns the entry of s under a number.
func NewEntry(number uint64, s batch.Sealed) Entry {
	form := Batch
	if s.Tombstone {
		form = Tombstone
	}
	return Entry{
		Form: form, Number: number,
		SchemaVersion: s.SchemaVersion, Host: s.Host, Run: s.Run, Previous: s.Previous,
		Tomb: &weirv1.Tombstone{First: s.First, Last: s.Last, LastHash: s.Hash[:], Lost: s.Rows},
		Body: s.Record,
	}
}

// Sealed returns what NewEntry was made of, but for the header.
func (e Entry) Sealed() batch.Sealed {
	return batch.Sealed{
		Record: e.Body, SchemaVersion: e.SchemaVersion, Host: e.Host, Run: e.Run,
		First: e.Tomb.GetFirst(), Last: e.Tomb.GetLast(), Previous: e.Previous, Hash: e.hash(),
		Rows: e.Tomb.GetLost(), Tombstone: e.Form == Tombstone,
	}
}

func (e Entry) hash() (h batch.Hash) {
	copy(h[:], e.Tomb.GetLastHash())
	return h
}

// Append appends the entry's bytes to dst.
func (e Entry) Append(dst []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, headSize)...)
	dst = binary.LittleEndian.AppendUint32(dst, e.SchemaVersion)
	dst = append(dst, e.Host[:]...)
	dst = append(dst, e.Run[:]...)
	dst = append(dst, e.Previous[:]...)
	dst, err := proto.MarshalOptions{}.MarshalAppend(dst, e.Tomb)
	if err != nil {
		return dst[:start], err
	}
	meta := len(dst) - start - headSize
	if meta > maxMeta || len(e.Body) > maxBody {
		return dst[:start], ErrTooLarge
	}
	dst = append(dst, e.Body...)

	head := dst[start : start+headSize]
	copy(head, entryMagic)
	binary.LittleEndian.PutUint64(head[4:], e.Number)
	binary.LittleEndian.PutUint32(head[12:], uint32(e.Form))
	binary.LittleEndian.PutUint32(head[16:], uint32(meta))
	binary.LittleEndian.PutUint32(head[20:], uint32(len(e.Body)))
	binary.LittleEndian.PutUint32(head[24:], crc32.Checksum(dst[start+headSize:], castagnoli))
	binary.LittleEndian.PutUint32(head[28:], crc32.Checksum(head[:28], castagnoli))
	return dst, nil
}

// head is the fixed part of an entry.
type head struct {
	number     uint64
	form       Form
	meta, body uint32
	checksum   uint32
}

func (h head) size() int64 { return headSize + int64(h.meta) + int64(h.body) }

// parseHead reads headSize bytes.
func parseHead(b []byte) (head, bool) {
	if string(b[:4]) != entryMagic || crc32.Checksum(b[:28], castagnoli) != binary.LittleEndian.Uint32(b[28:]) {
		return head{}, false
	}
	h := head{
		number:   binary.LittleEndian.Uint64(b[4:]),
		form:     Form(binary.LittleEndian.Uint32(b[12:])),
		meta:     binary.LittleEndian.Uint32(b[16:]),
		body:     binary.LittleEndian.Uint32(b[20:]),
		checksum: binary.LittleEndian.Uint32(b[24:]),
	}
	return h, h.number > 0 && h.number <= maxNumber && h.meta >= metaFixed && h.meta <= maxMeta && h.body <= maxBody
}

var (
	errChecksum = errors.New("checksum of the entry")
	errForm     = errors.New("entry of a form that this version does not know")
)

// parseEntry reads what follows a head. The entry's body is a part of b.
func parseEntry(h head, b []byte) (Entry, error) {
	if crc32.Checksum(b, castagnoli) != h.checksum {
		return Entry{}, errChecksum
	}
	if h.form < Batch || h.form > Evicted {
		return Entry{}, errForm
	}
	e := Entry{Form: h.form, Number: h.number, Tomb: &weirv1.Tombstone{}, Body: b[h.meta:]}
	e.SchemaVersion = binary.LittleEndian.Uint32(b)
	copy(e.Host[:], b[4:])
	copy(e.Run[:], b[20:])
	copy(e.Previous[:], b[36:])
	if err := proto.Unmarshal(b[metaFixed:h.meta], e.Tomb); err != nil {
		return Entry{}, fmt.Errorf("meta part of the entry: %w", err)
	}
	return e, nil
}
