package batch

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"iter"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Batch is a batch that was read: its signature is good, its columns and indexes fit, and its columns hold
// plain values. It does not change any more, and may be read by many.
type Batch struct {
	proto     *weirv1.Batch
	rows      []Row
	texts     []uint32 // where each dictionary entry ends
	publicKey ed25519.PublicKey
	previous  Hash
	hash      Hash
	event     number128 // id of row 0
}

// Row is one event of a batch.
type Row struct {
	// Index in Common, in ring order, from 0.
	Index int
	// Kind is nil where this reader does not know it: Batch.KindName tells its name.
	Kind *schema.Kind
	// GroupRow is the row in the kind's column group.
	GroupRow int
}

// Proto returns the batch with plain values in its columns. A column that was left out has no values: each row
// has 0 (schema.At).
func (b *Batch) Proto() *weirv1.Batch { return b.proto }

// Header returns the batch's header.
func (b *Batch) Header() *weirv1.Header { return b.proto.GetHeader() }

// Ledger returns the host's sums, or nil.
func (b *Batch) Ledger() *weirv1.Ledger { return b.proto.GetLedger() }

// Tombstone returns what the record stands for in place of events, or nil.
func (b *Batch) Tombstone() *weirv1.Tombstone { return b.proto.GetTombstone() }

// Groups returns the name and number of rows of each kind, those that this reader does not know too.
func (b *Batch) Groups() []*weirv1.Group { return b.proto.GetGroups() }

// Host returns the id of the host that sealed the batch.
func (b *Batch) Host() schema.HostID { return schema.HostID(b.Header().GetHostId()) }

// Run returns the run that the batch's number counts in.
func (b *Batch) Run() schema.RunID { return schema.RunID(b.Header().GetRunId()) }

// Numbers returns the first and last number of the batches that the record stands for: one, unless it is a
// tombstone.
func (b *Batch) Numbers() (first, last uint64) {
	if t := b.Tombstone(); t != nil {
		return t.GetFirst(), t.GetLast()
	}
	return b.Header().GetBatchNumber(), b.Header().GetBatchNumber()
}

// Hash returns what the batch that follows names as hash of the one before: the batch's own chain hash, or of
// a tombstone the hash of the last batch that it replaces.
func (b *Batch) Hash() Hash { return b.hash }

// Previous returns the chain hash of the batch before, zero on a run's first.
func (b *Batch) Previous() Hash { return b.previous }

// PublicKey returns the key that the signature is good for. Whether it is the host's is for the books to say.
func (b *Batch) PublicKey() ed25519.PublicKey { return b.publicKey }

// Len returns the number of rows.
func (b *Batch) Len() int { return len(b.rows) }

// Row returns the row of an index.
func (b *Batch) Row(index int) Row { return b.rows[index] }

// Rows yields every row, in ring order.
func (b *Batch) Rows() iter.Seq[Row] { return slices.Values(b.rows) }

// KindName returns the name of the row's kind, as the batch says it.
func (b *Batch) KindName(row Row) string {
	number := b.proto.GetCommon().GetKind()[row.Index]
	for _, g := range b.Groups() {
		if g.GetNumber() == number {
			return g.GetKind()
		}
	}
	return "" // not in a batch that was read: Read refuses it
}

// Text returns an entry of the dictionary, nil for 0. Nobody changes it.
func (b *Batch) Text(index uint32) []byte {
	if index == 0 {
		return nil
	}
	end := b.texts[index-1]
	start := end - b.proto.GetDictionary().GetSize()[index-1]
	return b.proto.GetDictionary().GetData()[start:end:end]
}

// Address returns an entry of the dictionary that is an address; the zero Addr for 0.
func (b *Batch) Address(index uint32) netip.Addr {
	a, _ := netip.AddrFromSlice(b.Text(index)) // Read has checked its length
	return a
}

// BootTime returns when the row's event happened, on the host's CLOCK_BOOTTIME.
func (b *Batch) BootTime(row int) schema.BootTime {
	return schema.BootTime(schema.At(b.proto.GetCommon().GetTimeUs(), row))
}

// Time returns when the row's event happened, by the host's clock.
func (b *Batch) Time(row int) time.Time { return b.TimeOf(b.BootTime(row)) }

// TimeOf returns the time of day of a moment on the host's CLOCK_BOOTTIME.
func (b *Batch) TimeOf(at schema.BootTime) time.Time {
	return time.UnixMicro(b.Header().GetBootTimeUs() + int64(at)).UTC()
}

// number128 is a number of 128 bits.
type number128 struct{ high, low uint64 }

// eventBase returns the id of the batch's row 0: the first 16 bytes of SHA-256 of host id, run id and batch
// number (8 bytes, big endian).
func eventBase(h *weirv1.Header) number128 {
	var input [40]byte
	copy(input[:16], h.GetHostId())
	copy(input[16:32], h.GetRunId())
	binary.BigEndian.PutUint64(input[32:], h.GetBatchNumber())
	sum := sha256.Sum256(input[:])
	return number128{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])}
}

// EventID returns the id of the row's event: that of row 0 plus the row, as big-endian numbers of 128 bits.
func (b *Batch) EventID(row int) schema.EventID {
	low, carry := bits.Add64(b.event.low, uint64(row), 0)
	var id schema.EventID
	binary.BigEndian.PutUint64(id[:8], b.event.high+carry)
	binary.BigEndian.PutUint64(id[8:], low)
	return id
}
