package publish

import (
	"crypto/ed25519"
	"fmt"
	"strings"

	"github.com/weirproject/weir/collector/spool"
	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/batch"
)

// pending is one record on its way.
type pending struct {
	number uint64 // the spool's
	sealed batch.Sealed
	record kafka.Record
}

// prepare makes a record of an item; evicted batches become a tombstone.
func prepare(item spool.Item, key ed25519.PrivateKey) (pending, error) {
	sealed := item.Sealed
	if e := item.Evicted; e != nil {
		var err error
		if sealed, err = batch.SealTombstone(key, e.Header, e.Tombstone, e.Previous); err != nil {
			return pending{}, fmt.Errorf("batches %d to %d: %w", e.Tombstone.GetFirst(), e.Tombstone.GetLast(), err)
		}
	}
	return pending{number: item.Number, sealed: sealed, record: recordOf(sealed)}, nil
}

// recordOf returns the record of weir.batches: its key keeps all batches of a host in one partition, in order.
func recordOf(s batch.Sealed) kafka.Record {
	r := kafka.Record{Topic: kafka.Batches, Partition: kafka.AnyPartition, Key: s.Host[:], Value: s.Record}
	for key, value := range s.Headers() {
		r.Headers = append(r.Headers, kafka.Header{Key: key, Value: value})
	}
	return r
}

// maxReason bounds a broker's words in a tombstone.
const maxReason = 512

// tombstone returns what takes the place of a batch that the brokers refuse. They must take it, as it is
// small; that a tombstone itself is refused is an error.
func tombstone(refused pending, reason string, key ed25519.PrivateKey) (pending, error) {
	s := refused.sealed
	if s.Tombstone {
		return pending{}, fmt.Errorf("tombstone of batches %d to %d is refused: %s", s.First, s.Last, reason)
	}
	whole, err := batch.Inspect(s.Record)
	if err != nil {
		return pending{}, err
	}
	stone := &weirv1.Tombstone{
		First: s.First, Last: s.Last, LastHash: s.Hash[:], Lost: s.Rows,
		Reason: strings.ToValidUTF8(reason[:min(len(reason), maxReason)], "\uFFFD"),
	}
	sealed, err := batch.SealTombstone(key, whole.Header, stone, s.Previous)
	return pending{number: refused.number, sealed: sealed, record: recordOf(sealed)}, err
}
