package batch_test

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/batch"
)

func wantError(t *testing.T, name string, do func() error, want error) {
	t.Helper()
	if err := do(); !errors.Is(err, want) {
		t.Errorf("%s: got %v, want %v", name, err, want)
	}
}

// small is a batch of three rows and two kinds, as it is on the wire.
func small() *weirv1.Batch {
	h := header()
	h.SchemaVersion, h.BatchNumber, h.RunId = 1, 1, run[:]
	return &weirv1.Batch{
		Header:      h,
		Dictionary:  &weirv1.Dictionary{Data: []byte("/bin/sh\x0a\x00\x00\x01rung"), Size: []uint32{7, 4, 4}},
		Processes:   &weirv1.Processes{Tgid: []int32{5, 1}, StartUs: []int64{9, 1}, Parent: []int32{0, 1}, Executable: []uint32{1, 1}},
		Credentials: &weirv1.Credentials{Uid: []uint32{0}},
		Rungs:       &weirv1.Rungs{Name: []uint32{3}},
		Common: &weirv1.Common{
			Kind: []uint32{102, 202, 102}, TimeUs: []int64{100, 5, -3}, Process: []int32{1, 1, -1},
			Credentials: []uint32{1, 1, 1}, Rung: []uint32{1, 1, 0},
		},
		Groups: []*weirv1.Group{
			{Number: 102, Kind: "process.exit", Rows: 2},
			{Number: 202, Kind: "network.listen", Rows: 1},
		},
		ProcessExit:   &weirv1.ProcessExit{ExitCode: []uint32{3, 4}},
		NetworkListen: &weirv1.NetworkListen{Address: []uint32{2}, Port: []uint32{80}},
	}
}

func seal(t testing.TB, b *weirv1.Batch) []byte {
	t.Helper()
	raw, err := proto.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return batch.SealBytes(key, raw, weirv1.Codec_CODEC_NONE, len(raw))
}

func TestTheSmallBatchReads(t *testing.T) {
	b := mustRead(t, seal(t, small()))
	c := b.Proto().GetCommon()
	if got := b.BootTime(2); got != 102 {
		t.Errorf("time %d", got)
	}
	if c.GetProcess()[1] != 2 || c.GetProcess()[2] != 1 || c.GetSequence()[2] != 3 {
		t.Errorf("common %v", c)
	}
	if got := b.Address(b.Proto().GetNetworkListen().GetAddress()[0]).String(); got != "10.0.0.1" {
		t.Errorf("address %s", got)
	}
	if row := b.Row(2); row.GroupRow != 1 || row.Kind.Name != "process.exit" {
		t.Errorf("row %+v", row)
	}
}

