package batch_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

var update = flag.Bool("update", false, "write testdata anew")

// Each kind's bytes on the wire. A change here is a change of what archives hold: it is right only where a
// column or kind was added, and then the bytes of old columns stay as they are.
func TestTheWireOfEachKind(t *testing.T) {
	for _, k := range allKinds() {
		t.Run(k.Name, func(t *testing.T) {
			raw := goldenBatch(t, k)
			out := wireText(t, raw)
			path := filepath.Join("testdata", k.Name+".golden")
			if *update {
				if err := os.WriteFile(path, []byte(out), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("kind %s has no golden of its wire: go test ./schema/batch -run Wire -update: %v", k, err)
			}
			if out != string(want) {
				t.Errorf("got\n%s\nwant\n%s", out, want)
			}
		})
	}
}

// What older weirs wrote is read, and means the same: the goldens' bytes as they are committed.
func TestGoldensAreReadAsTheyWereWritten(t *testing.T) {
	for _, k := range allKinds() {
		b := mustRead(t, sealGolden(t, k))
		events := goldenEvents(k)
		if b.Len() != len(events) {
			t.Fatalf("%s: %d rows", k, b.Len())
		}
		compare(t, events, b)
	}
}

// sealGolden seals the bytes that a golden file holds.
func sealGolden(t *testing.T, k *schema.Kind) []byte {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("testdata", k.Name+".golden"))
	if err != nil {
		t.Fatal(err)
	}
	_, dump, _ := bytes.Cut(file, []byte("\nbytes\n"))
	raw, err := hex.DecodeString(string(bytes.Join(bytes.Fields(dump), nil)))
	if err != nil {
		t.Fatal(err)
	}
	return batch.SealBytes(key, raw, weirv1.Codec_CODEC_NONE, len(raw))
}

// goldenEvents are three rows of the kind: what each column holds in them follows from its number alone, so that
// a new column leaves the others as they are.
func goldenEvents(k *schema.Kind) []event {
	var events []event
	for row := range 3 {
		e := event{
			kind: k, time: 1_000_000 + schema.BootTime(row*250), cpu: uint32(row % 2),
			process: batch.ProcessEntry{
				Key:        schema.ProcessKey{TGID: schema.TGID(1234 + row), Start: 999_000 + schema.BootTime(row), Exec: 1},
				Executable: []byte("/usr/bin/curl"), Arguments: []byte("curl\x00-s\x00"), Comm: []byte("curl"),
			},
			parent:      schema.ProcessKey{TGID: 1, Start: 10},
			credentials: batch.Credentials{CredentialIDs: batch.CredentialIDs{UID: 1000, GID: 1000, EUID: 0, EGID: 1000}, UserName: "root"},
			cgroup:      batch.Cgroup{CgroupIDs: batch.CgroupIDs{V2: 77}, Version: 2, Path: "/system.slice/ssh.service"},
			rung:        "tp_btf/some_hook",
		}
		if k.Options.GetOrigin() == weirv1.Origin_ORIGIN_KERNEL {
			e.sequence = uint64(10 + row)
		}
		for i := range k.Columns {
			e.values = append(e.values, goldenValue(&k.Columns[i], row))
		}
		events = append(events, e)
	}
	return events
}

func goldenValue(c *schema.Column, row int) value {
	n := int64(c.Number)*10 + int64(row)
	switch c.Field.GetForm() {
	case weirv1.Form_FORM_PROCESS:
		return value{process: schema.ProcessKey{TGID: schema.TGID(n), Start: 999_500}}
	case weirv1.Form_FORM_ADDRESS:
		return value{bytes: string([]byte{192, 0, 2, byte(n)})}
	case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS, weirv1.Form_FORM_DICTIONARY_ID:
		return value{bytes: fmt.Sprintf("%s %d", c.Name, row)}
	}
	switch c.Type {
	case schema.Bool:
		return value{number: int64(row % 2)}
	case schema.Enum:
		return value{number: int64(1 + row%(len(c.Labels)-1))}
	default:
		return value{number: n}
	}
}

// goldenBatch is a batch of the kind as it is before compression.
func goldenBatch(t *testing.T, k *schema.Kind) []byte {
	t.Helper()
	d := batch.NewDraft(header(), batch.DefaultLimits())
	for _, e := range goldenEvents(k) {
		fill(d, e)
	}
	var s weirv1.SealedBatch
	if err := proto.Unmarshal(mustSeal(t, d, batch.NewChain(key, run)).Record, &s); err != nil {
		t.Fatal(err)
	}
	if s.Codec == weirv1.Codec_CODEC_NONE {
		return s.Batch
	}
	raw, err := inflate(s.Batch)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// wireText shows bytes of a Batch: each field by name with the integers as they are on the wire, then the bytes.
func wireText(t *testing.T, raw []byte) string {
	t.Helper()
	var out strings.Builder
	writeMessage(&out, "", raw, (&weirv1.Batch{}).ProtoReflect().Descriptor())
	out.WriteString("\nbytes\n")
	for line := range bytesBy(raw, 32) {
		fmt.Fprintf(&out, "%x\n", line)
	}
	return out.String()
}

func bytesBy(b []byte, n int) func(func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for len(b) > 0 && yield(b[:min(n, len(b))]) {
			b = b[min(n, len(b)):]
		}
	}
}

func writeMessage(out *strings.Builder, path string, raw []byte, d protoreflect.MessageDescriptor) {
	for len(raw) > 0 {
		number, typ, n := protowire.ConsumeTag(raw)
		raw = raw[n:]
		f := d.Fields().ByNumber(number)
		name := path + string(f.Name())
		if typ == protowire.VarintType {
			v, n := protowire.ConsumeVarint(raw)
			raw = raw[n:]
			fmt.Fprintf(out, "%s %d\n", name, v)
			continue
		}
		v, n := protowire.ConsumeBytes(raw)
		raw = raw[n:]
		switch {
		case f.Message() != nil:
			writeMessage(out, name+".", v, f.Message())
		case f.Kind() == protoreflect.BytesKind || f.Kind() == protoreflect.StringKind:
			fmt.Fprintf(out, "%s %q\n", name, v)
		default:
			fmt.Fprintf(out, "%s%s\n", name, packed(f, v))
		}
	}
}

func packed(f protoreflect.FieldDescriptor, b []byte) string {
	var out strings.Builder
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		b = b[n:]
		if f.Kind() == protoreflect.Sint32Kind || f.Kind() == protoreflect.Sint64Kind {
			fmt.Fprintf(&out, " %d", protowire.DecodeZigZag(v))
		} else {
			fmt.Fprintf(&out, " %d", v)
		}
	}
	return out.String()
}
