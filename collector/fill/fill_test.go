package fill

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/collector/process"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

type passwd struct{}

func (passwd) User(uid uint32, _ time.Time) string {
	if uid == 1000 {
		return "ada"
	}
	return ""
}

func (passwd) Group(uint32, time.Time) string { return "staff" }

type noGroups struct{}

func (noGroups) Cgroup(bpf.CgroupKey) (bpf.CgroupPath, bool) { return bpf.CgroupPath{}, false }

// bench is a filler with what it fills, and a way to read it back as a consumer would.
type bench struct {
	*Filler
	draft *batch.Draft
	table *process.Table
}

func testKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)) }

func newBench(events ...*schema.Kind) *bench {
	host := schema.NewHostID(testKey().Public().(ed25519.PublicKey))
	header := &weirv1.Header{HostId: host[:], BootId: bytes.Repeat([]byte{2}, 16), AttachmentId: bytes.Repeat([]byte{3}, 16)}
	draft := batch.NewDraft(header, batch.DefaultLimits())
	table := process.NewTable(1 << 20)
	return &bench{New(draft, table, Config{Events: events, Rungs: map[bpf.Kind]string{bpf.KindProcessExit: "tp_btf/x"}, Names: passwd{}, Cgroups: noGroups{}}), draft, table}
}