// Whoever has a key can sign anything: each of these is signed.
func TestBatchesThatContradictThemselvesAreRefused(t *testing.T) {
	for text, break_ := range map[string]func(*weirv1.Batch){
		"column process_exit.exit_code: 1 values for 2 rows: inconsistent columns": func(b *weirv1.Batch) {
			b.ProcessExit.ExitCode = []uint32{1}
		},
		"column process_exit.signal: 3 values for 2 rows: inconsistent columns": func(b *weirv1.Batch) {
			b.ProcessExit.Signal = []uint32{1, 2, 3}
		},
		"column common.time_us: 2 values for 3 rows: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.TimeUs = []int64{1, 2}
		},
		"column processes.parent: row 1: index 3 of 2 entries: inconsistent columns": func(b *weirv1.Batch) {
			b.Processes.Parent[1] = 3
		},
		"column processes.executable: row 0: index 4294967295 of 3 entries: inconsistent columns": func(b *weirv1.Batch) {
			b.Processes.Executable[0] = math.MaxUint32
		},
		"column common.process: row 0: -1 more than 0 is negative or too large: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Process[0] = -1
		},
		"column common.process: row 1: index 3 of 2 entries: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Process[1] = 2
		},
		"column common.process: row 1: 2147483647 more than 1 is negative or too large: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Process[1] = math.MaxInt32
		},
		"column common.time_us: row 1: 9223372036854775807 more than 100 is negative or too large: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.TimeUs[1] = math.MaxInt64
		},
		"column common.time_us: row 1: -9223372036854775808 more than 100 is negative or too large: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.TimeUs[1] = math.MinInt64
		},
		"column common.credentials: row 0: index 1 of 0 entries: inconsistent columns": func(b *weirv1.Batch) {
			b.Credentials = nil
		},
		"column common.rung: row 0: index 2 of 1 entries: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Rung[0] = 2
		},
		"column common.cgroup: row 2: index 9 of 0 entries: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Cgroup = []uint32{0, 0, 9}
		},
		"column common.sequence: row 2: CPU 4294967295: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Cpu = []uint32{0, 0, math.MaxUint32}
		},
		"column common.sequence: row 0: -7 more than 0 is negative or too large: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Sequence = []int64{-7, 0, 0}
		},
		"column common.sequence: row 1: 9223372036854775807 more than 1 is negative or too large: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Sequence = []int64{0, math.MaxInt64, 0}
		},
		"column common.kind: row 1: no group 777: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Kind[1] = 777
		},
		"group network.listen: 1 rows, 0 in common.kind: inconsistent columns": func(b *weirv1.Batch) {
			b.Common.Kind[1] = 102
			b.ProcessExit.ExitCode = []uint32{1, 2, 3}
			b.Groups[0].Rows = 3
		},
		"group process.exit: 4294967295 rows, 2 in common.kind: inconsistent columns": func(b *weirv1.Batch) {
			b.Groups[0].Rows = math.MaxUint32
			b.ProcessExit = nil
		},
		"groups: 102 is there twice: inconsistent columns": func(b *weirv1.Batch) {
			b.Groups = append(b.Groups, &weirv1.Group{Number: 102, Kind: "process.exit", Rows: 2})
		},
		"groups: 102 is not process.exec: inconsistent columns": func(b *weirv1.Batch) {
			b.Groups[0].Kind = "process.exec"
		},
		"groups: 202 is not a.kind.that.nobody.knows: inconsistent columns": func(b *weirv1.Batch) {
			b.Groups[1].Kind = "a.kind.that.nobody.knows"
		},
		"column process_fork.child: 1 values for 0 rows: inconsistent columns": func(b *weirv1.Batch) {
			b.ProcessFork = &weirv1.ProcessFork{Child: []int32{1}}
		},
		"column network_listen.address: row 0: an address of 7 bytes: inconsistent columns": func(b *weirv1.Batch) {
			b.NetworkListen.Address[0] = 1
		},
		"dictionary: entry 3 ends behind the data: inconsistent columns": func(b *weirv1.Batch) {
			b.Dictionary.Size[2] = 5
		},
		"dictionary: entry 1 ends behind the data: inconsistent columns": func(b *weirv1.Batch) {
			b.Dictionary.Size[0] = 64 << 10
		},
		"dictionary: 1 bytes behind the last entry: inconsistent columns": func(b *weirv1.Batch) {
			b.Dictionary.Size[2] = 3
		},
		"header: host_id: 3 bytes: malformed": func(b *weirv1.Batch) {
			b.Header.HostId = []byte("abc")
		},
		"header: attachment_id: 1 bytes: malformed": func(b *weirv1.Batch) {
			b.Header.AttachmentId = []byte("a")
		},
		"header: host_id: 0 bytes: malformed": func(b *weirv1.Batch) {
			b.Header = nil
		},
		"header: schema_version 1, batch_number 0: malformed": func(b *weirv1.Batch) {
			b.Header.BatchNumber = 0
		},
		"header: schema_version 2, this weir reads up to 1: newer schema version": func(b *weirv1.Batch) {
			b.Header.SchemaVersion = 2
		},
		"tombstone: has rows: malformed": func(b *weirv1.Batch) {
			b.Tombstone = &weirv1.Tombstone{First: 1, Last: 1, LastHash: make([]byte, 32)}
		},
	} {
		b := small()
		break_(b)
		if _, err := batch.Read(seal(t, b), batch.DefaultReadLimits()); err == nil || err.Error() != text {
			t.Errorf("got  %v\nwant %s", err, text)
		}
	}
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	record := threeBatches(t)[1].Record
	for i := range record {
		bad := bytes.Clone(record)
		bad[i] ^= 1 << (i % 8)
		if b, err := batch.Read(bad, batch.DefaultReadLimits()); err == nil {
			t.Errorf("byte %d: reads as batch %d", i, b.Header().GetBatchNumber())
		}
	}
}

