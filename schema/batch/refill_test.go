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

	// Tables of source, as a collector has them at hand.
	credentials []batch.Credentials
	cgroups     []batch.Cgroup
	rungs       []string
}

type refilled struct {
	form     weirv1.Form
	from, to schema.Values
}

// use makes b the batch that rows come from.
func (r *refiller) use(b *batch.Batch) {
	r.source = b
	r.credentials, r.cgroups, r.rungs = r.credentials[:0], r.cgroups[:0], r.rungs[:0]
	for i := range b.Proto().GetCredentials().GetUid() {
		r.credentials = append(r.credentials, credentialsOf(b, uint32(i+1)))
	}
	for i := range b.Proto().GetCgroups().GetId() {
		r.cgroups = append(r.cgroups, cgroupOf(b, uint32(i+1)))
	}
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
	e := batch.Event{
		Kind:     row.Kind,
		Time:     r.source.BootTime(i),
		CPU:      schema.At(common.GetCpu(), i),
		Sequence: uint64(schema.At(common.GetSequence(), i)),
		Process:  r.process(uint32(schema.At(common.GetProcess(), i))),
		Thread:   schema.At(common.GetThread(), i),
		SelfTest: schema.At(common.GetSelfTest(), i),
	}
	if n := schema.At(common.GetCredentials(), i); n != 0 {
		e.Credentials = r.d.Credentials(r.credentials[n-1])
	}
	if n := schema.At(common.GetCgroup(), i); n != 0 {
		e.Cgroup = r.d.Cgroup(r.cgroups[n-1])
	}
	if n := schema.At(common.GetRung(), i); n != 0 {
		e.Rung = r.d.Rung(r.rungs[n-1])
	}
	r.d.Append(e)
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
		*c.to.Int32 = append(*c.to.Int32, int32(r.index(c.form, uint32(schema.At(*c.from.Int32, row)))))
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
		Key: k, Parent: r.process(uint32(schema.At(p.GetParent(), i))), Creator: r.process(schema.At(p.GetCreator(), i)),
		Executable: text(p.GetExecutable()), Arguments: r.source.Text(uint32(schema.At(p.GetArguments(), i))), Comm: text(p.GetComm()),
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
