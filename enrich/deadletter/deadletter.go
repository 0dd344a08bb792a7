// Package deadletter makes the records of weir.deadletter: what could not go on, why, and all that `weir
// replay` needs to bring it back. Reason and origin stand in the headers too, for whoever looks at the
// topic with another tool.
package deadletter

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/sink"
)

// Enrich is the lane of what the enricher itself puts aside.
const Enrich = "enrich"

// Keys of the headers.
const (
	HeaderLane   = "weir.deadletter.lane"
	HeaderReason = "weir.deadletter.reason"
	HeaderOrigin = "weir.deadletter.origin" // topic/partition/offset
)

// OfRecord puts a whole record aside, as it was read.
func OfRecord(lane string, r kafka.Record, reason error, now time.Time) (kafka.Record, error) {
	letter := &weirv1.DeadLetter{
		Lane: lane, Reason: text(reason.Error()), TimeUs: now.UnixMicro(),
		Topic: r.Topic, Partition: int32(r.Partition), Offset: r.Offset,
		Key: r.Key, Value: r.Value, Headers: map[string][]byte{},
	}
	for _, h := range r.Headers {
		letter.Headers[text(h.Key)] = h.Value
	}
	return record(letter, r.Key)
}

// OfRow puts one event aside, rendered as the destination refused it.
func OfRow(lane string, row sink.DeadRow, now time.Time) (kafka.Record, error) {
	b := row.Row.Batch
	host := b.Host()
	return record(&weirv1.DeadLetter{
		Lane: lane, Reason: text(row.Reason), TimeUs: now.UnixMicro(),
		Topic: b.Origin.Topic, Partition: int32(b.Origin.Partition), Offset: b.Origin.Offset,
		Document: row.Document, EventId: row.EventID.String(), Row: uint32(row.Row.Index),
	}, host[:])
}

// text is s as protobuf takes it: what foreigners wrote must not keep their record from being put aside.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func record(letter *weirv1.DeadLetter, key []byte) (kafka.Record, error) {
	value, err := proto.Marshal(letter)
	if err != nil {
		return kafka.Record{}, fmt.Errorf("dead letter: %w", err)
	}
	return kafka.Record{
		Topic: kafka.DeadLetter, Partition: kafka.AnyPartition, Key: key, Value: value,
		Headers: []kafka.Header{
			{Key: HeaderLane, Value: []byte(letter.GetLane())},
			{Key: HeaderReason, Value: []byte(letter.GetReason())},
			{Key: HeaderOrigin, Value: []byte(Origin(letter.GetTopic(), int(letter.GetPartition()), letter.GetOffset()))},
		},
	}, nil
}

// Origin writes where a record was read as topic/partition/offset.
func Origin(topic string, partition int, offset int64) string {
	return topic + "/" + strconv.Itoa(partition) + "/" + strconv.FormatInt(offset, 10)
}
