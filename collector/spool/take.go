package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/weirproject/weir/collector/spool/segment"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/batch"
)

// Item is the next thing that Kafka has to be told: a batch, or that batches were evicted.
type Item struct {
	// Number orders items and is what Ack takes.
	Number uint64
	// Sealed is the record with what its headers tell. It has no Header. Of evicted batches it is zero.
	Sealed batch.Sealed
	// Evicted is nil where the batch is there.
	Evicted *Evicted
}

// Evicted is batches of one run that a full spool gave up: what batch.SealTombstone needs.
type Evicted struct {
	Header    *weirv1.Header
	Tombstone *weirv1.Tombstone
	Previous  batch.Hash
}

// reader is where Take is in the segments.
type reader struct {
	segment uint64
	file    *os.File // nil where Take has yet to find its segment
	walk    *segment.Walker
	gaps    *segment.Gaps
}

func (r *reader) close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	*r = reader{}
	return err
}

// Take returns the next items, oldest first: at most that many, and none after the one that reaches so many
// bytes. It waits until there is one. What was taken is not evicted, and is not taken again before the next
// Open.
func (s *Spool) Take(ctx context.Context, most int, bytes int64) ([]Item, error) {
	for {
		items, changed, err := s.takeReady(most, bytes)
		if len(items) > 0 || err != nil {
			return items, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changed:
		}
	}
}

// takeReady reads under the lock: an append waits for at most that many bytes from the disk.
func (s *Spool) takeReady(most int, bytes int64) (items []Item, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sum := int64(0); len(items) < most && sum < bytes; {
		e, ok, err := s.next()
		if err != nil {
			return items, nil, s.error(err)
		}
		if !ok {
			break
		}
		s.list.Take(e.Number, e.Size())
		item, err := newItem(e)
		if err != nil { // an evicted entry without a legible header: there is nothing to seal
			s.noteLoss(segment.Loss{Segment: s.reader.segment, First: e.Number, Last: e.Number, Cause: err}, true)
			continue
		}
		items = append(items, item)
		sum += e.Size()
	}
	return items, s.changed, nil
}

func newItem(e segment.Entry) (Item, error) {
	if e.Form != segment.Evicted {
		return Item{Number: e.Number, Sealed: e.Sealed()}, nil
	}
	header := &weirv1.Header{}
	if err := proto.Unmarshal(e.Body, header); err != nil {
		return Item{}, fmt.Errorf("header of evicted batches %d to %d: %w", e.Tomb.GetFirst(), e.Tomb.GetLast(), err)
	}
	return Item{Number: e.Number, Evicted: &Evicted{Header: header, Tombstone: e.Tomb, Previous: e.Previous}}, nil
}

// next returns the entry after the last that was taken, if there is one already.
func (s *Spool) next() (e segment.Entry, ok bool, err error) {
	for {
		info, ok, err := s.findSegment()
		if !ok || err != nil {
			return e, false, err
		}
		e, err = readEntry(s.reader.walk, info)
		damage, damaged := errors.AsType[*segment.Damage](err)
		switch {
		case damaged:
			s.reader.gaps.Damage(damage)
		case err == io.EOF:
			if s.atEnd() {
				return e, false, nil
			}
		case e.Number > s.list.Taken():
			s.noteLoss(s.reader.gaps.Entry(e.Number))
			return e, true, nil
		default:
			s.list.Take(e.Number, e.Size()) // Kafka had it before this Open
		}
	}
}

// readEntry reads the walker's next entry, and takes one that does not belong here for damage.
func readEntry(w *segment.Walker, info segment.Info) (segment.Entry, error) {
	at := w.Offset()
	e, err := w.Next()
	if err == nil && e.Number > info.Last {
		return e, &segment.Damage{Offset: at, Bytes: w.Offset() - at, Entry: e.Number, Cause: segment.ErrNumber}
	}
	return e, err
}

// findSegment makes sure that the reader is in the segment of the next entry, and knows how long that is.
func (s *Spool) findSegment() (info segment.Info, ok bool, err error) {
	if s.reader.file != nil {
		if info, ok := s.list.Get(s.reader.segment); ok {
			s.reader.walk.Grow(info.Bytes)
			return info, true, nil
		}
		if err := s.reader.close(); err != nil {
			return info, false, err
		}
	}
	info, ok = s.list.After(s.list.Taken())
	if !ok {
		return info, false, nil
	}
	f, err := s.root.Open(fileName(info.Number))
	if errors.Is(err, os.ErrNotExist) {
		s.noteLoss(segment.NewGaps(info, max(info.First, s.list.Taken()+1)).End(info.Last))
		s.list.Take(info.Last, 0)
		return s.findSegment()
	}
	if err != nil {
		return info, false, err
	}
	s.reader = reader{segment: info.Number, file: f, walk: segment.Walk(f, info.Bytes), gaps: segment.NewGaps(info, s.list.Taken()+1)}
	s.noteLoss(s.reader.gaps.Begin(info.First))
	return info, true, nil
}

// atEnd reports whether there is nothing behind the segment that was read to its end; else it leaves the
// segment.
func (s *Spool) atEnd() bool {
	active, _ := s.list.Active()
	if active.Number == s.reader.segment {
		return true
	}
	info, _ := s.list.Get(s.reader.segment)
	s.noteLoss(s.reader.gaps.End(info.Last))
	s.list.Take(info.Last, 0)
	if err := s.reader.close(); err != nil {
		s.options.Log.Warn("spool segment read and not closed", "error", s.error(err))
	}
	return false
}

// Ack notes that Kafka has all items up to number, and removes the segments of which it has all. If it is
// not noted, which the error says, the next Open hands them out again.
func (s *Spool) Ack(number uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.list.Ack(number)
	_, err := s.acks.WriteAt(segment.AppendAck(nil, s.list.Acked()), 0)
	for _, info := range gone {
		if errRemove := s.root.Remove(fileName(info.Number)); !errors.Is(errRemove, os.ErrNotExist) {
			err = errors.Join(err, errRemove)
		}
	}
	s.noteRoom()
	if err != nil {
		return s.error(fmt.Errorf("note what Kafka has: %w", err))
	}
	return nil
}

// maxLosses bounds what waits for Losses; beyond it the last one takes in the rest.
const maxLosses = 64

func (s *Spool) noteLoss(l segment.Loss, ok bool) {
	if !ok {
		return
	}
	s.options.Log.Error("spool damaged; the batches are lost, check the disk", "path", s.path, "error", l)
	s.stats.LostEntries += l.Entries()
	if n := len(s.losses); n >= maxLosses {
		last := &s.losses[n-1]
		last.First, last.Last, last.Bytes = min(last.First, l.First), max(last.Last, l.Last), last.Bytes+l.Bytes
		return
	}
	s.losses = append(s.losses, l)
}

// Losses returns what was found to be lost since the last call.
func (s *Spool) Losses() []segment.Loss {
	s.mu.Lock()
	defer s.mu.Unlock()
	losses := s.losses
	s.losses = nil
	return losses
}
