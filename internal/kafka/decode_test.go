package kafka

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// made is a record batch under construction.
type made struct {
	base       int64
	attributes int16
	producer   int64
	offsets    []int64 // of its records; each has its offset's digit as value
	last       int64   // of the batch, beyond its records where compaction took some
}

func (m made) bytes() []byte {
	var records []byte
	for _, o := range m.offsets {
		record := binary.AppendVarint([]byte{0}, 0)    // attributes, time
		record = binary.AppendVarint(record, o-m.base) // offset
		record = binary.AppendVarint(record, -1)       // key
		record = append(record, 2, byte('0'+o), 0)     // value of one byte, no headers
		records = binary.AppendVarint(records, int64(len(record)))
		records = append(records, record...)
	}
	data := make([]byte, batchHeader)
	be := binary.BigEndian
	be.PutUint64(data, uint64(m.base))
	be.PutUint32(data[8:], uint32(batchHeader-batchPrefix+len(records)))
	data[16] = 2
	be.PutUint16(data[21:], uint16(m.attributes))
	be.PutUint32(data[23:], uint32(max(m.last, m.base)-m.base))
	be.PutUint64(data[43:], uint64(m.producer))
	be.PutUint32(data[57:], uint32(len(m.offsets)))
	data = append(data, records...)
	return seal(data)
}

// seal writes a batch's checksum.
func seal(data []byte) []byte {
	binary.BigEndian.PutUint32(data[17:], crc32.Checksum(data[21:], crc32.MakeTable(crc32.Castagnoli)))
	return data
}

func batches(list ...made) (data []byte) {
	for _, m := range list {
		data = append(data, m.bytes()...)
	}
	return data
}

func change(data []byte, f func([]byte)) []byte {
	f(data)
	return data
}

func TestDecode(t *testing.T) {
	plain := made{base: 4, offsets: []int64{4, 5, 6}, last: 6}
	tests := map[string]struct {
		data    []byte
		from    int64
		void    []aborted
		cut     bool
		values  string
		damaged []Damage
		next    int64
	}{
		"nothing":                              {from: 4, next: 4},
		"a batch":                              {data: plain.bytes(), from: 4, values: "456", next: 7},
		"a batch that begins before":           {data: plain.bytes(), from: 6, values: "6", next: 7},
		"a batch that ends before":             {data: plain.bytes(), from: 7, next: 7},
		"a batch that compaction emptied":      {data: made{base: 4, last: 9}.bytes(), from: 4, next: 10},
		"a batch that compaction thinned out":  {data: made{base: 4, offsets: []int64{5, 7}, last: 9}.bytes(), from: 4, values: "57", next: 10},
		"the last batch cut":                   {data: batches(plain, made{base: 7, offsets: []int64{7}, last: 7})[:len(plain.bytes())+40], from: 4, values: "456", next: 7},
		"a first batch beyond what is fetched": {data: plain.bytes()[:batchHeader+3], from: 4, cut: true, damaged: []Damage{{4, 6, errBatchTooLarge}}, next: 7},
		"a checksum that does not fit":         {data: change(batches(plain, made{base: 7, offsets: []int64{7}, last: 7}), func(b []byte) { b[batchHeader]++ }), from: 4, values: "7", damaged: []Damage{{4, 6, errBatchChecksum}}, next: 8},
		"records compressed by Kafka's codec":  {data: batches(made{base: 4, attributes: 4, offsets: []int64{4}, last: 6}, made{base: 7, offsets: []int64{7}, last: 7}), from: 4, values: "7", damaged: []Damage{{4, 6, errBatchCompressed}}, next: 8},
		"a record whose length lies":           {data: seal(change(plain.bytes(), func(b []byte) { b[batchHeader+8] = 100 })), from: 4, values: "4", damaged: []Damage{{5, 6, errRecord}}, next: 7},
		"more records than there are":          {data: seal(change(plain.bytes(), func(b []byte) { b[57] = 0x7f })), from: 4, values: "456", next: 7},
		"a negative count":                     {data: seal(change(plain.bytes(), func(b []byte) { b[57] = 0xff })), from: 4, damaged: []Damage{{4, 6, errRecord}}, next: 7},
		"a length that says nothing":           {data: change(plain.bytes(), func(b []byte) { b[8] = 0xff }), from: 4, damaged: []Damage{{4, 4, errBatchCut}}, next: 5},
		"an old format":                        {data: change(plain.bytes(), func(b []byte) { b[16] = 1 }), from: 4, damaged: []Damage{{4, 4, errBatchFormat}}, next: 5},
		"a marker of a transaction":            {data: batches(made{base: 4, attributes: transactional, producer: 9, offsets: []int64{4}, last: 4}, made{base: 5, attributes: transactional | controlBatch, producer: 9, offsets: []int64{5}, last: 5}), from: 4, values: "4", next: 6},
		"a transaction that aborted among others": {
			data: batches(
				made{base: 1, attributes: transactional, producer: 9, offsets: []int64{1}, last: 1},
				made{base: 2, attributes: transactional, producer: 8, offsets: []int64{2}, last: 2},
				made{base: 3, attributes: transactional | controlBatch, producer: 9, offsets: []int64{3}, last: 3},
				made{base: 4, attributes: transactional, producer: 9, offsets: []int64{4}, last: 4},
			), from: 1, void: []aborted{{producer: 9, first: 1}}, values: "24", next: 5,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := decode(test.data, test.from, test.void, !test.cut)
			var text strings.Builder
			for _, r := range got.records {
				text.WriteString(string(r.Value))
			}
			if text.String() != test.values || got.next != test.next {
				t.Errorf("values %q, next %d; want %q, %d", text.String(), got.next, test.values, test.next)
			}
			same := cmp.Comparer(func(a, b error) bool { return errors.Is(a, b) || errors.Is(b, a) })
			if diff := cmp.Diff(test.damaged, got.damaged, same, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// FuzzDecode: whatever a partition holds, reading it ends, goes forward, and skips nothing in silence that
// a batch says it holds.
func FuzzDecode(f *testing.F) {
	f.Add(batches(made{base: 4, offsets: []int64{4, 5, 6}, last: 6}, made{base: 7, last: 9}), int64(4), true)
	f.Add(made{base: 4, attributes: transactional, offsets: []int64{4}, last: 4}.bytes()[:50], int64(0), false)
	f.Fuzz(func(t *testing.T, data []byte, from int64, whole bool) {
		if from < 0 || from > 1<<62 {
			return // no offset of a partition
		}
		if len(data) > batchHeader {
			seal(data) // else most inputs end at the first checksum
		}
		got := decode(data, from, nil, whole)
		if got.next < from {
			t.Fatalf("reading goes back from %d to %d", from, got.next)
		}
		last := from - 1
		for _, r := range got.records {
			if r.Offset <= last {
				t.Fatalf("offset %d after %d", r.Offset, last)
			}
			last = r.Offset
		}
		for _, d := range got.damaged {
			if d.First < from || d.Last < d.First || d.Last >= got.next {
				t.Fatalf("damage %+v, from %d to %d", d, from, got.next)
			}
		}
	})
}

// FuzzFetchResponse: whatever a broker answers is read without panic and without trust in its lengths.
func FuzzFetchResponse(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := parseFetch(data, true)
		if err == nil && len(got.records) > len(data) {
			t.Fatal("more records than bytes")
		}
	})
}
