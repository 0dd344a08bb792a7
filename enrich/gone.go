package enrich

import (
	"fmt"
	"time"

	"github.com/weirproject/weir/enrich/books"
	"github.com/weirproject/weir/enrich/deadletter"
	"github.com/weirproject/weir/internal/kafka"
)

// retentionGap reports records that were deleted before they were read. Which hosts lost how many events
// is told by their gaps; that there is a gap at all must not depend on a next batch.
func (p *partition) retentionGap(f kafka.Fetch) error {
	if f.Lost == 0 {
		return nil
	}
	return p.gone(firstOf(f), f.Lost, "retention deleted %d records of %s before they were enriched", f.Lost, f.Topic)
}

// damage reports records that cannot be read at all.
func (p *partition) damage(d kafka.Damage) error {
	return p.gone(d.Last+1, d.Last-d.First+1, "offsets %d to %d of %s cannot be read: %v", d.First, d.Last, p.topic, d.Err)
}

// gone reports records before the offset next. As the record at next-1 cannot be read, the number next is
// no other report's.
func (p *partition) gone(next, records int64, format string, args ...any) error {
	detail := fmt.Sprintf(format, args...)
	p.log.Error("batches are gone before they were enriched", "records", records, "detail", detail)
	return p.report(report{
		run: p.run, number: uint64(next), at: time.Now(), evidence: deadletter.Origin(p.topic, p.number, next-1),
		losses: []books.Loss{{Place: books.PlaceTopic, Detail: detail}},
	})
}

// firstOf returns the first offset that the fetch has something of.
func firstOf(f kafka.Fetch) int64 {
	first := f.End
	if len(f.Records) > 0 {
		first = f.Records[0].Offset
	}
	if len(f.Damaged) > 0 {
		first = min(first, f.Damaged[0].First)
	}
	return first
}
