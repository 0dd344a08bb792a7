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
	columns map[*schema.Kind][]refilled // of the batch in hand
	source  *batch.Batch
}

type refilled struct {
	form     weirv1.Form
	from, to schema.Values
}

// use makes b the batch that rows come from.
func (r *refiller) use(b *batch.Batch) {
	r.source, r.columns = b, map[*schema.Kind][]refilled{}
	for k := range schema.Kinds() {
		from, ok := k.In(b.Proto())
		if !ok {
			from = k.New()
		}
		to, _ := k.In(r.d.Columns())
		for i := range k.Columns {
			c := &k.Columns[i]
			r.columns[k] = append(r.columns[k], refilled{c.Field.GetForm(), c.Values(from), c.Values(to)})
		}
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
	for j := range r.columns[row.Kind] {
		r.value(&r.columns[row.Kind][j], row.GroupRow)
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
	if index, ok := r.d.Process(k); ok {
		return index
	}
	p, i := r.source.Proto().GetProcesses(), int(n-1)
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
	return r.d.Rung(rungOf(r.source, n)) // a compiler would keep this string; it is the refiller's cost
}
