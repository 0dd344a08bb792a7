package elasticsearch

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"github.com/klauspost/compress/gzip"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/sink"
)

// body is a _bulk request that is being built. Its buffers are used again.
type body struct {
	line   []byte // one action and document
	buffer bytes.Buffer
	gzip   *gzip.Writer // nil: not compressed
	ids    []schema.EventID
	plain  int // bytes before compression
}

func newPlainBody() any { return &body{} }

// newGzipBody compresses at level 1: the server's CPU and the network are dearer than what higher levels save.
func newGzipBody() any {
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is valid
	}
	return &body{gzip: z}
}

// fill makes the body anew of the first rows, up to limit bytes and at least one, and returns how many.
func (b *body) fill(rows []sink.Row, limit int) (int, error) {
	b.buffer.Reset()
	b.ids, b.plain = b.ids[:0], 0
	if b.gzip != nil {
		b.gzip.Reset(&b.buffer)
	}
	for _, row := range rows {
		b.encode(row)
		if len(b.ids) > 0 && b.plain+len(b.line) > limit {
			break
		}
		if err := b.write(); err != nil {
			return 0, fmt.Errorf("compress request: %w", err)
		}
		b.ids = append(b.ids, row.ID())
	}
	if b.gzip != nil {
		if err := b.gzip.Close(); err != nil {
			return 0, fmt.Errorf("compress request: %w", err)
		}
	}
	return len(b.ids), nil
}

func (b *body) encode(row sink.Row) {
	id := row.ID()
	b.line = append(b.line[:0], `{"create":{"_id":"`...)
	b.line = hex.AppendEncode(b.line, id[:])
	b.line = append(b.line, `"}}`+"\n"...)
	b.line = append(row.Document(b.line), '\n')
}

func (b *body) write() error {
	b.plain += len(b.line)
	if b.gzip == nil {
		b.buffer.Write(b.line)
		return nil
	}
	_, err := b.gzip.Write(b.line)
	return err
}
