package segment

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// entry returns the entry of batch n of a run.
func entry(run byte, n uint64, body string) Entry {
	return Entry{
		Form: Batch, Number: n, SchemaVersion: 1, Host: schema.HostID{1}, Run: schema.RunID{run}, Previous: hash(n - 1),
		Tomb: &weirv1.Tombstone{First: n, Last: n, LastHash: hashBytes(n), Lost: []*weirv1.Group{{Number: 101, Kind: "process.exec", Rows: uint32(n)}}},
		Body: []byte(body),
	}
}

func hash(n uint64) batch.Hash { return batch.Hash{byte(n)} }

func hashBytes(n uint64) []byte { h := hash(n); return h[:] }

// buryAll buries entries above acked.
func buryAll(acked uint64, header func([]byte) ([]byte, error), entries ...Entry) ([]Entry, []Loss) {
	b := NewBurial(acked)
	for _, e := range entries {
		b.Add(e)
	}
	return b.Entries(header)
}

func write(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	b := AppendHeader(nil, Header{Number: 1, First: 1, Replaces: 1})
	for _, e := range entries {
		var err error
		if b, err = e.Append(b); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	h := Header{Number: 9, First: 100, Replaces: 7, Evicted: true}
	if got, err := ParseHeader(AppendHeader(nil, h)); err != nil || got != h {
		t.Errorf("header %+v, error %v", got, err)
	}
	if n, ok := ParseAck(AppendAck(nil, 12)); n != 12 || !ok {
		t.Errorf("ack %d, %v", n, ok)
	}
	want := []Entry{entry(1, 1, "one"), entry(1, 2, "")}
	b := write(t, want...)
	if size := int64(len(b)) - HeaderSize; size != want[0].Size()+want[1].Size() {
		t.Errorf("entries take %d bytes, Size tells %d and %d", size, want[0].Size(), want[1].Size())
	}
	w := Walk(bytes.NewReader(b), int64(len(b)))
	for _, e := range want {
		got, err := w.Next()
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(e, got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
	if _, err := w.Next(); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

// Any single damaged byte costs at most the entry that it is in.
func TestEveryFlippedByteCostsOneEntry(t *testing.T) {
	whole := write(t, entry(1, 1, "one"), entry(1, 2, "two"), entry(1, 3, "three"))
	for at := HeaderSize; at < len(whole); at++ {
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		entries, damages := 0, 0
		for w := Walk(bytes.NewReader(b), int64(len(b))); ; {
			_, err := w.Next()
			if err == io.EOF {
				break
			}
			if _, ok := errors.AsType[*Damage](err); ok {
				damages++
			} else {
				entries++
			}
		}
		if entries != 2 || damages != 1 {
			t.Fatalf("byte %d: %d entries, %d damages", at, entries, damages)
		}
	}
}

// sick is a disk with a bad sector.
type sick struct {
	io.ReaderAt
	from, to int64
}

func (s sick) ReadAt(b []byte, off int64) (int, error) {
	if off < s.to && off+int64(len(b)) > s.from {
		return 0, errors.New("input/output error")
	}
	return s.ReaderAt.ReadAt(b, off)
}

func TestBadSectorDoesNotHoldUpWhatIsBehindIt(t *testing.T) {
	first := write(t, entry(1, 1, "one"))
	b := write(t, entry(1, 1, "one"), entry(1, 2, string(make([]byte, 100<<10))), entry(1, 3, "three"))
	w := Walk(sick{bytes.NewReader(b), int64(len(first)) + 500, int64(len(first)) + 600}, int64(len(b)))
	if e, err := w.Next(); err != nil || e.Number != 1 {
		t.Fatalf("entry %d, error %v", e.Number, err)
	}
	_, err := w.Next()
	if d, ok := errors.AsType[*Damage](err); !ok || d.Entry != 2 || d.Cause.Error() != "input/output error" {
		t.Fatalf("error %v", err)
	}
	if e, err := w.Next(); err != nil || e.Number != 3 {
		t.Fatalf("entry %d, error %v", e.Number, err)
	}
}

func TestEntryThatNoReaderWouldTakeIsNotWritten(t *testing.T) {
	e := entry(1, 1, "")
	e.Body = make([]byte, maxBody+1)
	if b, err := e.Append([]byte("x")); !errors.Is(err, ErrTooLarge) || string(b) != "x" {
		t.Errorf("%d bytes, error %v", len(b), err)
	}
}

func TestBurialJoinsWhatBelongsTogether(t *testing.T) {
	inspected := 0
	header := func(record []byte) ([]byte, error) {
		inspected++
		if string(record) == "illegible" {
			return nil, errors.New("illegible")
		}
		return append([]byte("header of "), record...), nil
	}
	tomb := func(first, last uint64, rows uint32) *weirv1.Tombstone {
		return &weirv1.Tombstone{
			First: first, Last: last, LastHash: hashBytes(last), Reason: "spool full",
			Lost: []*weirv1.Group{{Number: 101, Kind: "process.exec", Rows: rows}},
		}
	}
	in := []Entry{
		entry(1, 1, "acked"), entry(1, 2, "b"), entry(1, 3, "c"), // joined
		entry(1, 5, "gap"),                           // 4 is missing
		entry(2, 6, "run"), entry(2, 7, "illegible"), // another run, of which no header is to be had
	}
	out, lost := buryAll(1, header, in...)
	want := []Entry{
		{Form: Evicted, Number: 3, SchemaVersion: 1, Host: schema.HostID{1}, Run: schema.RunID{1}, Previous: hash(1), Tomb: tomb(2, 3, 5), Body: []byte("header of c")},
		{Form: Evicted, Number: 5, SchemaVersion: 1, Host: schema.HostID{1}, Run: schema.RunID{1}, Previous: hash(4), Tomb: tomb(5, 5, 5), Body: []byte("header of gap")},
	}
	if diff := cmp.Diff(want, out, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if len(lost) != 1 || lost[0].First != 6 || lost[0].Last != 7 || inspected != 3 {
		t.Errorf("lost %v, %d headers read", lost, inspected)
	}
	again, _ := buryAll(0, header, append(out[1:], entry(1, 6, "more"))...)
	if len(again) != 1 || again[0].Tomb.GetFirst() != 5 || again[0].Tomb.GetLast() != 6 {
		t.Errorf("what was evicted before is not joined: %v", again)
	}
}

func TestBurialDoesNotOverflow(t *testing.T) {
	a, b := entry(1, 1, ""), entry(1, 2, "")
	a.Tomb.Lost[0].Rows = 1<<32 - 1
	out, _ := buryAll(0, func([]byte) ([]byte, error) { return nil, nil }, a, b)
	if len(out) != 2 {
		t.Errorf("%v", out)
	}
}

// FuzzWalk: whatever the bytes, the walk ends, covers all of them once, and gives only what is within.
func FuzzWalk(f *testing.F) {
	whole := write(f, entry(1, 1, "one"), entry(1, 2, "two"))
	f.Add(whole[HeaderSize:])
	f.Add(append([]byte("wEntwEnt"), whole[HeaderSize:]...))
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append(make([]byte, HeaderSize), b...)
		w := Walk(bytes.NewReader(b), int64(len(b)))
		for at := int64(HeaderSize); ; {
			e, err := w.Next()
			if err == io.EOF {
				if at != int64(len(b)) {
					t.Errorf("the walk ends at %d of %d", at, len(b))
				}
				return
			}
			if d, ok := errors.AsType[*Damage](err); ok && (d.Offset != at || d.Bytes != w.Offset()-at) {
				t.Errorf("damage %+v, walked %d to %d", d, at, w.Offset())
			}
			if w.Offset() <= at || int64(len(e.Body)) > w.Offset()-at {
				t.Fatalf("walked %d to %d with a body of %d", at, w.Offset(), len(e.Body))
			}
			at = w.Offset()
		}
	})
}
