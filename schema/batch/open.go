package batch

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// What can be wrong with a record. The errors of Read, Inspect and ReadEnriched are one of these, with what
// and where in front.
var (
	// ErrTooLarge: it is beyond a limit of the reader.
	ErrTooLarge = errors.New("larger than this reader allows")
	// ErrMalformed: it is no such message, or a part has a length that it cannot have.
	ErrMalformed = errors.New("malformed")
	// ErrSignature: its signature is not that of the key in it.
	ErrSignature = errors.New("bad signature")
	// ErrNewer: it is of a version of the wire that this reader does not know.
	ErrNewer = errors.New("newer schema version")
	// ErrColumns: columns, rows or indexes contradict each other.
	ErrColumns = errors.New("inconsistent columns")
)

// opened is a record whose signature is good, inflated and unmarshalled, but with nothing else believed.
type opened struct {
	batch     *weirv1.Batch
	publicKey ed25519.PublicKey
	previous  Hash
	hash      Hash // its own chain hash
}

func openRecord(record []byte, l ReadLimits) (opened, error) {
	if len(record) > l.Record {
		return opened{}, fmt.Errorf("record: %d bytes, at most %d: %w", len(record), l.Record, ErrTooLarge)
	}
	var s weirv1.SealedBatch
	if err := proto.Unmarshal(record, &s); err != nil {
		return opened{}, fmt.Errorf("record: %v: %w", err, ErrMalformed)
	}
	o, err := verify(&s)
	if err != nil {
		return opened{}, err
	}
	o.batch, err = unpack(&s, l)
	return o, err
}

// verify checks the signature. What it returns has no batch yet.
func verify(s *weirv1.SealedBatch) (opened, error) {
	if n := len(s.GetPreviousHash()); n != 0 && n != sha256.Size {
		return opened{}, fmt.Errorf("previous_hash: %d bytes: %w", n, ErrMalformed)
	}
	if n := len(s.GetPublicKey()); n != ed25519.PublicKeySize {
		return opened{}, fmt.Errorf("public_key: %d bytes: %w", n, ErrMalformed)
	}
	o := opened{publicKey: s.GetPublicKey(), hash: chainHash(s)}
	copy(o.previous[:], s.GetPreviousHash())
	if !ed25519.Verify(o.publicKey, o.hash[:], s.GetSignature()) {
		return opened{}, fmt.Errorf("record: %w", ErrSignature)
	}
	return o, nil
}

func unpack(s *weirv1.SealedBatch, l ReadLimits) (*weirv1.Batch, error) {
	if int64(s.GetRawSize()) > int64(l.Raw) {
		return nil, fmt.Errorf("batch: inflates to %d bytes, at most %d: %w", s.GetRawSize(), l.Raw, ErrTooLarge)
	}
	raw, err := inflate(s)
	if err != nil {
		return nil, err
	}
	b := &weirv1.Batch{}
	if err := checkParts(raw, b.ProtoReflect().Descriptor(), l); err != nil {
		return nil, fmt.Errorf("batch: %w", err)
	}
	if err := proto.Unmarshal(raw, b); err != nil {
		return nil, fmt.Errorf("batch: %v: %w", err, ErrMalformed)
	}
	return b, checkSizes(b, l)
}

// inflate returns the raw_size bytes of the batch. It stops at the first byte beyond them.
func inflate(s *weirv1.SealedBatch) ([]byte, error) {
	size := int(s.GetRawSize())
	raw := s.GetBatch()
	switch s.GetCodec() {
	case weirv1.Codec_CODEC_NONE:
	case weirv1.Codec_CODEC_ZSTD:
		var err error
		if raw, err = decoder().DecodeAll(s.GetBatch(), make([]byte, 0, size)); err != nil {
			return nil, fmt.Errorf("batch: inflate to %d bytes: %v: %w", size, err, ErrMalformed)
		}
	default:
		return nil, fmt.Errorf("batch: unknown %v: %w", s.GetCodec(), ErrMalformed)
	}
	if len(raw) != size {
		return nil, fmt.Errorf("batch: %d bytes, raw_size says %d: %w", len(raw), size, ErrMalformed)
	}
	return raw, nil
}

// decoder never writes beyond the capacity that it is given, and is safe for concurrent use.
var decoder = sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return d
})

// Inspect tells what a stored record is, once its signature is found good. It does not look into columns, and
// takes records of newer versions, which are to be passed on as well.
func Inspect(record []byte) (Sealed, error) {
	o, err := openRecord(record, DefaultReadLimits())
	if err != nil {
		return Sealed{}, err
	}
	if err := checkHeader(o.batch.GetHeader()); err != nil {
		return Sealed{}, err
	}
	s := newSealed(record, o.batch)
	s.Previous, s.Hash = o.previous, o.hash
	if s.Tombstone {
		if err := checkTombstone(o.batch); err != nil {
			return Sealed{}, err
		}
		s.Hash = Hash(o.batch.GetTombstone().GetLastHash())
	}
	return s, nil
}

// checkHeader makes sure of what every record must tell, whatever its version.
func checkHeader(h *weirv1.Header) error {
	for _, id := range []struct {
		name  string
		bytes []byte
	}{{"host_id", h.GetHostId()}, {"boot_id", h.GetBootId()}, {"run_id", h.GetRunId()}} {
		if len(id.bytes) != len(schema.HostID{}) {
			return fmt.Errorf("header: %s: %d bytes: %w", id.name, len(id.bytes), ErrMalformed)
		}
	}
	if n := len(h.GetAttachmentId()); n != 0 && n != len(schema.AttachmentID{}) {
		return fmt.Errorf("header: attachment_id: %d bytes: %w", n, ErrMalformed)
	}
	if h.GetSchemaVersion() == 0 || h.GetBatchNumber() == 0 {
		return fmt.Errorf("header: schema_version %d, batch_number %d: %w",
			h.GetSchemaVersion(), h.GetBatchNumber(), ErrMalformed)
	}
	return nil
}

func checkTombstone(b *weirv1.Batch) error {
	t := b.GetTombstone()
	if t.GetFirst() == 0 || t.GetFirst() > t.GetLast() || t.GetLast() != b.GetHeader().GetBatchNumber() {
		return fmt.Errorf("tombstone: batches %d to %d, number %d: %w",
			t.GetFirst(), t.GetLast(), b.GetHeader().GetBatchNumber(), ErrMalformed)
	}
	if n := len(t.GetLastHash()); n != len(Hash{}) {
		return fmt.Errorf("tombstone: last_hash: %d bytes: %w", n, ErrMalformed)
	}
	if len(b.GetCommon().GetKind()) > 0 || len(b.GetGroups()) > 0 {
		return fmt.Errorf("tombstone: has rows: %w", ErrMalformed)
	}
	return nil
}
