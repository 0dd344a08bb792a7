package batch

import (
	"encoding/hex"
	"fmt"
	"iter"
	"strconv"
	"strings"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Sealed is a record of weir.batches: one batch or tombstone, and what must be known to store and send it.
type Sealed struct {
	// Record is the marshalled SealedBatch.
	Record []byte

	SchemaVersion uint32
	Host          schema.HostID
	Run           schema.RunID
	// Numbers of the batches that the record stands for: one, unless it is a tombstone.
	First, Last uint64
	// Previous is the chain hash of the batch before, zero on a run's first; Hash is what the batch that
	// follows names as its own: of a tombstone, the hash of the last batch that it replaces.
	Previous, Hash Hash
	// Rows of each kind that the batch holds, or that the tombstone lost.
	Rows      []*weirv1.Group
	Tombstone bool
	// Header is shared by whoever copies the Sealed: nobody changes it.
	Header *weirv1.Header
}

// newSealed tells what b is. The caller knows its place in the chain.
func newSealed(record []byte, b *weirv1.Batch) Sealed {
	h := b.GetHeader()
	s := Sealed{
		Record:        record,
		SchemaVersion: h.GetSchemaVersion(),
		First:         h.GetBatchNumber(),
		Last:          h.GetBatchNumber(),
		Rows:          b.GetGroups(),
		Header:        h,
	}
	copy(s.Host[:], h.GetHostId())
	copy(s.Run[:], h.GetRunId())
	if t := b.GetTombstone(); t != nil {
		s.Tombstone, s.First, s.Rows = true, t.GetFirst(), t.GetLost()
	}
	return s
}

// Keys of the headers of a Kafka record.
const (
	HeaderSchemaVersion = "weir.schema_version"
	HeaderHost          = "weir.host"  // hexadecimal
	HeaderRun           = "weir.run"   // hexadecimal
	HeaderBatch         = "weir.batch" // number, or first-last of a tombstone
	HeaderKinds         = "weir.kinds" // names, separated by commas
)

// Headers yields the headers of the Kafka record, by which a consumer skips a batch without decoding it.
func (s *Sealed) Headers() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		_ = yield(HeaderSchemaVersion, strconv.AppendUint(nil, uint64(s.SchemaVersion), 10)) &&
			yield(HeaderHost, hex.AppendEncode(nil, s.Host[:])) &&
			yield(HeaderRun, hex.AppendEncode(nil, s.Run[:])) &&
			yield(HeaderBatch, []byte(s.numbers())) &&
			yield(HeaderKinds, []byte(s.kinds()))
	}
}

func (s *Sealed) numbers() string {
	if s.Tombstone {
		return fmt.Sprintf("%d-%d", s.First, s.Last)
	}
	return strconv.FormatUint(s.Last, 10)
}

// kinds names what the record holds: nothing, of a tombstone.
func (s *Sealed) kinds() string {
	if s.Tombstone {
		return ""
	}
	names := make([]string, 0, len(s.Rows))
	for _, g := range s.Rows {
		names = append(names, g.GetKind())
	}
	return strings.Join(names, ",")
}
