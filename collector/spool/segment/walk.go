package segment

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
)

// Damage is a stretch of a segment in which there is no whole entry. The walk goes on behind it.
type Damage struct {
	Offset int64
	Bytes  int64
	Entry  uint64 // number of the first entry in it, 0 where it is not legible
	Cause  error
	Tail   bool // nothing whole follows
}

func (d *Damage) Error() string {
	if d.Entry == 0 {
		return fmt.Sprintf("byte %d: %v", d.Offset, d.Cause)
	}
	return fmt.Sprintf("byte %d: entry %d: %v", d.Offset, d.Entry, d.Cause)
}

// CutOff reports whether the entry is not whole, as a write that was interrupted leaves it.
func (d *Damage) CutOff() bool { return d.Tail && errors.Is(d.Cause, errCutOff) }

// Unwrap returns the cause.
func (d *Damage) Unwrap() error { return d.Cause }

var (
	errNoEntry = errors.New("there is no entry")
	errCutOff  = errors.New("the entry is cut off")
)

// Walker reads the entries of one segment in order, and finds back behind what is damaged.
type Walker struct {
	r      io.ReaderAt
	size   int64
	offset int64
}

// Walk begins behind the header of the first size bytes of r.
func Walk(r io.ReaderAt, size int64) *Walker {
	return &Walker{r: r, size: size, offset: HeaderSize}
}

// Offset returns where the next entry begins.
func (w *Walker) Offset() int64 { return w.offset }

// Grow tells the walker that more was written.
func (w *Walker) Grow(size int64) { w.size = max(w.size, size) }

// JumpTo goes to the entry that begins at an offset.
func (w *Walker) JumpTo(offset int64) { w.offset = offset }

// Next returns the next entry, io.EOF at the end, or a *Damage where bytes had to be passed over. What the
// disk does not give is damage, too: it must not hold up what comes behind it. The entry's bytes are the
// caller's.
func (w *Walker) Next() (Entry, error) {
	if w.offset >= w.size {
		return Entry{}, io.EOF
	}
	e, end, damage := w.entryAt(w.offset)
	if damage == nil {
		w.offset = end
		return e, nil
	}
	next := w.find(end)
	damage.Bytes, damage.Tail = next-w.offset, next == w.size
	w.offset = next
	return Entry{}, damage
}

// entryAt reads the entry at an offset. Where there is none, end is where the search for another one begins.
func (w *Walker) entryAt(offset int64) (e Entry, end int64, d *Damage) {
	if w.size-offset < headSize {
		return e, w.size, &Damage{Offset: offset, Cause: errCutOff}
	}
	var fixed [headSize]byte
	errRead := w.read(fixed[:], offset)
	h, ok := parseHead(fixed[:])
	if !ok {
		return e, offset + 1, &Damage{Offset: offset, Cause: cmp.Or(errRead, errNoEntry)}
	}
	if h.size() > w.size-offset {
		return e, offset + headSize, &Damage{Offset: offset, Entry: h.number, Cause: errCutOff}
	}
	rest := make([]byte, h.size()-headSize)
	errRead = w.read(rest, offset+headSize)
	end = offset + h.size()
	e, err := parseEntry(h, rest)
	if err != nil {
		return e, end, &Damage{Offset: offset, Entry: h.number, Cause: cmp.Or(errRead, err)}
	}
	return e, end, nil
}

// find returns the offset of the first whole entry at or behind from, or the size where there is none.
func (w *Walker) find(from int64) int64 {
	buf := make([]byte, 64<<10)
	for from+headSize <= w.size {
		chunk := buf[:min(int64(len(buf)), w.size-from)]
		_ = w.read(chunk, from) // what cannot be read is zeros, in which no entry begins
		at := bytes.Index(chunk, []byte(entryMagic))
		if at < 0 {
			from += int64(len(chunk)) - int64(len(entryMagic)) + 1 // it may begin at the chunk's end
			continue
		}
		_, end, damage := w.entryAt(from + int64(at))
		if damage == nil {
			return from + int64(at)
		}
		from = end
	}
	return w.size
}

// read fills b, with zeros where there is nothing.
func (w *Walker) read(b []byte, offset int64) error {
	n, err := w.r.ReadAt(b, offset)
	if n == len(b) {
		return nil
	}
	clear(b[n:])
	return err
}
