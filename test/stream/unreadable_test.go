package stream_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

func TestUnreadableRecordsAreDeadLettersAndTheRestGoesOn(t *testing.T) {
	s := newStream(t)
	s.enrich(s.toSearch())
	s.collects()
	w := newWorkload(t)
	w.processes(50)
	s.arrive(w.marker, 1)

	genuine := s.topic(kafka.Batches)[0]
	bad := badRecords(t, genuine.Value)
	c := s.client()
	for _, b := range bad {
		r := kafka.Record{Topic: kafka.Batches, Partition: genuine.Partition, Key: genuine.Key, Headers: genuine.Headers, Value: b.value}
		if err := c.Produce(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	w.processes(50)
	w.network(5)
	s.settles()
	if peak := s.enricher.peakMemory(); peak > enricherMemory {
		t.Errorf("the enricher took %d MiB", peak>>20)
	}
	s.enricher.stop()
	compare(t, "OpenSearch", w.done(), s.search.marked(t, w.marker))
	s.haveLetters(bad)
	if !slices.ContainsFunc(s.search.of(t, "weir.kind", schema.WeirGap.Name), func(e event) bool { return e.Weir.Gap.Finding == "bad_signature" }) {
		t.Error("no weir.gap tells the bad signature")
	}
}

// enricherMemory is far above what the enricher needs, and far below what the bomb would take.
const enricherMemory = 300 << 20

// badRecord is a record that no reader can take.
type badRecord struct {
	name   string
	value  []byte
	reason string // of its dead letter: a part
}

func badRecords(t *testing.T, genuine []byte) []badRecord {
	t.Helper()
	flipped := bytes.Clone(genuine)
	flipped[len(flipped)/2] ^= 0x10
	newer := &weirv1.Batch{Header: &weirv1.Header{
		SchemaVersion: schema.Version + 1, HostId: make([]byte, 16), BootId: make([]byte, 16), RunId: make([]byte, 16), BatchNumber: 1,
	}}
	raw, err := proto.Marshal(newer)
	if err != nil {
		t.Fatal(err)
	}
	return []badRecord{
		{"garbage", []byte("GET / HTTP/1.1\r\n\r\n"), "malformed"},
		{"nothing", []byte{}, "malformed"},
		{"one bit flipped", flipped, "bad signature"},
		{"cut in half", genuine[:len(genuine)/2], "malformed"},
		{"a newer schema version", sealed(t, weirv1.Codec_CODEC_NONE, raw, len(raw)), "newer schema version"},
		{"a gibibyte that says so", sealed(t, weirv1.Codec_CODEC_ZSTD, bomb(t), bombBytes), "larger than this reader allows"},
		{"a gibibyte that says it is small", sealed(t, weirv1.Codec_CODEC_ZSTD, bomb(t), 1000), "malformed"},
	}
}

// sealed signs a batch by a key of its own, as proto/weir/v1/batch.proto describes it.
func sealed(t *testing.T, codec weirv1.Codec, body []byte, rawSize int) []byte {
	t.Helper()
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	signed := append([]byte("weir batch v1\x00"), make([]byte, sha256.Size)...)
	signed = binary.BigEndian.AppendUint32(signed, uint32(codec))
	signed = binary.BigEndian.AppendUint32(signed, uint32(rawSize))
	hash := sha256.Sum256(append(signed, sum[:]...))
	record, err := proto.Marshal(&weirv1.SealedBatch{
		Codec: codec, RawSize: uint32(rawSize), Batch: body, PublicKey: public, Signature: ed25519.Sign(key, hash[:]),
	})
	if err != nil {
		t.Fatal(err)
	}
	return record
}

const bombBytes = 1 << 30

// bomb is a gibibyte of zeros in a few bytes.
func bomb(t *testing.T) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range bombBytes / len(zeros) {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// haveLetters fails the test unless weir.deadletter has each bad record once, as it was, with reason and origin.
func (s *stream) haveLetters(bad []badRecord) {
	s.t.Helper()
	written := s.topic(kafka.Batches)
	letters := s.deadLetters()
	if len(letters) != len(bad) {
		s.t.Errorf("%d dead letters of %d bad records", len(letters), len(bad))
	}
	for _, b := range bad {
		at := slices.IndexFunc(written, func(r kafka.Record) bool { return bytes.Equal(r.Value, b.value) })
		i := slices.IndexFunc(letters, func(l *weirv1.DeadLetter) bool { return bytes.Equal(l.GetValue(), b.value) })
		if at < 0 || i < 0 {
			s.t.Errorf("%s: no dead letter", b.name)
			continue
		}
		origin, l := written[at], letters[i]
		if l.GetLane() != "enrich" || !regexp.MustCompile(b.reason).MatchString(l.GetReason()) ||
			l.GetTopic() != kafka.Batches || int(l.GetPartition()) != origin.Partition || l.GetOffset() != origin.Offset {
			s.t.Errorf("%s: written to %d/%d; its dead letter is of %s/%d/%d in lane %s: %s", b.name, origin.Partition, origin.Offset,
				l.GetTopic(), l.GetPartition(), l.GetOffset(), l.GetLane(), l.GetReason())
		}
	}
}

var peakLine = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peakMemory returns the most bytes that the running program has had in memory.
func (p *program) peakMemory() int {
	p.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	match := peakLine.FindSubmatch(status)
	if match == nil {
		p.t.Fatalf("no peak in %s", status)
	}
	kib, err := strconv.Atoi(string(match[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	return kib << 10
}
