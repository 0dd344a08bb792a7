package stdout

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/weirproject/weir/sink"
	"github.com/weirproject/weir/sink/sinktest"
)

// pipe is a standard output that a test reads, and that can be full.
type pipe struct {
	mu     sync.Mutex
	lines  bytes.Buffer
	broken error
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken != nil {
		n, _ := p.lines.Write(b[:len(b)/3]) // never fails
		return n, p.broken
	}
	return p.lines.Write(b)
}

func (p *pipe) Close() error { return nil }

func (p *pipe) set(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.broken = err
}

// documents are the whole lines; what a failed write left is none.
func (p *pipe) documents() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	var list [][]byte
	for line := range bytes.Lines(p.lines.Bytes()) {
		if bytes.HasSuffix(line, []byte("}\n")) {
			list = append(list, bytes.TrimSuffix(line, []byte("\n")))
		}
	}
	return list
}

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(*testing.T) sinktest.Harness {
		p := &pipe{}
		return sinktest.Harness{
			Open:      func(*testing.T) sink.Sink { return newSink(p) },
			Documents: func(*testing.T) [][]byte { return p.documents() },
			Break: func(*testing.T) func() {
				p.set(syscall.ENOSPC)
				return func() { p.set(nil) }
			},
		}
	})
}

// TestAReaderThatHasGoneDoesNotKillTheProcess runs itself with a standard output that nobody reads.
func TestAReaderThatHasGoneDoesNotKillTheProcess(t *testing.T) {
	if os.Getenv("WEIR_TEST_STDOUT") != "" {
		writeToStdout(t)
		return
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := read.Close(); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), "WEIR_TEST_STDOUT=1"), write, &stderr
	err = cmd.Run()
	_ = write.Close() // the child's copy is what matters
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != goneAsExpected {
		t.Errorf("process ended with %v, want exit status %d: %s", err, goneAsExpected, stderr.String())
	}
}

const goneAsExpected = 42

func writeToStdout(t *testing.T) {
	s, err := (&Config{}).Open(t.Context(), sink.Env{})
	if err != nil {
		t.Fatal(err)
	}
	b := sinktest.Batch(t, 1)
	_, err = s.Deliver(t.Context(), []sink.Row{{Batch: b, Row: b.Row(0)}})
	if errors.Is(err, syscall.EPIPE) && strings.Contains(err.Error(), "reader has gone") {
		os.Exit(goneAsExpected) // before the testing package writes to the pipe
	}
	t.Fatalf("error %v", err)
}
