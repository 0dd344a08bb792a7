package spool

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"github.com/weirproject/weir/collector/spool/segment"
)

// Listing is one line of what is in a spool: an entry, or damage.
type Listing struct {
	Segment string // name of the file
	Offset  int64
	Bytes   int64
	Entry   segment.Entry
	InKafka bool
	Damage  *segment.Damage // nil where the entry is whole
}

// List reads the spool in a directory from its beginning and checks every byte. It needs no lock: in a spool
// that is in use, the last entries may look cut off.
func List(path string) iter.Seq2[Listing, error] {
	return func(yield func(Listing, error) bool) {
		if err := list(path, yield); err != nil {
			yield(Listing{}, fmt.Errorf("list spool %s: %w", path, err))
		}
	}
}

func list(path string, yield func(Listing, error) bool) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	defer root.Close()
	numbers, err := segmentNumbers(root)
	if err != nil {
		return err
	}
	ack, _ := root.ReadFile(ackFile) // where it is missing, Kafka has nothing that we know of
	acked, _ := segment.ParseAck(ack)
	for _, number := range numbers {
		more, err := listSegment(root, number, acked, yield)
		if errors.Is(err, os.ErrNotExist) {
			continue // Kafka has it meanwhile
		}
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
	}
	return nil
}

func listSegment(root *os.Root, number, acked uint64, yield func(Listing, error) bool) (more bool, err error) {
	name := fileName(number)
	f, err := root.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	stat, err := f.Stat()
	if err != nil {
		return false, err
	}
	for w := segment.Walk(f, stat.Size()); ; {
		l := Listing{Segment: name, Offset: w.Offset()}
		e, err := w.Next()
		if err == io.EOF {
			return true, nil
		}
		l.Entry, l.Bytes, l.InKafka = e, w.Offset()-l.Offset, err == nil && e.Number <= acked
		l.Damage, _ = errors.AsType[*segment.Damage](err)
		if !yield(l, nil) {
			return false, nil
		}
	}
}
