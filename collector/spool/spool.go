package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/weirproject/weir/collector/spool/segment"
	"github.com/weirproject/weir/schema/batch"
)

// Options bound a spool.
type Options struct {
	MaxBytes     int64         // of all segments; beyond it the oldest are evicted
	SegmentBytes int64         // of one segment, and so of a batch; at most a quarter of MaxBytes
	SyncAfter    time.Duration // how long a batch may be in the kernel's memory alone
	Log          *slog.Logger
}

// DefaultOptions keep hours of a busy host.
func DefaultOptions() Options {
	return Options{MaxBytes: 1 << 30, SegmentBytes: 16 << 20, SyncAfter: time.Second, Log: slog.New(slog.DiscardHandler)}
}

// The least that makes sense: a batch has to fit in a segment.
const minSegmentBytes = 64 << 10

// Validate joins all faults.
func (o Options) Validate() error {
	var faults []error
	if o.SegmentBytes < minSegmentBytes {
		faults = append(faults, fmt.Errorf("segments of %d bytes: write %d or more", o.SegmentBytes, minSegmentBytes))
	}
	if o.MaxBytes < 4*o.SegmentBytes {
		faults = append(faults, fmt.Errorf("a bound of %d bytes: write four segments or more, %d", o.MaxBytes, 4*o.SegmentBytes))
	}
	return errors.Join(faults...)
}

var (
	// ErrDiskFull says that there was no room on the disk for a batch. It is not in the spool; the caller
	// keeps it, and tries again.
	ErrDiskFull = errors.New("the disk is full")
	// ErrTooLarge says that a batch is larger than a segment. It will never fit.
	ErrTooLarge = errors.New("the batch is larger than a segment")
)

// Spool is the batches of one host that Kafka does not have yet. It is safe for concurrent use; Take and Ack
// are for one publisher.
type Spool struct {
	path    string
	options Options
	root    *os.Root
	locked  *os.File
	acks    *os.File

	mu      sync.Mutex
	list    *segment.List
	active  *os.File      // the last segment, nil before the first append
	reader  reader        // where Take is
	last    lastEntry     // the newest entry
	changed chan struct{} // closed and made anew with each append: wakes Take
	buf     []byte        // the entry that is being written
	losses  []segment.Loss
	stats   Stats
	dirty   chan struct{} // holds one token while the active segment is not synced: wakes Run
}

// Stats say how a spool stands.
type Stats struct {
	Unsent         bool   // Kafka is still to be told something: a batch, or that some were evicted
	Batches        uint64 // that Kafka does not have
	Bytes          int64  // of these
	DiskBytes      int64  // of all segments
	EvictedBatches uint64 // given up since Open
	Evicting       bool   // it is full: appends evict
	LostEntries    uint64 // found damaged since Open
	SyncError      error  // of the last sync
}

// Stats returns how the spool stands now.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Unsent = s.list.Acked()+1 < s.list.Next()
	stats.Batches, stats.Bytes = s.list.Waiting()
	stats.DiskBytes = s.list.Bytes()
	return stats
}

// lastEntry is where the newest entry is.
type lastEntry struct {
	segment uint64 // 0 where there is none
	offset  int64
}

// Last returns the newest batch, whether Kafka has it or not: what it holds of the ring is safe. It has no
// Header, and in the rare case that it was evicted no Record.
func (s *Spool) Last() (b batch.Sealed, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last.segment == 0 {
		return b, false, nil
	}
	e, err := s.entryAt(s.last)
	if err != nil {
		return b, false, s.error(fmt.Errorf("segment %08d: %w", s.last.segment, err))
	}
	b = e.Sealed()
	if e.Form == segment.Evicted {
		b.Record = nil
	}
	return b, true, nil
}

func (s *Spool) entryAt(at lastEntry) (e segment.Entry, err error) {
	f, err := s.root.Open(fileName(at.segment))
	if err != nil {
		return e, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return e, err
	}
	w := segment.Walk(f, info.Size())
	w.JumpTo(at.offset)
	return w.Next()
}

// Run syncs what was written until ctx ends. A disk that cannot sync is told once, and tried again with the
// next batch.
func (s *Spool) Run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.dirty:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(s.options.SyncAfter):
		}
		s.noteSync(s.Sync())
	}
}

// Sync makes everything that was appended last, and returns when it is on the disk.
func (s *Spool) Sync() error {
	s.mu.Lock()
	active := s.active
	s.mu.Unlock()
	if active == nil {
		return nil
	}
	// Outside of the lock, so that an append does not wait for the disk. A segment that is closed
	// meanwhile was synced before.
	if err := active.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
		return s.error(err)
	}
	return nil
}

func (s *Spool) noteSync(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.stats.SyncError == nil {
		s.options.Log.Error("spool cannot sync; batches of the last seconds would not outlive a power loss", "error", err)
	}
	s.stats.SyncError = err
}

// Close syncs, and gives the directory free. What Kafka does not have stays for the next Open.
func (s *Spool) Close() error {
	err := s.Sync()
	s.mu.Lock()
	defer s.mu.Unlock()
	err = errors.Join(err, s.reader.close(), s.closeFiles())
	s.active = nil
	return err
}

// closeFiles closes those that are open.
func (s *Spool) closeFiles() (err error) {
	for _, f := range []*os.File{s.active, s.acks, s.locked} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	if s.root != nil {
		err = errors.Join(err, s.root.Close())
	}
	return err
}

// error names the spool.
func (s *Spool) error(err error) error { return fmt.Errorf("spool %s: %w", s.path, err) }

func fileName(number uint64) string { return fmt.Sprintf("%08d.segment", number) }
