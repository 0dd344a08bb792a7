// Package stdout is the destination stdout: NDJSON, one nested ECS document a line, on the standard output.
//
// Events are there at least once. A reader that has gone ends the lane's progress, not the process, which
// may have other lanes: its events wait in Kafka.
package stdout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"syscall"

	"github.com/weirproject/weir/sink"
)

// Destination is the kind of sink.
var Destination = sink.Destination{Type: "stdout", Config: func() sink.Config { return &Config{} }}

// Config is the configuration of the destination stdout. It has no keys.
type Config struct{}

// Validate finds nothing.
func (*Config) Validate() error { return nil }

// Open duplicates the standard output: a write to a pipe without reader kills a process if it goes to file
// descriptor 1, and is an error on any other.
func (*Config) Open(context.Context, sink.Env) (sink.Sink, error) {
	fd, err := syscall.Dup(int(os.Stdout.Fd()))
	if err != nil {
		return nil, fmt.Errorf("open standard output: %w", err)
	}
	syscall.CloseOnExec(fd)
	return newSink(os.NewFile(uintptr(fd), "standard output")), nil
}

// Sink is the open standard output. Partitions of a lane take turns.
type Sink struct {
	mu     sync.Mutex
	out    io.WriteCloser // nil once closed
	torn   bool           // the last line lacks its end
	buffer []byte
}

func newSink(out io.WriteCloser) *Sink { return &Sink{out: out} }

// chunk is how many bytes are written at once, so that a person sees lines while others are rendered.
const chunk = 64 << 10

// Deliver takes all rows, or fails; then some lines may have been written.
func (s *Sink) Deliver(ctx context.Context, rows []sink.Row) ([]sink.Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return nil, errors.New("standard output is closed")
	}
	s.buffer = s.buffer[:0]
	if s.torn {
		s.buffer = append(s.buffer, '\n')
	}
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.buffer = append(row.Document(s.buffer), '\n')
		if len(s.buffer) < chunk {
			continue
		}
		if err := s.flush(); err != nil {
			return nil, err
		}
	}
	if err := s.flush(); err != nil {
		return nil, err
	}
	return slices.Repeat([]sink.Verdict{{State: sink.Accepted}}, len(rows)), nil
}

func (s *Sink) flush() error {
	n, err := s.out.Write(s.buffer)
	if n > 0 {
		s.torn = s.buffer[n-1] != '\n'
	}
	s.buffer = s.buffer[:0]
	switch {
	case errors.Is(err, syscall.EPIPE):
		return fmt.Errorf("write to standard output: its reader has gone: %w", err)
	case err != nil:
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// Close leaves the process's own standard output open.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return nil
	}
	out := s.out
	s.out = nil
	return out.Close()
}
