package ring

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// put writes a record at pos, as the kernel would, and returns the position behind it.
func put(w window, pos uint64, flags uint32, sample []byte) uint64 {
	record := binary.LittleEndian.AppendUint32(nil, uint32(len(sample))|flags)
	record = append(append(record, 0, 0, 0, 0), sample...)
	for i, b := range record {
		w.data[(pos+uint64(i))&(w.size()-1)] = b
	}
	return pos + uint64(len(record)+7)&^7
}

func TestWalk(t *testing.T) {
	type put2 struct {
		flags  uint32
		sample string
	}
	for _, tt := range []struct {
		name    string
		start   uint64
		records []put2
		want    []string
		rest    int // records that stay unread
	}{
		{name: "an empty ring has nothing"},
		{name: "samples come in order", records: []put2{{0, "one"}, {0, "two is longer"}, {0, ""}}, want: []string{"one", "two is longer", ""}},
		{name: "discarded ones are passed over", records: []put2{{discardBit, "x"}, {0, "one"}, {discardBit, "y"}}, want: []string{"one"}},
		{name: "one that is being written ends the walk", records: []put2{{0, "one"}, {busyBit, "two"}, {0, "three"}}, want: []string{"one"}, rest: 2},
		{name: "a sample may wrap around", start: 64*5 - 16, records: []put2{{0, "across the end of it"}, {0, "behind"}}, want: []string{"across the end of it", "behind"}},
		{name: "a header may be the last", start: 64*5 - 8, records: []put2{{0, "across the end of it"}, {0, "behind"}}, want: []string{"across the end of it", "behind"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := window{data: make([]byte, 64)}
			produced, next := tt.start, tt.start
			for i, r := range tt.records {
				produced = put(w, produced, r.flags, []byte(r.sample))
				if i < len(tt.records)-tt.rest {
					next = produced
				}
			}
			var got []string
			n, pos, err := w.walk(tt.start, produced, func(sample []byte, _ uint64) bool { got = append(got, string(sample)); return true })
			if err != nil || n != len(tt.want) || pos != next {
				t.Errorf("walk: %d samples, position %d, error %v; want %d, %d", n, pos, err, len(tt.want), next)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWalkRefusesWhatNoKernelWrites(t *testing.T) {
	w := window{data: make([]byte, 64)}
	end := put(w, 0, 0, bytes.Repeat([]byte{1}, 40))
	for _, tt := range []struct {
		name          string
		pos, produced uint64
	}{
		{"a producer behind the reader", 48, 40},
		{"a producer more than the ring ahead", 0, 72},
		{"a position that is not aligned", 4, 48},
		{"a sample longer than what was produced", 0, end - 8},
	} {
		n, pos, err := w.walk(tt.pos, tt.produced, func([]byte, uint64) bool { t.Errorf("%s: gave a sample", tt.name); return true })
		if _, ok := errors.AsType[*DamagedError](err); !ok || n != 0 || pos != tt.pos {
			t.Errorf("%s: %d samples, position %d, error %v", tt.name, n, pos, err)
		}
	}
}

// FuzzWalk: whatever the memory holds, walk ends, moves forward, and gives no more than it holds.
func FuzzWalk(f *testing.F) {
	f.Add([]byte{3, 0, 0, 0, 0, 0, 0, 0, 'o', 'n', 'e', 0}, uint64(0), uint64(16))
	f.Add([]byte{0xff, 0xff, 0xff, 0x3f}, uint64(120), uint64(160))
	f.Add([]byte{8, 0, 0, 0x80}, uint64(0), uint64(128))
	f.Fuzz(func(t *testing.T, content []byte, pos, produced uint64) {
		const size = 128
		w := window{data: make([]byte, size)}
		copy(w.data, content)
		samples, bytes := 0, 0
		n, next, _ := w.walk(pos, produced, func(sample []byte, _ uint64) bool { samples++; bytes += len(sample); return true })
		if n != samples || next < pos || next-pos > size || bytes > size {
			t.Errorf("walk from %d to %d: %d samples told, %d given with %d bytes, next %d", pos, produced, n, samples, bytes, next)
		}
	})
}

func TestAWalkEndsBehindTheLastSampleThatIsWanted(t *testing.T) {
	w := window{data: make([]byte, 64)}
	first := put(w, 0, 0, []byte("one"))
	produced := put(w, first, 0, []byte("two"))
	taken := 0
	n, pos, err := w.walk(0, produced, func([]byte, uint64) bool { taken++; return false })
	if n != 1 || taken != 1 || pos != first || err != nil {
		t.Errorf("walk: %d samples, %d taken, position %d, error %v; want 1, 1, %d", n, taken, pos, err, first)
	}
}
