package batch

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Read verifies a record of weir.batches and makes it readable. It checks, in this order: the record's size,
// the signature, the size of what is inflated, the version, and that columns, rows and indexes fit. Kinds and
// columns that it does not know are no error.
func Read(record []byte, l ReadLimits) (*Batch, error) {
	o, err := openRecord(record, l)
	if err != nil {
		return nil, err
	}
	if err := checkHeader(o.batch.GetHeader()); err != nil {
		return nil, err
	}
	if v := o.batch.GetHeader().GetSchemaVersion(); v > schema.Version {
		return nil, fmt.Errorf("header: schema_version %d, this weir reads up to %d: %w", v, schema.Version, ErrNewer)
	}
	b := &Batch{proto: o.batch, publicKey: o.publicKey, previous: o.previous, hash: o.hash}
	b.event = eventBase(b.Header())
	if t := b.Tombstone(); t != nil {
		if err := checkTombstone(b.proto); err != nil {
			return nil, err
		}
		b.hash = Hash(t.GetLastHash())
	}
	if err := b.decode(); err != nil {
		return nil, err
	}
	return b, nil
}

// ReadEnriched reads a record of weir.enriched, with the checks of Read.
func ReadEnriched(record []byte, l ReadLimits) (*Batch, *weirv1.Enrichment, error) {
	if len(record) > l.Record {
		return nil, nil, fmt.Errorf("record: %d bytes, at most %d: %w", len(record), l.Record, ErrTooLarge)
	}
	var e weirv1.EnrichedBatch
	if err := checkParts(record, e.ProtoReflect().Descriptor(), enrichmentLimits(l)); err != nil {
		return nil, nil, fmt.Errorf("enrichment: %w", err)
	}
	if err := proto.Unmarshal(record, &e); err != nil {
		return nil, nil, fmt.Errorf("enriched record: %v: %w", err, ErrMalformed)
	}
	b, err := Read(e.GetSealed(), l)
	if err != nil {
		return nil, nil, err
	}
	if err := checkSpans(e.GetEnrichment(), b.Len()); err != nil {
		return nil, nil, err
	}
	return b, e.GetEnrichment(), nil
}

// enrichmentLimits have room for a span a row, and for whatever an inventory calls its machines.
func enrichmentLimits(l ReadLimits) ReadLimits {
	l.Parts, l.String = l.Parts+l.Rows, l.Record
	return l
}

// checkSpans makes sure that spans name what is there, and no more rows than there are.
func checkSpans(e *weirv1.Enrichment, rows int) error {
	sum := 0
	for i, s := range e.GetSpans() {
		sum += int(s.GetRows())
		if int(s.GetInstance()) > len(e.GetInstances()) || int(s.GetDeploy()) > len(e.GetDeploys()) || sum > rows {
			return fmt.Errorf("enrichment: span %d: %v of %d rows: %w", i, s, rows, ErrColumns)
		}
	}
	return nil
}

// MarshalEnriched returns a record of weir.enriched: the sealed record untouched, and what is known about it.
func MarshalEnriched(sealed []byte, e *weirv1.Enrichment) ([]byte, error) {
	return proto.Marshal(&weirv1.EnrichedBatch{Sealed: sealed, Enrichment: e})
}
