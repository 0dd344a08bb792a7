// Package file is the destination file: NDJSON, one nested ECS document a line, in a directory.
//
//	events.ndjson                            the current file
//	events-20261124T073631.123Z.ndjson       rotated then
//	events-20261123T073631.123Z.ndjson.zst   rotated then, compressed
//
// A request is written and fsynced before its rows are accepted: once, since an fsync costs what thousands
// of lines cost, and at all, since Kafka forgets that the lane owes an accepted row. What a failed request
// wrote is cut off again, and so is the torn line that a crash leaves. Events are there at least once: a
// request that was written by a process that died before its offsets were committed comes again.
//
// One process writes a directory, others are kept out by a lock. There is no goroutine: rotation,
// compression and removal happen when the next request comes, which waits for them.
package file

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/weirproject/weir/sink"
)

// Destination is the kind of sink.
var Destination = sink.Destination{Type: "file", Config: func() sink.Config { return Default() }}

// chunk is how many bytes are written at once.
const chunk = 256 << 10

// Sink is an open directory. Partitions of a lane take turns.
type Sink struct {
	config *Config
	log    *slog.Logger

	mu      sync.Mutex
	journal *journal // nil once closed
	buffer  []byte
}

// Open locks the directory, and cuts the torn line that a crash may have left.
func (c *Config) Open(_ context.Context, env sink.Env) (sink.Sink, error) {
	directory := c.Directory
	if directory == "" {
		directory = env.Data
	}
	j, err := openJournal(directory, env.Log)
	if err != nil {
		return nil, err
	}
	return &Sink{config: c, log: env.Log, journal: j}, nil
}

// Deliver takes all rows or none.
func (s *Sink) Deliver(ctx context.Context, rows []sink.Row) ([]sink.Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil || len(rows) == 0 {
		return nil, err
	}
	if s.journal == nil {
		return nil, errors.New("file sink is closed")
	}
	if err := s.rotate(time.Now()); err != nil {
		return nil, err
	}
	if err := s.write(rows); err != nil {
		s.journal.abandon()
		return nil, err
	}
	return slices.Repeat([]sink.Verdict{{State: sink.Accepted}}, len(rows)), nil
}

func (s *Sink) rotate(now time.Time) error {
	if err := s.journal.ready(now); err != nil {
		return err
	}
	if s.journal.size < int64(s.config.RotateBytes) && (s.journal.size == 0 || now.Sub(s.journal.began) < s.config.RotateAge) {
		return nil
	}
	if err := s.journal.rotate(now); err != nil {
		return err
	}
	// The events are safe; a directory that grows is for a person to mend.
	if err := s.tidy(); err != nil {
		s.log.Warn("rotated files are not in order", "directory", s.journal.root.Name(), "err", err)
	}
	return s.journal.ready(now)
}

func (s *Sink) write(rows []sink.Row) error {
	s.buffer = s.buffer[:0]
	for _, row := range rows {
		s.buffer = append(row.Document(s.buffer), '\n')
		if len(s.buffer) < chunk {
			continue
		}
		if err := s.journal.write(s.buffer); err != nil {
			return err
		}
		s.buffer = s.buffer[:0]
	}
	if err := s.journal.write(s.buffer); err != nil {
		return err
	}
	return s.journal.commit()
}

// Close unlocks the directory. Nothing is buffered.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal == nil {
		return nil
	}
	j := s.journal
	s.journal = nil
	if err := j.close(); err != nil {
		return fmt.Errorf("close file sink: %w", err)
	}
	return nil
}
