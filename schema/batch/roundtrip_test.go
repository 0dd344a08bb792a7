package batch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// What goes in comes out: every kind, in every order, in batches of every size, by one draft that is used again
// and again.
func TestWhatGoesInComesOut(t *testing.T) {
	kinds := allKinds()
	g := newGenerator(1)
	d := batch.NewDraft(header(), batch.DefaultLimits())
	c := batch.NewChain(key, run)
	for _, size := range []int{0, 1, 2, 3, 10, 300, 0, 1, 50, 1000, 7} {
		events := make([]event, size)
		for i := range events {
			events[i] = g.event(kinds[:1+g.IntN(len(kinds))])
			fill(d, events[i])
		}
		b := mustRead(t, mustSeal(t, d, c).Record)
		if b.Len() != size {
			t.Fatalf("%d rows of %d", b.Len(), size)
		}
		compare(t, events, b)
	}
}

func TestEveryKindAloneComesOut(t *testing.T) {
	for _, k := range allKinds() {
		g := newGenerator(uint64(k.Number))
		d := batch.NewDraft(header(), batch.DefaultLimits())
		events := []event{g.event([]*schema.Kind{k}), g.event([]*schema.Kind{k})}
		for _, e := range events {
			fill(d, e)
		}
		compare(t, events, mustRead(t, mustSeal(t, d, batch.NewChain(key, run)).Record))
	}
}

func compare(t *testing.T, events []event, b *batch.Batch) {
	t.Helper()
	for row := range b.Rows() {
		want, got := plain(events[row.Index]), plainRow(b, row)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("row %d of %d: %s", row.Index, len(events), diff)
		}
	}
}

// plain tells an event as text, field by field.
func plain(e event) map[string]string {
	m := map[string]string{
		"kind":        e.kind.Name,
		"at":          fmt.Sprint(e.time, " ", times.Boot.Add(time.Duration(e.time)*time.Microsecond).UTC()),
		"cpu":         fmt.Sprint(e.cpu, " ", e.sequence),
		"thread":      fmt.Sprint(e.thread),
		"credentials": fmt.Sprintf("%v", e.credentials),
		"cgroup":      fmt.Sprintf("%v", e.cgroup),
		"rung":        e.rung,
		"self test":   fmt.Sprint(e.selfTest),
		"process":     fmt.Sprint(e.process.Key),
	}
	for i := range e.kind.Columns {
		m[e.kind.Columns[i].Name] = fmt.Sprintf("%d %q %v", e.values[i].number, e.values[i].bytes, e.values[i].process)
	}
	return m
}

func plainRow(b *batch.Batch, row batch.Row) map[string]string {
	c := b.Proto().GetCommon()
	m := map[string]string{
		"kind":        b.KindName(row),
		"at":          fmt.Sprint(b.BootTime(row.Index), " ", b.Time(row.Index)),
		"cpu":         fmt.Sprint(schema.At(c.GetCpu(), row.Index), " ", schema.At(c.GetSequence(), row.Index)),
		"thread":      fmt.Sprint(schema.At(c.GetThread(), row.Index)),
		"credentials": fmt.Sprintf("%v", credentialsOf(b, schema.At(c.GetCredentials(), row.Index))),
		"cgroup":      fmt.Sprintf("%v", cgroupOf(b, schema.At(c.GetCgroup(), row.Index))),
		"rung":        rungOf(b, schema.At(c.GetRung(), row.Index)),
		"self test":   fmt.Sprint(schema.At(c.GetSelfTest(), row.Index)),
		"process":     fmt.Sprint(keyOf(b, uint32(schema.At(c.GetProcess(), row.Index)))),
	}
	group, _ := row.Kind.In(b.Proto())
	for i := range row.Kind.Columns {
		column := &row.Kind.Columns[i]
		m[column.Name] = plainValue(b, column, column.Values(group).Int(row.GroupRow))
	}
	return m
}

func plainValue(b *batch.Batch, c *schema.Column, n int64) string {
	v := value{}
	switch c.Field.GetForm() {
	case weirv1.Form_FORM_PROCESS:
		v.process = keyOf(b, uint32(n))
	case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS, weirv1.Form_FORM_DICTIONARY_ID, weirv1.Form_FORM_ADDRESS:
		v.bytes = string(b.Text(uint32(n)))
	default:
		v.number = n
	}
	return fmt.Sprintf("%d %q %v", v.number, v.bytes, v.process)
}

