package batch

import (
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Times are what the host's clocks say when a batch is sealed.
type Times struct {
	Boot   time.Time // the moment at which CLOCK_BOOTTIME was 0, by CLOCK_REALTIME
	Sealed time.Time
}

// Seal makes the draft a record, the next of the chain, and empties the draft. An error means that columns
// are ragged, which is a mistake of a filler: it names the column, the draft is empty, and the chain stays
// where it was.
func (d *Draft) Seal(c *Chain, now Times) (Sealed, error) {
	defer d.Reset()
	number := c.Next()
	if err := d.fillWire(c.run, number, now); err != nil {
		return Sealed{}, fmt.Errorf("seal batch %d: %w", number, err)
	}
	var err error
	if d.raw, err = (proto.MarshalOptions{}).MarshalAppend(d.raw[:0], d.wire); err != nil {
		return Sealed{}, fmt.Errorf("seal batch %d: %w", number, err)
	}
	record, hash, err := sign(c.key, c.previous, d.pack())
	if err != nil {
		return Sealed{}, fmt.Errorf("seal batch %d: %w", number, err)
	}
	s := newSealed(record, d.wire)
	s.Previous, s.Hash = c.previous, hash
	s.Header = proto.CloneOf(d.header)
	c.last, c.previous = number, hash
	return s, nil
}

// fillWire brings the draft into the form of the wire. The plain columns are encoded in place.
func (d *Draft) fillWire(run schema.RunID, number uint64, now Times) error {
	d.header.SchemaVersion = schema.Version
	d.header.RunId = run[:]
	d.header.BatchNumber = number
	d.header.BootTimeUs = now.Boot.UnixMicro()
	d.header.SealedAtUs = now.Sealed.UnixMicro()
	d.wire.Header = d.header
	d.wire.Dictionary = d.texts.wire
	d.sequence.encode(d.plain.Common.Cpu, d.plain.Common.Sequence)
	for i := range d.shared {
		t := &d.shared[i]
		if rows := t.columns[0].plain.Len(); rows > 0 {
			if err := t.encode(d.wire, rows, 1); err != nil {
				return err
			}
		}
	}
	return d.fillGroups()
}

func (d *Draft) fillGroups() error {
	for _, g := range d.groups {
		if err := g.encode(d.wire, g.rows, 0); err != nil {
			return err
		}
		if g.rows == 0 {
			g.table.Remove(d.wire)
			continue
		}
		d.wire.Groups = append(d.wire.Groups, &weirv1.Group{
			Number: g.kind.Number,
			Kind:   g.kind.Name,
			Rows:   uint32(g.rows),
		})
	}
	return nil
}

// pack compresses what is in raw, where that makes it smaller.
func (d *Draft) pack() *weirv1.SealedBatch {
	s := &weirv1.SealedBatch{Codec: weirv1.Codec_CODEC_ZSTD, RawSize: uint32(len(d.raw))}
	d.packed = d.encoder.EncodeAll(d.raw, d.packed[:0])
	s.Batch = d.packed
	if len(d.packed) >= len(d.raw) {
		s.Codec, s.Batch = weirv1.Codec_CODEC_NONE, d.raw
	}
	return s
}

// SealTombstone makes a record in place of the batches t.First to t.Last, which no longer exist. The header
// is that of any batch of the run; previous is the chain hash of the batch before t.First.
func SealTombstone(key ed25519.PrivateKey, header *weirv1.Header, t *weirv1.Tombstone, previous Hash) (Sealed, error) {
	header = proto.CloneOf(header)
	header.SchemaVersion = schema.Version
	header.BatchNumber = t.GetLast()
	b := &weirv1.Batch{Header: header, Tombstone: t}
	if err := checkTombstone(b); err != nil {
		return Sealed{}, fmt.Errorf("seal tombstone: %w", err)
	}
	raw, err := proto.Marshal(b)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal tombstone: %w", err)
	}
	body := &weirv1.SealedBatch{Codec: weirv1.Codec_CODEC_NONE, RawSize: uint32(len(raw)), Batch: raw}
	record, _, err := sign(key, previous, body)
	if err != nil {
		return Sealed{}, fmt.Errorf("seal tombstone: %w", err)
	}
	s := newSealed(record, b)
	s.Previous, s.Hash = previous, Hash(t.GetLastHash())
	return s, nil
}

// newEncoder returns an encoder for one goroutine. No checksum: the signature covers every byte.
func newEncoder() *zstd.Encoder {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(512<<10),
		zstd.WithEncoderCRC(false),
	)
	if err != nil {
		panic(err) // the options are constants
	}
	return e
}
