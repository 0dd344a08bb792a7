package batch_test

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// inflate is for tests that look at a batch's bytes; Read has its own, which is bounded.
func inflate(b []byte) ([]byte, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.DecodeAll(b, nil)
}

// FuzzRead gives a reader records that nobody sealed.
func FuzzRead(f *testing.F) {
	d, c, g := batch.NewDraft(header(), batch.DefaultLimits()), batch.NewChain(key, run), newGenerator(1)
	for range 3 {
		fill(d, g.event(allKinds()))
		record := mustSeal(f, d, c).Record
		f.Add(record)
		f.Add(record[:len(record)/2])
	}
	f.Fuzz(func(t *testing.T, record []byte) {
		if b, err := batch.Read(record, batch.DefaultReadLimits()); err == nil {
			walk(b)
		}
		batch.Inspect(record)
		batch.ReadEnriched(record, batch.DefaultReadLimits())
	})
}

// FuzzSealedBatch gives a reader batches that are well sealed, whatever is in them: what Read takes can be
// walked without a panic.
func FuzzSealedBatch(f *testing.F) {
	for k := range schema.Kinds() {
		d := batch.NewDraft(header(), batch.DefaultLimits())
		for _, e := range goldenEvents(k) {
			fill(d, e)
		}
		var s weirv1.SealedBatch
		if err := proto.Unmarshal(mustSeal(f, d, batch.NewChain(key, run)).Record, &s); err != nil {
			f.Fatal(err)
		}
		raw := s.Batch
		if s.Codec == weirv1.Codec_CODEC_ZSTD {
			var err error
			if raw, err = inflate(s.Batch); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(raw)
	}
	raw, err := proto.Marshal(small())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		record := batch.SealBytes(key, raw, weirv1.Codec_CODEC_NONE, len(raw))
		if b, err := batch.Read(record, batch.DefaultReadLimits()); err == nil {
			walk(b)
		}
	})
}

// walk touches everything that a reader may touch.
func walk(b *batch.Batch) {
	for row := range b.Rows() {
		b.Time(row.Index)
		b.EventID(row.Index)
		b.KindName(row)
		if row.Kind != nil {
			if group, ok := row.Kind.In(b.Proto()); ok {
				walkRow(b, &row.Kind.Table, group, row.GroupRow)
			}
		}
	}
	for table := range schema.Tables() {
		if m, ok := table.In(b.Proto()); ok {
			for i := range table.Columns[0].Values(m).Len() {
				walkRow(b, table, m, i)
			}
		}
	}
}

func walkRow(b *batch.Batch, table *schema.Table, m proto.Message, row int) {
	for i := range table.Columns {
		c := &table.Columns[i]
		n := c.Values(m).Int(row)
		switch c.Field.GetForm() {
		case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS, weirv1.Form_FORM_DICTIONARY_ID:
			b.Text(uint32(n))
		case weirv1.Form_FORM_ADDRESS:
			b.Address(uint32(n))
		case weirv1.Form_FORM_PROCESS:
			keyOf(b, uint32(n))
		case weirv1.Form_FORM_CREDENTIALS:
			if n > 0 {
				credentialsOf(b, uint32(n))
			}
		case weirv1.Form_FORM_CGROUP:
			if n > 0 {
				cgroupOf(b, uint32(n))
			}
		case weirv1.Form_FORM_RUNG:
			rungOf(b, uint32(n))
		}
	}
}

// FuzzColumns: what the column codecs encode they decode, and what they decode they encode again to the same.
func FuzzColumns(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 255, 0, 0, 0, 0, 0, 0, 128})
	f.Fuzz(func(t *testing.T, data []byte) {
		var column []int64
		var cpus []uint32
		for len(data) >= 8 {
			v := binary.LittleEndian.Uint64(data)
			column, cpus, data = append(column, int64(v)), append(cpus, uint32(v%5)), data[8:]
		}
		fuzzDelta(t, column)
		fuzzSequence(t, cpus, column)
		decoded := slices.Clone(column)
		if batch.DecodeSequence(cpus, decoded) == nil {
			batch.EncodeSequence(cpus, decoded)
			if !slices.Equal(decoded, column) {
				t.Errorf("sequence %v decodes and encodes to %v", column, decoded)
			}
		}
	})
}

func fuzzDelta(t *testing.T, column []int64) {
	want := make([]int64, len(column))
	for i, v := range column {
		want[i] = v & math.MaxInt64 // columns of this encoding are never negative
	}
	got := slices.Clone(want)
	batch.EncodeDelta(schema.Values{Int64: &got})
	if err := batch.DecodeDelta(schema.Values{Int64: &got}); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v comes back as %v, %v", want, got, err)
	}
	foreign := slices.Clone(column)
	if batch.DecodeDelta(schema.Values{Int64: &foreign}) == nil && slices.ContainsFunc(foreign, negative) {
		t.Errorf("%v decodes to %v", column, foreign)
	}
}

func fuzzSequence(t *testing.T, cpus []uint32, column []int64) {
	want := make([]int64, len(column))
	for i, v := range column {
		want[i] = v & math.MaxInt64
	}
	got := slices.Clone(want)
	batch.EncodeSequence(cpus, got)
	if err := batch.DecodeSequence(cpus, got); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v on %v comes back as %v, %v", want, cpus, got, err)
	}
}

func negative(v int64) bool { return v < 0 }