func keyOf(b *batch.Batch, index uint32) schema.ProcessKey {
	if index == 0 {
		return schema.ProcessKey{}
	}
	p, i := b.Proto().GetProcesses(), int(index-1)
	return schema.ProcessKey{
		TGID: schema.TGID(p.GetTgid()[i]), Start: schema.BootTime(p.GetStartUs()[i]), Exec: schema.At(p.GetExecCount(), i),
	}
}

func credentialsOf(b *batch.Batch, index uint32) batch.Credentials {
	c, i := b.Proto().GetCredentials(), int(index-1)
	return batch.Credentials{
		CredentialIDs: batch.CredentialIDs{
			UID: schema.At(c.GetUid(), i), GID: schema.At(c.GetGid(), i), EUID: schema.At(c.GetEuid(), i),
			EGID: schema.At(c.GetEgid(), i), Effective: schema.At(c.GetEffective(), i),
		},
		UserName:  string(b.Text(schema.At(c.GetUserName(), i))),
		GroupName: string(b.Text(schema.At(c.GetGroupName(), i))),
	}
}

func cgroupOf(b *batch.Batch, index uint32) batch.Cgroup {
	c, i := b.Proto().GetCgroups(), int(index-1)
	return batch.Cgroup{
		CgroupIDs:        batch.CgroupIDs{V2: schema.At(c.GetId(), i)},
		Version:          schema.At(c.GetVersion(), i),
		Path:             string(b.Text(schema.At(c.GetPath(), i))),
		PathCut:          schema.At(c.GetPathCut(), i),
		ContainerID:      string(b.Text(schema.At(c.GetContainerId(), i))),
		ContainerRuntime: string(b.Text(schema.At(c.GetContainerRuntime(), i))),
		OuterContainerID: string(b.Text(schema.At(c.GetOuterContainerId(), i))),
		ContainerOwner:   schema.At(c.GetContainerOwner(), i),
		Orchestrator:     string(b.Text(schema.At(c.GetOrchestrator(), i))),
		Workload:         string(b.Text(schema.At(c.GetWorkload(), i))),
	}
}

func rungOf(b *batch.Batch, index uint32) string {
	if index == 0 {
		return ""
	}
	return string(b.Text(b.Proto().GetRungs().GetName()[index-1]))
}