func TestEveryTruncationIsFound(t *testing.T) {
	record := threeBatches(t)[1].Record
	for n := range record {
		if _, err := batch.Read(record[:n], batch.DefaultReadLimits()); err == nil {
			t.Errorf("%d of %d bytes read", n, len(record))
		}
		if _, err := batch.Inspect(record[:n]); err == nil {
			t.Errorf("%d of %d bytes inspected", n, len(record))
		}
	}
}

func TestRecordsThatNobodySealedAreRefused(t *testing.T) {
	whole := func() *weirv1.SealedBatch {
		var s weirv1.SealedBatch
		if err := proto.Unmarshal(seal(t, small()), &s); err != nil {
			t.Fatal(err)
		}
		return &s
	}
	for text, change := range map[string]func(*weirv1.SealedBatch){
		"record: bad signature":              func(s *weirv1.SealedBatch) { s.Signature[0]++ },
		"public_key: 0 bytes: malformed":     func(s *weirv1.SealedBatch) { s.PublicKey = nil },
		"previous_hash: 31 bytes: malformed": func(s *weirv1.SealedBatch) { s.PreviousHash = make([]byte, 31) },
		"record: bad signature ":             func(s *weirv1.SealedBatch) { s.Signature = s.Signature[:10] },
		"record: bad signature  ":            func(s *weirv1.SealedBatch) { s.RawSize++ },
		"record: bad signature   ":           func(s *weirv1.SealedBatch) { s.Codec = weirv1.Codec_CODEC_ZSTD },
		"record: bad signature    ":          func(s *weirv1.SealedBatch) { s.PreviousHash = bytes.Repeat([]byte{1}, 32) },
		"public_key: 33 bytes: malformed":    func(s *weirv1.SealedBatch) { s.PublicKey = append(s.PublicKey, 0) },
	} {
		s := whole()
		change(s)
		record, err := proto.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		want := string(bytes.TrimRight([]byte(text), " "))
		if _, err := batch.Read(record, batch.DefaultReadLimits()); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	wantError(t, "no record", func() error { _, err := batch.Read(nil, batch.DefaultReadLimits()); return err }, batch.ErrMalformed)
	wantError(t, "text", func() error {
		_, err := batch.Read([]byte(`{"event":1}`), batch.DefaultReadLimits())
		return err
	}, batch.ErrMalformed)
}

// bomb is a zstd frame that inflates to size bytes: blocks of 128 KiB, each one byte that is repeated. It
// does not tell its size.
func bomb(size int) []byte {
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3} // magic number, no flags, a window of 128 KiB
	const block, rle, last = 128 << 10, 1 << 1, 1
	for n := size / block; n > 0; n-- {
		header := block<<3 | rle
		if n == 1 {
			header |= last
		}
		frame = append(frame, byte(header), byte(header>>8), byte(header>>16), 0)
	}
	return frame
}