func (b *bench) read(t *testing.T) *batch.Batch {
	t.Helper()
	sealed, err := b.draft.Seal(batch.NewChain(testKey(), schema.RunID{1}), batch.Times{Boot: time.Unix(0, 0), Sealed: time.Unix(9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	read, err := batch.Read(sealed.Record, batch.DefaultReadLimits())
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func head(kind bpf.Kind, key bpf.ProcessKey) bpf.Head {
	return bpf.Head{Kind: uint16(kind), Sequence: 1, TimeNs: 5_000_000, Actor: bpf.Actor{
		Key: key, Tid: key.Tgid, Uid: 1000, Gid: 100, Euid: 1000, Egid: 100, Cgroups: bpf.CgroupIDs{V2: 77},
	}}
}

var (
	initKey  = bpf.ProcessKey{Tgid: 1, StartNs: 1000, ExecCount: 1}
	shellKey = bpf.ProcessKey{Tgid: 10, StartNs: 2_000_000, ExecCount: 3}
	childKey = bpf.ProcessKey{Tgid: 11, StartNs: 3_000_000, ExecCount: 3}
)

func seed(b *bench, key, parent bpf.ProcessKey, path string) {
	e := process.Entry{Key: KeyOf(key), Parent: KeyOf(parent), Executable: []byte(path), LoginUID: process.NoLogin, AuditSession: process.NoLogin}
	b.table.Seed(e)
}

func texts(b *batch.Batch, column []uint32) []string {
	var all []string
	for _, index := range column {
		all = append(all, string(b.Text(index)))
	}
	return all
}

func TestAnEventsBatchHasItsProcessItsParentAndTheGrandparentsKey(t *testing.T) {
	b := newBench(schema.ProcessExit)
	seed(b, initKey, bpf.ProcessKey{}, "/sbin/init")
	seed(b, shellKey, initKey, "/bin/sh")
	seed(b, childKey, shellKey, "/bin/ls")
	b.Exit(&bpf.ExitSample{Head: head(bpf.KindProcessExit, childKey), ExitCode: 3})

	read := b.read(t)
	p := read.Proto().Processes
	got := map[string]any{}
	for i, path := range texts(read, p.Executable) {
		got[path] = []any{p.Tgid[i], p.Knowledge[i].String()}
	}
	want := map[string]any{
		"/bin/ls": []any{int32(11), "KNOWLEDGE_UNSPECIFIED"},
		"/bin/sh": []any{int32(10), "KNOWLEDGE_UNSPECIFIED"},
		"":        []any{int32(1), "KNOWLEDGE_KEY"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("process entries (-want +got):\n%s", diff)
	}
}

func TestAnAncestorThatActsLaterInTheBatchIsWhole(t *testing.T) {
	b := newBench(schema.ProcessExit)
	seed(b, initKey, bpf.ProcessKey{}, "/sbin/init")
	seed(b, shellKey, initKey, "/bin/sh")
	seed(b, childKey, shellKey, "/bin/ls")
	b.Exit(&bpf.ExitSample{Head: head(bpf.KindProcessExit, childKey)})
	b.Exit(&bpf.ExitSample{Head: head(bpf.KindProcessExit, initKey)})

	read := b.read(t)
	actor := read.Proto().Common.Process[1]
	if got := string(read.Text(read.Proto().Processes.Executable[actor-1])); got != "/sbin/init" {
		t.Errorf("executable of the second event's process: %q, want /sbin/init", got)
	}
}

func TestAnEventWithoutAnActorNamesNobody(t *testing.T) {
	b := newBench(schema.NetworkClose)
	s := &bpf.CloseSample{Head: bpf.Head{Kind: uint16(bpf.KindNetworkClose), Sequence: 1}}
	s.Connection = connection("10.0.0.1:80", "10.0.0.2:4000")
	s.Direction = uint8(bpf.DirectionInbound)
	b.Close(s)

	read := b.read(t)
	common := read.Proto().Common
	if schema.At(common.Process, 0) != 0 || schema.At(common.Credentials, 0) != 0 || schema.At(common.Cgroup, 0) != 0 {
		t.Errorf("process %v, credentials %v, cgroup %v; want none", common.Process, common.Credentials, common.Cgroup)
	}
	c := read.Proto().NetworkClose
	got := []any{read.Address(c.Source[0]), c.SourcePort[0], read.Address(c.Destination[0]), c.DestinationPort[0]}
	want := []any{netip.MustParseAddr("10.0.0.2"), uint32(4000), netip.MustParseAddr("10.0.0.1"), uint32(80)}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("the source of an inbound connection is the other end (-want +got):\n%s", diff)
	}
}

func TestAConnectSaysHowItEndedOnce(t *testing.T) {
	b := newBench(schema.NetworkConnect)
	for _, result := range []bpf.ConnectResult{bpf.ConnectAnswered, bpf.ConnectFailed, bpf.ConnectAbandoned, bpf.ConnectPending} {
		s := &bpf.ConnectSample{Head: head(bpf.KindNetworkConnect, shellKey), Connection: connection("10.0.0.1:4000", "10.0.0.2:80"), Result: uint32(result)}
		s.Head.Actor.NetworkNamespace, s.Connection.NetworkNamespace = 7, 8
		b.Connect(s)
	}
	c := b.read(t).Proto().NetworkConnect
	got := [][]bool{c.FailedUnknown, c.Abandoned, c.Pending}
	want := [][]bool{{false, true, false, false}, {false, false, true, false}, {false, false, false, true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]uint32{7, 7, 7, 7}, c.ActorNamespace); diff != "" {
		t.Error(diff)
	}
}

func connection(local, remote string) bpf.Connection {
	c := bpf.Connection{Family: 2}
	l, r := netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	c.Local[0] = binary.NativeEndian.Uint32(l.Addr().AsSlice())
	c.Remote[0] = binary.NativeEndian.Uint32(r.Addr().AsSlice())
	c.LocalPort, c.RemotePort = l.Port(), r.Port()
	return c
}

func TestAForkThatIsNotConfiguredFeedsTheTableAlone(t *testing.T) {
	b := newBench(schema.ProcessExit)
	seed(b, shellKey, initKey, "/bin/sh")
	s := &bpf.ForkSample{Head: head(bpf.KindProcessFork, shellKey), Child: childKey}
	s.Facts.Parent = shellKey
	b.Fork(s)
	if got := b.Counts(schema.ProcessFork); b.draft.Rows() != 0 || got != (Counts{Absorbed: 1}) {
		t.Errorf("%d rows, counts %+v; want none, and one absorbed", b.draft.Rows(), got)
	}
	child, ok := b.table.Lookup(KeyOf(childKey))
	if !ok || string(child.Executable) != "/bin/sh" || !child.Creator.IsZero() {
		t.Errorf("child in the table: %+v, %v", child, ok)
	}
}

func TestTheCreatorIsToldWhereItIsNotTheParent(t *testing.T) {
	b := newBench(schema.ProcessFork)
	seed(b, shellKey, initKey, "/bin/sh")
	seed(b, initKey, bpf.ProcessKey{}, "/sbin/init")
	s := &bpf.ForkSample{Head: head(bpf.KindProcessFork, shellKey), Child: childKey}
	s.Facts.Parent = initKey // CLONE_PARENT
	b.Fork(s)
	read := b.read(t)
	p := read.Proto().Processes
	child := read.Proto().ProcessFork.Child[0] - 1
	if creator, parent := p.Creator[child], p.Parent[child]; p.Tgid[creator-1] != 10 || p.Tgid[parent-1] != 1 {
		t.Errorf("creator %d, parent %d; want 10 and 1", p.Tgid[creator-1], p.Tgid[parent-1])
	}
}

func TestNamespacesAreToldWhereTheyAreNotTheInitialOnes(t *testing.T) {
	b := newBench(schema.ProcessExit)
	first := &bpf.ProcessSample{Head: head(bpf.KindNone, bpf.ProcessKey{Tgid: kthreadd, StartNs: 1000})}
	first.Head.Size = uint32(unsafe.Sizeof(*first))
	first.Facts = bpf.ProcessFacts{NamespaceTgid: 1, PidNamespace: 100, MountNamespace: 101, NetworkNamespace: 102, UserNamespace: 103}
	b.Process(first)
	s := &bpf.ForkSample{Head: head(bpf.KindProcessFork, initKey), Child: childKey}
	s.Facts = bpf.ProcessFacts{NamespaceTgid: 2, PidNamespace: 200, MountNamespace: 101, NetworkNamespace: 202, UserNamespace: 103}
	b.Fork(s)
	got, _ := b.table.Lookup(KeyOf(childKey))
	want := &process.Entry{Key: KeyOf(childKey), Creator: KeyOf(initKey), NamespaceTGID: 2, PIDNamespace: 200, NetworkNamespace: 202}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("child (-want +got):\n%s", diff)
	}
}

func TestFirstArguments(t *testing.T) {
	long := strings.Repeat("a", 300)
	for name, tt := range map[string]struct {
		all   string
		total uint32
		want  string
		cut   bool
	}{
		"short ones are kept":                        {"ls\x00-l\x00", 6, "ls\x00-l\x00", false},
		"what the kernel cut is cut here too":        {"ls\x00", 5000, "ls\x00", true},
		"an argument that does not fit is left out":  {"cat\x00" + long + "\x00", 305, "cat\x00", true},
		"of a first that does not fit the beginning": {long + "\x00", 301, long[:256], true},
		"none": {"", 0, "", false},
	} {
		got, cut := firstArguments([]byte(tt.all), len(tt.all) < int(tt.total))
		if string(got) != tt.want || cut != tt.cut {
			t.Errorf("%s: %q, %v; want %q, %v", name, got, cut, tt.want, tt.cut)
		}
	}
}

// BenchmarkExit is the way of the smallest sample to a row.
func BenchmarkExit(b *testing.B) {
	f := newBench(schema.ProcessExit)
	seed(f, shellKey, initKey, "/bin/sh")
	seed(f, childKey, shellKey, "/bin/ls")
	chain := batch.NewChain(testKey(), schema.RunID{1})
	s := &bpf.ExitSample{Head: head(bpf.KindProcessExit, childKey)}
	b.ReportAllocs()
	for b.Loop() {
		f.Exit(s)
		if f.draft.Rows() == 1000 {
			if _, err := f.draft.Seal(chain, batch.Times{}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