// Entries of the process table keep all that they were given, and their parents.
func TestProcessEntriesComeOutWhole(t *testing.T) {
	d := batch.NewDraft(header(), batch.DefaultLimits())
	parent := d.AddProcess(batch.ProcessEntry{Key: schema.ProcessKey{TGID: 1}})
	d.AddProcess(batch.ProcessEntry{
		Key: schema.ProcessKey{TGID: 5, Start: 6, Exec: 7}, Parent: parent, Creator: parent,
		Executable: []byte("/x"), Arguments: []byte("x\x00"), Comm: []byte("x"), ExecutableCut: true, ArgumentsCut: true,
		NamespaceTGID: 10, PIDNamespace: 11, MountNamespace: 12, NetworkNamespace: 13, UserNamespace: 14,
		LoginUIDPlus1: 15, AuditPlus1: 16, TTY: 17, SessionLeader: 18, Knowledge: weirv1.Knowledge_KNOWLEDGE_ITERATOR,
	})
	got := mustRead(t, mustSeal(t, d, batch.NewChain(key, run)).Record).Proto().GetProcesses()
	want := &weirv1.Processes{
		Tgid: []int32{1, 5}, StartUs: []int64{0, 6}, ExecCount: []uint32{0, 7}, Parent: []int32{0, 1}, Creator: []uint32{0, 1},
		Executable: []uint32{0, 1}, Arguments: []int32{0, 2}, Comm: []uint32{0, 3},
		ExecutableCut: []bool{false, true}, ArgumentsCut: []bool{false, true}, NamespaceTgid: []uint32{0, 10},
		PidNamespace: []uint32{0, 11}, MountNamespace: []uint32{0, 12}, NetworkNamespace: []uint32{0, 13},
		UserNamespace: []uint32{0, 14}, LoginUid: []uint32{0, 15}, AuditSession: []uint32{0, 16}, Tty: []uint32{0, 17},
		Session: []uint32{0, 18}, Knowledge: []weirv1.Knowledge{0, weirv1.Knowledge_KNOWLEDGE_ITERATOR},
	}
	if !proto.Equal(want, got) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// An ancestor that is only a key is completed when an event names it, and what is known is not forgotten.
func TestAKeyBecomesAnEntry(t *testing.T) {
	d := batch.NewDraft(header(), batch.DefaultLimits())
	k := schema.ProcessKey{TGID: 5, Start: 6}
	onlyKey := batch.ProcessEntry{Key: k, Knowledge: weirv1.Knowledge_KNOWLEDGE_KEY}
	whole := batch.ProcessEntry{Key: k, Executable: []byte("/x")}
	for i, e := range []batch.ProcessEntry{onlyKey, whole, onlyKey} {
		if index := d.AddProcess(e); index != 1 {
			t.Errorf("entry %d is at %d", i, index)
		}
	}
	p := mustRead(t, mustSeal(t, d, batch.NewChain(key, run)).Record).Proto().GetProcesses()
	if !cmp.Equal(p.GetExecutable(), []uint32{1}) || len(p.GetKnowledge()) > 0 {
		t.Errorf("got %v", p)
	}
}

func TestADraftIsFullBySizeOrAge(t *testing.T) {
	limits := batch.Limits{Rows: 3, Bytes: 10_000, Age: time.Second}
	const begin = 5_000_000
	for name, c := range map[string]struct {
		rows int
		text int
		now  schema.BootTime
		full bool
	}{
		"empty is never full":   {0, 0, 1 << 60, false},
		"young and small":       {2, 10, begin + 999_999, false},
		"as old as the limit":   {1, 10, begin + 1_000_000, true},
		"as many as the limit":  {3, 10, begin, true},
		"as large as the limit": {1, 10_000, begin, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := batch.NewDraft(header(), limits)
			for range c.rows {
				d.Append(batch.Event{Kind: schema.WeirStopped, Time: 77})
				d.Full(begin)
			}
			d.Text(make([]byte, c.text))
			if full := d.Full(c.now); full != c.full {
				t.Errorf("full is %v", full)
			}
			if due, ok := d.Due(); ok != (c.rows > 0) || ok && due != begin+1_000_000 {
				t.Errorf("due at %d, %v", due, ok)
			}
		})
	}
}

// A collector that starts again reads a ring of events that are minutes old.
func TestOldEventsShareABatch(t *testing.T) {
	d := batch.NewDraft(header(), batch.DefaultLimits())
	for i := range 50 {
		d.Append(batch.Event{Kind: schema.ProcessExit, Time: schema.BootTime(1000 + i)})
		if d.Full(600_000_000) {
			t.Fatalf("full with %d events", d.Rows())
		}
	}
}

func TestRaggedColumnsAreNotSealed(t *testing.T) {
	d := batch.NewDraft(header(), batch.DefaultLimits())
	c := batch.NewChain(key, run)
	d.Append(batch.Event{Kind: schema.WeirStopped})
	_, err := d.Seal(c, times)
	const want = "seal batch 1: column weir_stopped.reason: 0 values for 1 rows"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if c.Next() != 1 || !d.Empty() {
		t.Errorf("the chain is at %d, the draft has %d rows", c.Next(), d.Rows())
	}
	mustRead(t, mustSeal(t, d, c).Record)
}

// Header.last_sequence counts what gave no row too, and goes on over batches.
func TestTheHeaderTellsTheLastSampleOfEachCPU(t *testing.T) {
	d := batch.NewDraft(header(), batch.DefaultLimits())
	c := batch.NewChain(key, run)
	d.Sample(2, 40)
	d.Sample(2, 39) // the reader accepts n+1 before n
	if got := mustRead(t, mustSeal(t, d, c).Record).Header().GetLastSequence(); !cmp.Equal(got, []uint64{0, 0, 40}) {
		t.Errorf("got %v", got)
	}
	d.Sample(0, 7)
	if got := mustRead(t, mustSeal(t, d, c).Record).Header().GetLastSequence(); !cmp.Equal(got, []uint64{7, 0, 40}) {
		t.Errorf("got %v", got)
	}
}
