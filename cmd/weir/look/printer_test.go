package look

import (
	"bytes"
	"crypto/ed25519"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// filled is a batch with events of one hostile process.
func filled(t *testing.T) *batch.Batch {
	t.Helper()
	d := newDraft()
	parent := d.AddProcess(batch.ProcessEntry{Key: schema.ProcessKey{TGID: 10, Start: 1}, Executable: []byte("/bin/sh")})
	process := d.AddProcess(batch.ProcessEntry{
		Key: schema.ProcessKey{TGID: 4711, Start: 2}, Parent: parent, Executable: []byte("/tmp/\x1b[31mred"),
		Arguments: []byte("red\x00two words\x00new\nline\x00"),
	})
	event := batch.Event{Process: process, Credentials: d.Credentials(batch.Credentials{UserName: "ada"})}
	at := func(kind *schema.Kind) {
		event.Kind = kind
		d.Append(event)
	}
	at(schema.ProcessExec)
	event.Time = 1_234_569
	at(schema.ProcessExit)
	exit := d.Columns().ProcessExit
	exit.Signal = append(exit.Signal, 9)
	at(schema.NetworkConnect)
	connect := d.Columns().NetworkConnect
	connect.Source = append(connect.Source, d.Address(netip.MustParseAddr("::1")))
	connect.SourcePort = append(connect.SourcePort, 4000)
	connect.Destination = append(connect.Destination, d.Address(netip.MustParseAddr("::2")))
	connect.DestinationPort = append(connect.DestinationPort, 443)
	connect.Errno = append(connect.Errno, 111)
	connect.LatencyUs = append(connect.LatencyUs, 950)
	event = batch.Event{}
	at(schema.NetworkListen)
	listen := d.Columns().NetworkListen
	listen.Address = append(listen.Address, d.Address(netip.IPv4Unspecified()))
	listen.Port = append(listen.Port, 80)
	padColumns(d, schema.ProcessExec, schema.ProcessExit, schema.NetworkConnect, schema.NetworkListen)
	return read(t, d)
}

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func newDraft() *batch.Draft {
	host := schema.NewHostID(testKey().Public().(ed25519.PublicKey))
	id := bytes.Repeat([]byte{7}, 16)
	return batch.NewDraft(&weirv1.Header{HostId: host[:], BootId: id, AttachmentId: id}, batch.DefaultLimits())
}

// read seals the draft, and reads it as a consumer would.
func read(t *testing.T, d *batch.Draft) *batch.Batch {
	t.Helper()
	sealed, err := d.Seal(batch.NewChain(testKey(), schema.RunID{1}), batch.Times{Boot: time.Unix(0, 0), Sealed: time.Unix(9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	b, err := batch.Read(sealed.Record, batch.DefaultReadLimits())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// padColumns gives the columns that the test says nothing of their one row.
func padColumns(d *batch.Draft, kinds ...*schema.Kind) {
	for _, kind := range kinds {
		group, _ := kind.In(d.Columns())
		for _, c := range kind.Columns {
			switch v := c.Values(group); {
			case v.Len() > 0:
			case v.Uint32 != nil:
				*v.Uint32 = []uint32{0}
			case v.Uint64 != nil:
				*v.Uint64 = []uint64{0}
			case v.Int32 != nil:
				*v.Int32 = []int32{0}
			case v.Int64 != nil:
				*v.Int64 = []int64{0}
			case v.Bool != nil:
				*v.Bool = []bool{false}
			}
		}
	}
}

func TestPrinterShowsWhatHappenedWithoutControlCharacters(t *testing.T) {
	var out strings.Builder
	if err := NewPrinter(&out, 0).Batch(filled(t)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), " ") // without the time, which is the reader's
		got = append(got, strings.Join(strings.Fields(rest), " "))
	}
	want := []string{
		`process.exec 4711 10 ada /tmp/\x1b[31mred red two words new\nline`,
		`process.exit 4711 10 ada /tmp/\x1b[31mred SIGKILL after 1.23s`,
		`network.connect 4711 10 ada /tmp/\x1b[31mred [::1]:4000 → [::2]:443 ECONNREFUSED after 950µs`,
		`network.listen 0.0.0.0:80`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("printed lines (-want +got):\n%s", diff)
	}
}

func TestPrinterFitsATerminal(t *testing.T) {
	var out strings.Builder
	p := NewPrinter(&out, 120)
	if err := p.Header(); err != nil {
		t.Fatal(err)
	}
	if err := p.Batch(filled(t)); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 120 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
}

func TestSizesAndDurationsHaveThreeDigits(t *testing.T) {
	for us, want := range map[uint64]string{0: "0s", 950: "950µs", 12_345: "12.3ms", 1_234_567: "1.23s", 61_000_000: "1m1s"} {
		if got := duration(us); got != want {
			t.Errorf("duration(%d) = %s, want %s", us, got, want)
		}
	}
	for bytes, want := range map[uint64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 30: "5.0 GiB"} {
		if got := size(bytes); got != want {
			t.Errorf("size(%d) = %s, want %s", bytes, got, want)
		}
	}
}
