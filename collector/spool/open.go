package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/weirproject/weir/collector/spool/segment"
)

// ackFile keeps what Kafka has. It is written at each Ack and not synced: what it forgets is sent again.
const ackFile = "acked"

// Open opens the spool in a directory, which it makes where it is missing, and finds what a run before has
// left. The last segment is read whole and cut where a write was torn, with a line in the log; the others
// are read when their turn comes. Errors are *UnsafeError, *InUseError, or what the file system said.
func Open(path string, options Options) (*Spool, error) {
	s := &Spool{path: path, options: options, changed: make(chan struct{}), dirty: make(chan struct{}, 1)}
	if err := options.Validate(); err != nil {
		return nil, s.error(err)
	}
	if err := s.open(); err != nil {
		return nil, fmt.Errorf("open spool %s: %w", path, errors.Join(err, s.closeFiles()))
	}
	return s, nil
}

func (s *Spool) open() (err error) {
	if s.root, err = openDir(s.path); err != nil {
		return err
	}
	if s.locked, err = lock(s.root); err != nil {
		return err
	}
	if s.acks, err = s.root.OpenFile(ackFile, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return notWritable(err)
	}
	if err := s.root.Remove(tempFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	acked, known := s.readAck()
	found, err := s.findSegments(acked)
	if err != nil {
		return err
	}
	if !known && len(found) > 0 {
		acked = found[0].First - 1 // Kafka may have none of what is here
	}
	list, stale := segment.NewList(s.limits(), found, acked)
	s.list = list
	for _, info := range stale {
		if err := s.root.Remove(fileName(info.Number)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Spool) limits() segment.Limits {
	return segment.Limits{Segment: s.options.SegmentBytes, Total: s.options.MaxBytes}
}

// readAck returns up to which entry Kafka has all, where that is known.
func (s *Spool) readAck() (number uint64, known bool) {
	var b [segment.AckSize + 1]byte
	n, _ := s.acks.ReadAt(b[:], 0)
	number, known = segment.ParseAck(b[:n])
	if !known && n > 0 {
		s.options.Log.Warn("spool does not know any more what Kafka has, and sends all of it again", "path", s.path, "file", ackFile)
	}
	return number, known
}

// segmentNumbers returns the numbers of the segment files of a directory, in order.
func segmentNumbers(root *os.Root) ([]uint64, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, e := range entries {
		text, ok := strings.CutSuffix(e.Name(), ".segment")
		number, err := strconv.ParseUint(text, 10, 63)
		if ok && err == nil && fileName(number) == e.Name() && number > 0 {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (s *Spool) findSegments(acked uint64) (found []segment.Info, err error) {
	numbers, err := segmentNumbers(s.root)
	if err != nil {
		return nil, err
	}
	// From the last backwards, as the last one with an entry is the one that is appended to.
	for _, number := range slices.Backward(numbers) {
		info, use, err := s.inspect(number, len(found) == 0, acked)
		switch {
		case err != nil:
		case !use:
			err = s.setAside(number, info.Bytes)
		case len(found) > 0 && info.First > found[len(found)-1].First:
			err = s.setAside(number, info.Bytes)
		default:
			found = append(found, info)
		}
		if err != nil {
			return nil, fmt.Errorf("segment %08d: %w", number, err)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// inspect tells what the segment is, and whether there is anything to use in it.
func (s *Spool) inspect(number uint64, last bool, acked uint64) (info segment.Info, use bool, err error) {
	f, err := s.root.OpenFile(fileName(number), os.O_RDWR, 0)
	if err != nil {
		return info, false, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return info, false, err
	}
	info = segment.Info{Number: number, Replaces: number, Bytes: stat.Size()}
	var b [segment.HeaderSize]byte
	n, err := f.ReadAt(b[:], 0)
	if err != nil && err != io.EOF {
		return info, false, err
	}
	h, errHeader := segment.ParseHeader(b[:n])
	if errHeader == nil && h.Number == number {
		info.First, info.Replaces, info.Evicted = h.First, h.Replaces, h.Evicted
	} else {
		info.First, use = firstEntry(f, info.Bytes)
		if !use {
			return info, false, nil
		}
	}
	if !last {
		return info, true, nil
	}
	err = s.findEnd(f, &info, acked)
	return info, info.Last >= info.First, err
}

// firstEntry finds the first entry of a segment whose header is not legible.
func firstEntry(f *os.File, size int64) (number uint64, ok bool) {
	for w := segment.Walk(f, size); ; {
		e, err := w.Next()
		if err == io.EOF {
			return 0, false
		}
		if err == nil {
			return e.Number, true
		}
	}
}

// findEnd reads the last segment to its end, and cuts off what a torn write has left there.
func (s *Spool) findEnd(f *os.File, info *segment.Info, acked uint64) error {
	info.Last = info.First - 1
	for w := segment.Walk(f, info.Bytes); ; {
		at := w.Offset()
		e, err := w.Next()
		damage, damaged := errors.AsType[*segment.Damage](err)
		switch {
		case err == io.EOF:
			return nil
		case damaged && damage.Tail:
			return s.cut(f, info, damage, acked)
		case err == nil:
			info.Last = max(info.Last, e.Number)
			s.last = lastEntry{segment: info.Number, offset: at}
		}
	}
}

func (s *Spool) cut(f *os.File, info *segment.Info, d *segment.Damage, acked uint64) error {
	s.options.Log.Warn("spool segment cut where its last write was torn",
		"path", s.path, "segment", fileName(info.Number), "kept_bytes", d.Offset, "cut_bytes", d.Bytes, "error", d)
	if first := max(info.Last, acked) + 1; !d.CutOff() && d.Entry >= first { // it was whole once, and so was not in the ring any more
		s.noteLoss(segment.Loss{Segment: info.Number, First: first, Last: d.Entry, Bytes: d.Bytes, Cause: d}, true)
	}
	info.Bytes = d.Offset
	return f.Truncate(d.Offset)
}

// setAside takes a file out of the spool that is no segment any more. One that is not longer than a header
// is what a run left that died as it made it.
func (s *Spool) setAside(number uint64, size int64) error {
	name := fileName(number)
	if size <= segment.HeaderSize {
		return s.root.Remove(name)
	}
	s.options.Log.Error("spool segment holds no entry that belongs here; set aside, remove it if nobody wants to look at it",
		"path", s.path, "segment", name, "renamed", name+".damaged")
	return s.root.Rename(name, name+".damaged")
}
