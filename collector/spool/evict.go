package spool

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/weirproject/weir/collector/spool/segment"
	"github.com/weirproject/weir/schema/batch"
	"google.golang.org/protobuf/proto"
)

// tempFile is where a segment is made that replaces others. It is renamed when it is whole.
const tempFile = "evicted.tmp"

// evict puts a small segment in the place of the oldest one: entries that tell what was in it.
func (s *Spool) evict() error {
	victim, before, _ := s.list.Victim()
	info := segment.Info{Number: victim.Number, Replaces: victim.Number, First: victim.First, Last: victim.Last, Evicted: true}
	burial := segment.NewBurial(s.list.Acked())
	for _, old := range append(before, victim) {
		if err := s.bury(old, burial); err != nil {
			return fmt.Errorf("evict segment %08d: %w", old.Number, err)
		}
	}
	for _, old := range before {
		info.Replaces, info.First = old.Replaces, old.First
	}
	gone, lost := burial.Entries(headerOf)
	var err error
	if info.Bytes, err = s.replace(info, gone); err != nil {
		return fmt.Errorf("evict segment %08d: %w", victim.Number, err)
	}
	for _, l := range lost {
		l.Segment = victim.Number
		s.noteLoss(l, true)
	}
	s.noteEvicting()
	s.list.Evicted(info)
	s.stats.EvictedBatches += victim.Last + 1 - max(victim.First, s.list.Acked()+1)
	if s.reader.segment >= info.Replaces && s.reader.segment <= info.Number {
		return s.reader.close()
	}
	return nil
}

// bury adds the whole entries of a segment that gives way. What is damaged is noted as lost now, as nobody
// meets it again.
func (s *Spool) bury(info segment.Info, burial *segment.Burial) error {
	gaps := segment.NewGaps(info, max(info.First, s.list.Taken()+1))
	f, err := s.root.Open(fileName(info.Number))
	if errors.Is(err, os.ErrNotExist) {
		s.noteLoss(gaps.End(info.Last))
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	for w := segment.Walk(f, info.Bytes); ; {
		e, err := readEntry(w, info)
		if damage, ok := errors.AsType[*segment.Damage](err); ok {
			gaps.Damage(damage)
			continue
		}
		if err == io.EOF {
			s.noteLoss(gaps.End(info.Last))
			return nil
		}
		s.noteLoss(gaps.Entry(e.Number))
		burial.Add(e)
	}
}

// replace writes the segment, renames it over the victim and removes what else it replaces. If it is
// interrupted, Open removes the rest, as the header says what is replaced.
func (s *Spool) replace(info segment.Info, entries []segment.Entry) (size int64, err error) {
	b := segment.AppendHeader(nil, info.Header())
	for _, e := range entries {
		if b, err = e.Append(b); err != nil {
			return 0, err
		}
	}
	f, err := s.root.OpenFile(tempFile, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return 0, errors.Join(err, s.root.Remove(tempFile))
	}
	if err := s.root.Rename(tempFile, fileName(info.Number)); err != nil {
		return 0, err
	}
	for number := info.Replaces; number < info.Number; number++ {
		if err := s.root.Remove(fileName(number)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
	}
	return int64(len(b)), syncRoot(s.root)
}

// headerOf returns the marshalled header of a batch.
func headerOf(record []byte) ([]byte, error) {
	b, err := batch.Inspect(record)
	if err != nil {
		return nil, err
	}
	return proto.Marshal(b.Header)
}

// noteEvicting tells once that the spool is full, and once that it is not any more.
func (s *Spool) noteEvicting() {
	if !s.stats.Evicting {
		s.options.Log.Warn("spool full; the oldest batches are given up until Kafka takes some", "path", s.path, "max_bytes", s.options.MaxBytes)
	}
	s.stats.Evicting = true
}

func (s *Spool) noteRoom() {
	if s.stats.Evicting && s.list.Bytes() < s.options.MaxBytes/2 {
		s.options.Log.Info("spool has room again", "path", s.path, "evicted_batches", s.stats.EvictedBatches)
		s.stats.Evicting = false
	}
}
