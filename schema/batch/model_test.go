package batch_test

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

var (
	key   = ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes, yes."))
	run   = schema.RunID{0xee, 15: 1}
	times = batch.Times{Boot: time.UnixMicro(1_700_000_000_000_000), Sealed: time.UnixMicro(1_700_000_500_000_000)}
)

func header() *weirv1.Header {
	host := schema.NewHostID(key.Public().(ed25519.PublicKey))
	boot, attachment := schema.BootID{1, 15: 2}, schema.AttachmentID{3, 15: 4}
	return &weirv1.Header{
		HostId: host[:], BootId: boot[:], AttachmentId: attachment[:],
		Hostname: "weir-1", Kernel: "6.1.0", WeirVersion: "test",
	}
}

// event is an event in the slowest and plainest form: nothing is shared, nothing is an index.
type event struct {
	kind        *schema.Kind
	time        schema.BootTime
	cpu         uint32
	sequence    uint64
	process     batch.ProcessEntry // its zero key: not known
	parent      schema.ProcessKey
	thread      int32
	credentials batch.Credentials
	cgroup      batch.Cgroup
	rung        string
	selfTest    bool
	values      []value // one a column of the kind
}

// value is a column's: bytes where the column leads into the dictionary, a process where it leads there.
type value struct {
	number  int64
	bytes   string
	process schema.ProcessKey
}

// generator makes events that are as unlike as their types allow.
type generator struct {
	*rand.Rand
	sequences [4]uint64
	now       schema.BootTime
}

func newGenerator(seed uint64) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, 7)), now: 1 << 40}
}

func (g *generator) event(kinds []*schema.Kind) event {
	g.now += schema.BootTime(g.IntN(2000)) - 100 // ring order is not quite the order of time
	e := event{
		kind:        kinds[g.IntN(len(kinds))],
		time:        g.now,
		cpu:         uint32(g.IntN(len(g.sequences))),
		thread:      int32(g.IntN(7) - 2),
		credentials: g.credentials(),
		cgroup:      g.cgroup(),
		rung:        g.pick("", "tp_btf/sched_process_exec", "kprobe/tcp_connect+kretprobe/tcp_connect"),
		selfTest:    g.IntN(9) == 0,
	}
	if e.kind.Options.GetOrigin() == weirv1.Origin_ORIGIN_KERNEL {
		// Mostly the next number; sometimes a jump, seldom one back.
		g.sequences[e.cpu] += [...]uint64{1, 1, 1, 1, 1, 1, 2, 900, 1 << 33}[g.IntN(9)]
		e.sequence = g.sequences[e.cpu] - min(g.sequences[e.cpu]-1, uint64(g.IntN(2)))
	}
	if g.IntN(8) > 0 {
		e.process = g.process()
		e.parent = g.key()
	}
	for i := range e.kind.Columns {
		e.values = append(e.values, g.value(&e.kind.Columns[i]))
	}
	return e
}

func (g *generator) pick(of ...string) string { return of[g.IntN(len(of))] }

func (g *generator) key() schema.ProcessKey {
	n := 1 + g.IntN(40)
	return schema.ProcessKey{TGID: schema.TGID(n * 97), Start: schema.BootTime(n * 1_000_003), Exec: uint32(g.IntN(3))}
}

// process is always the same one for the same key.
func (g *generator) process() batch.ProcessEntry {
	k := g.key()
	return batch.ProcessEntry{
		Key:           k,
		Executable:    fmt.Appendf(nil, "/usr/bin/program-%d", k.TGID%5),
		Arguments:     fmt.Appendf(nil, "program\x00--exec\x00%d\x00", k.Exec),
		Comm:          []byte("program"),
		ArgumentsCut:  k.Exec == 2,
		NamespaceTGID: uint32(k.TGID % 3),
		LoginUIDPlus1: uint32(k.TGID % 2),
		SessionLeader: 97,
		Knowledge:     weirv1.Knowledge(k.TGID % 3),
	}
}

func (g *generator) credentials() batch.Credentials {
	uid := uint32(g.IntN(3)) * 1000
	return batch.Credentials{
		CredentialIDs: batch.CredentialIDs{UID: uid, GID: uid, EUID: uid, EGID: uid, Effective: uint64(g.IntN(2)) << 40},
		UserName:      fmt.Sprintf("user%d", uid),
		GroupName:     "users",
	}
}