func TestARecordThatInflatesToGigabytesCostsLittle(t *testing.T) {
	const size = 3 << 30
	limits := batch.DefaultReadLimits()
	body := bomb(size)
	for name, c := range map[string]struct {
		says int
		want error
	}{
		"and says so":               {size, batch.ErrTooLarge},
		"and says a little":         {1000, batch.ErrMalformed},
		"and says nothing":          {0, batch.ErrMalformed},
		"and says the most allowed": {limits.Raw, batch.ErrMalformed},
	} {
		record := batch.SealBytes(key, body, weirv1.Codec_CODEC_ZSTD, c.says)
		before := allocated()
		wantError(t, name, func() error { _, err := batch.Read(record, limits); return err }, c.want)
		if n := allocated() - before; n > 4*uint64(limits.Raw) {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestABatchAsLargeAsAllowedIsInflated(t *testing.T) {
	limits := batch.DefaultReadLimits()
	record := batch.SealBytes(key, bomb(limits.Raw), weirv1.Codec_CODEC_ZSTD, limits.Raw)
	_, err := batch.Read(record, limits)
	// Zeros are no protobuf message: it is read that far.
	const want = "batch: proto: cannot parse invalid wire-format data: malformed"
	if err == nil || strings.ReplaceAll(err.Error(), "\u00a0", " ") != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestLimitsHold(t *testing.T) {
	record := threeBatches(t)[0].Record
	read := func(l batch.ReadLimits) func() error {
		return func() error { _, err := batch.Read(record, l); return err }
	}
	l := batch.DefaultReadLimits()
	l.Record = len(record)
	wantError(t, "record as large as allowed", read(l), nil)
	l.Record--
	wantError(t, "record", read(l), batch.ErrTooLarge)
	l = batch.DefaultReadLimits()
	l.Raw = 10
	wantError(t, "raw", read(l), batch.ErrTooLarge)
}

// Two bytes on the wire are a hundred in memory: they are counted before they are unmarshalled.
func TestAMillionEmptyMessagesAreRefused(t *testing.T) {
	groups := bytes.Repeat(protowire.AppendBytes(protowire.AppendTag(nil, 8, protowire.BytesType), nil), 1<<20)
	kinds := protowire.AppendBytes(protowire.AppendTag(nil, 9, protowire.BytesType),
		bytes.Repeat(protowire.AppendBytes(protowire.AppendTag(nil, 3, protowire.BytesType), nil), 1<<20))
	for name, raw := range map[string][]byte{"groups": groups, "kinds within the ledger": kinds} {
		record := batch.SealBytes(key, raw, weirv1.Codec_CODEC_NONE, len(raw))
		wantError(t, name, func() error { _, err := batch.Read(record, batch.DefaultReadLimits()); return err }, batch.ErrTooLarge)
	}
}

func TestAnUnknownCodecIsRefused(t *testing.T) {
	record := batch.SealBytes(key, []byte("x"), 9, 1)
	wantError(t, "codec 9", func() error { _, err := batch.Read(record, batch.DefaultReadLimits()); return err }, batch.ErrMalformed)
}

// A few kilobytes on the wire, made by who has a key, must not become gigabytes: each of these is signed.
func TestABatchThatFewBytesMakeHugeIsRefused(t *testing.T) {
	for text, change := range map[string]func(*weirv1.Batch){
		"batch: 100001 rows, at most 100000: larger than this reader allows": func(b *weirv1.Batch) {
			b.Common = &weirv1.Common{Kind: slices.Repeat([]uint32{102}, 100_001)}
		},
		"dictionary: entry 3 has 65537 bytes, at most 65536: larger than this reader allows": func(b *weirv1.Batch) {
			b.Dictionary.Data = make([]byte, 11+65537)
			b.Dictionary.Size[2] = 65537
		},
		"batch: weir.v1.Tombstone.reason has 1025 bytes, at most 1024: larger than this reader allows": func(b *weirv1.Batch) {
			b.Tombstone = &weirv1.Tombstone{Reason: strings.Repeat("x", 1025)}
		},
		"batch: weir.v1.KindSums.kind has 1025 bytes, at most 1024: larger than this reader allows": func(b *weirv1.Batch) {
			b.Ledger = &weirv1.Ledger{Kinds: []*weirv1.KindSums{{Kind: strings.Repeat("x", 1025)}}}
		},
		"batch: more than 5000 messages and strings: larger than this reader allows": func(b *weirv1.Batch) {
			b.Header.Addresses = make([][]byte, 5001)
		},
	} {
		b := small()
		change(b)
		if _, err := batch.Read(seal(t, b), batch.DefaultReadLimits()); err == nil || err.Error() != text {
			t.Errorf("got  %v\nwant %s", err, text)
		}
	}
}
