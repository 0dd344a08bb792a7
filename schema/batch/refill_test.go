package batch_test

import (
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// refiller does to a draft what fillers do, with the events of batches that were read: each process, text and
// address is looked up by what it is.
type refiller struct {
	d       *batch.Draft
	source  *batch.Batch
	columns [1000][]refilled // of source, by the kind's number
	rungs   []string         // of source
}

type refilled struct {
	form     weirv1.Form
	from, to schema.Values
}

// use makes b the batch that rows come from.
func (r *refiller) use(b *batch.Batch) {
	r.source, r.rungs = b, r.rungs[:0]
	for i := range b.Proto().GetRungs().GetName() {
		r.rungs = append(r.rungs, rungOf(b, uint32(i+1)))
	}
	for k := range schema.Kinds() {
		from, ok := k.In(b.Proto())
		if !ok {
			from = k.New()
		}
		to, _ := k.In(r.d.Columns())
		columns := r.columns[k.Number][:0]
		for i := range k.Columns {
			c := &k.Columns[i]
			columns = append(columns, refilled{c.Field.GetForm(), c.Values(from), c.Values(to)})
		}
		r.columns[k.Number] = columns
	}
}

func (r *refiller) row(row batch.Row) {
	common := r.source.Proto().GetCommon()
	i := row.Index
	r.d.Append(batch.Event{
		Kind:        row.Kind,
		Time:        r.source.BootTime(i),
		CPU:         schema.At(common.GetCpu(), i),
		Sequence:    uint64(schema.At(common.GetSequence(), i)),
		Process:     r.process(uint32(schema.At(common.GetProcess(), i))),
		Thread:      schema.At(common.GetThread(), i),
		Credentials: r.credentials(schema.At(common.GetCredentials(), i)),
		Cgroup:      r.cgroup(schema.At(common.GetCgroup(), i)),
		Rung:        r.rung(schema.At(common.GetRung(), i)),
		SelfTest:    schema.At(common.GetSelfTest(), i),
	})
	columns := r.columns[row.Kind.Number]
	for j := range columns {
		r.value(&columns[j], row.GroupRow)
	}
}

func (r *refiller) value(c *refilled, row int) {
	switch {
	case c.to.Uint32 != nil:
		*c.to.Uint32 = append(*c.to.Uint32, r.index(c.form, schema.At(*c.from.Uint32, row)))
	case c.to.Uint64 != nil:
		*c.to.Uint64 = append(*c.to.Uint64, schema.At(*c.from.Uint64, row))
	case c.to.Int32 != nil:
		*c.to.Int32 = append(*c.to.Int32, schema.At(*c.from.Int32, row))
	case c.to.Int64 != nil:
		*c.to.Int64 = append(*c.to.Int64, schema.At(*c.from.Int64, row))
	default:
		*c.to.Bool = append(*c.to.Bool, schema.At(*c.from.Bool, row))
	}
}

func (r *refiller) index(form weirv1.Form, n uint32) uint32 {
	switch form {
	case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS, weirv1.Form_FORM_ADDRESS, weirv1.Form_FORM_DICTIONARY_ID:
		return r.d.Text(r.source.Text(n))
	case weirv1.Form_FORM_PROCESS:
		return r.process(n)
	default:
		return n
	}
}

func (r *refiller) process(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	k := keyOf(r.source, n)
	p, i := r.source.Proto().GetProcesses(), int(n-1)
	if index, ok := r.d.Process(k); ok && !r.knowsMore(index, schema.At(p.GetKnowledge(), i)) {
		return index
	}
	text := func(column []uint32) []byte { return r.source.Text(schema.At(column, i)) }
	return r.d.AddProcess(batch.ProcessEntry{
		Key: k, Parent: r.process(schema.At(p.GetParent(), i)), Creator: r.process(schema.At(p.GetCreator(), i)),
		Executable: text(p.GetExecutable()), Arguments: text(p.GetArguments()), Comm: text(p.GetComm()),
		ExecutableCut: schema.At(p.GetExecutableCut(), i), ArgumentsCut: schema.At(p.GetArgumentsCut(), i),
		NamespaceTGID: schema.At(p.GetNamespaceTgid(), i), PIDNamespace: schema.At(p.GetPidNamespace(), i),
		MountNamespace: schema.At(p.GetMountNamespace(), i), NetworkNamespace: schema.At(p.GetNetworkNamespace(), i),
		UserNamespace: schema.At(p.GetUserNamespace(), i), LoginUIDPlus1: schema.At(p.GetLoginUid(), i),
		AuditPlus1: schema.At(p.GetAuditSession(), i), TTY: schema.At(p.GetTty(), i),
		SessionLeader: schema.TGID(schema.At(p.GetSession(), i)), Knowledge: schema.At(p.GetKnowledge(), i),
	})
}

// knowsMore reports whether the draft has but the key of a process of which the source has the whole entry.
func (r *refiller) knowsMore(index uint32, source weirv1.Knowledge) bool {
	const key = weirv1.Knowledge_KNOWLEDGE_KEY
	return source != key && r.d.Columns().GetProcesses().GetKnowledge()[index-1] == key
}

func (r *refiller) credentials(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	c, i := r.source.Proto().GetCredentials(), int(n-1)
	return r.d.Credentials(batch.Credentials{
		CredentialIDs: batch.CredentialIDs{
			UID: schema.At(c.GetUid(), i), GID: schema.At(c.GetGid(), i), EUID: schema.At(c.GetEuid(), i),
			EGID: schema.At(c.GetEgid(), i), Effective: schema.At(c.GetEffective(), i),
		},
		UserName: "builder", GroupName: "builder",
	})
}

func (r *refiller) cgroup(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return r.d.Cgroup(batch.Cgroup{ID: r.source.Proto().GetCgroups().GetId()[n-1], Name: "session-4.scope"})
}

func (r *refiller) rung(n uint32) uint32 {
	if n == 0 {
		return 0
	}
	return r.d.Rung(r.rungs[n-1])
}