func (g *generator) cgroup() batch.Cgroup {
	n := g.IntN(3)
	return batch.Cgroup{
		CgroupIDs: batch.CgroupIDs{V2: uint64(n) << 33}, Version: 2, Path: fmt.Sprintf("/a.slice/scope-%d", n), PathCut: n == 1,
		ContainerRuntime: "containerd", OuterContainerID: "outer", ContainerOwner: uint32(n), Orchestrator: "ecs", Workload: "task",
	}
}

func (g *generator) value(c *schema.Column) value {
	switch c.Field.GetForm() {
	case weirv1.Form_FORM_PROCESS:
		return value{process: g.key()}
	case weirv1.Form_FORM_ADDRESS:
		return value{bytes: g.address()}
	case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS, weirv1.Form_FORM_DICTIONARY_ID:
		return value{bytes: g.text()}
	}
	switch c.Type {
	case schema.Bool:
		return value{number: int64(g.IntN(2))}
	case schema.Enum:
		return value{number: int64(g.IntN(len(c.Labels)))}
	default:
		return value{number: [...]int64{0, 0, 1, 22, 443, 1<<32 - 1}[g.IntN(6)]}
	}
}

func (g *generator) address() string {
	switch g.IntN(3) {
	case 0:
		return ""
	case 1:
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(g.IntN(9))}).As4()
		return string(a[:])
	default:
		a := netip.MustParseAddr("2001:db8::1").As16()
		a[15] = byte(g.IntN(9))
		return string(a[:])
	}
}

// text is any bytes, of any length that a kernel gives.
func (g *generator) text() string {
	switch g.IntN(4) {
	case 0:
		return ""
	case 1:
		return g.pick("/etc/passwd", "a\x00b\x00", "\xff\xfe not UTF-8", "\n\x1b[31m")
	default:
		b := make([]byte, g.IntN(4096)>>g.IntN(12))
		for i := range b {
			b[i] = byte(g.Uint32())
		}
		return string(b)
	}
}

// fill appends the event to a draft, as a filler does.
func fill(d *batch.Draft, e event) {
	var process uint32
	if !e.process.Key.IsZero() {
		entry := e.process
		if !e.parent.IsZero() {
			entry.Parent = d.AddProcess(batch.ProcessEntry{Key: e.parent, Knowledge: weirv1.Knowledge_KNOWLEDGE_KEY})
		}
		process = d.AddProcess(entry)
	}
	d.Append(batch.Event{
		Kind: e.kind, Time: e.time, CPU: e.cpu, Sequence: e.sequence, Process: process, Thread: e.thread,
		Credentials: d.Credentials(e.credentials), Cgroup: d.Cgroup(e.cgroup), Rung: d.Rung(e.rung), SelfTest: e.selfTest,
	})
	group, ok := e.kind.In(d.Columns())
	if !ok {
		panic(fmt.Sprintf("a draft has no group of %s", e.kind))
	}
	for i := range e.kind.Columns {
		c := &e.kind.Columns[i]
		appendValue(c.Values(group), wireNumber(d, c, e.values[i]))
	}
}

func wireNumber(d *batch.Draft, c *schema.Column, v value) int64 {
	switch c.Field.GetForm() {
	case weirv1.Form_FORM_PROCESS:
		return int64(d.AddProcess(batch.ProcessEntry{Key: v.process, Knowledge: weirv1.Knowledge_KNOWLEDGE_KEY}))
	case weirv1.Form_FORM_ADDRESS:
		address, _ := netip.AddrFromSlice([]byte(v.bytes))
		return int64(d.Address(address))
	case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS, weirv1.Form_FORM_DICTIONARY_ID:
		return int64(d.Text([]byte(v.bytes)))
	default:
		return v.number
	}
}

func appendValue(v schema.Values, n int64) {
	switch {
	case v.Uint32 != nil:
		*v.Uint32 = append(*v.Uint32, uint32(n))
	case v.Uint64 != nil:
		*v.Uint64 = append(*v.Uint64, uint64(n))
	case v.Int32 != nil:
		*v.Int32 = append(*v.Int32, int32(n))
	case v.Int64 != nil:
		*v.Int64 = append(*v.Int64, n)
	default:
		*v.Bool = append(*v.Bool, n != 0)
	}
}

func allKinds() []*schema.Kind {
	var all []*schema.Kind
	for k := range schema.Kinds() {
		all = append(all, k)
	}
	return all
}

func mustSeal(t testing.TB, d *batch.Draft, c *batch.Chain) batch.Sealed {
	t.Helper()
	s, err := d.Seal(c, times)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustRead(t testing.TB, record []byte) *batch.Batch {
	t.Helper()
	b, err := batch.Read(record, batch.DefaultReadLimits())
	if err != nil {
		t.Fatal(err)
	}
	return b
}
