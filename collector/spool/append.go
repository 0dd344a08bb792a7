package spool

import (
	"errors"
	"fmt"
	"os"

	"github.com/weirproject/weir/collector/spool/segment"
	"github.com/weirproject/weir/schema/batch"
	"golang.org/x/sys/unix"
)

// Append writes a batch. When it returns nil, the batch outlives the process; within SyncAfter, if Run
// runs, the machine. A full spool evicts its oldest segment for it. With any error the spool is as it was,
// and the batch is the caller's to keep: ErrDiskFull, ErrTooLarge, or what the file system said.
func (s *Spool) Append(b batch.Sealed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.append(b); err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			err = fmt.Errorf("%w: %w; the batch waits: make room on it", ErrDiskFull, err)
		}
		return s.error(err)
	}
	close(s.changed)
	s.changed = make(chan struct{})
	select {
	case s.dirty <- struct{}{}:
	default:
	}
	return nil
}

func (s *Spool) append(b batch.Sealed) error {
	var err error
	s.buf, err = segment.NewEntry(s.list.Next(), b).Append(s.buf[:0])
	size := int64(len(s.buf))
	if errors.Is(err, segment.ErrTooLarge) || size > s.options.SegmentBytes-segment.HeaderSize {
		return fmt.Errorf("batch %d: %w of %d bytes", b.Last, ErrTooLarge, s.options.SegmentBytes)
	}
	if err != nil {
		return fmt.Errorf("batch %d: %w", b.Last, err)
	}
	for {
		switch s.list.Step(size) {
		case segment.Evict:
			err = s.evict()
		case segment.Roll:
			err = s.roll()
		case segment.Write:
			return s.write(s.buf)
		}
		if err != nil {
			return err
		}
	}
}

// write appends an entry to the active segment, or leaves the segment as it was.
func (s *Spool) write(entry []byte) error {
	info, _ := s.list.Active()
	if s.active == nil {
		f, err := s.root.OpenFile(fileName(info.Number), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		s.active = f
	}
	if _, err := s.active.WriteAt(entry, info.Bytes); err != nil {
		// The next entry overwrites what was written of this one. Cut it off, so that a reader that
		// comes before does not find half an entry; if that fails, it finds a torn tail.
		return errors.Join(err, s.active.Truncate(info.Bytes))
	}
	s.list.Written(int64(len(entry)))
	s.last = lastEntry{segment: info.Number, offset: info.Bytes}
	return nil
}

// roll begins a new segment. The one before is synced first: the next sync knows only the new one.
func (s *Spool) roll() error {
	if s.active != nil {
		if err := s.active.Sync(); err != nil {
			return err
		}
	}
	info := s.list.Rolled()
	f, err := s.create(info)
	if err != nil {
		s.list.Unrolled()
		return err
	}
	if s.active != nil {
		err = s.active.Close()
	}
	s.active = f
	return err
}

// create makes the file of a new segment, or nothing.
func (s *Spool) create(info segment.Info) (*os.File, error) {
	name := fileName(info.Number)
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteAt(segment.AppendHeader(nil, info.Header()), 0)
	if err == nil {
		err = syncRoot(s.root)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), s.root.Remove(name))
	}
	return f, nil
}
