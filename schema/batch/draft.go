package batch

import (
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Event is what all kinds have in common.
type Event struct {
	Kind     *schema.Kind
	Time     schema.BootTime
	CPU      uint32 // below MaxCPUs
	Sequence uint64 // of the sample on its CPU, from 1; 0: not from the kernel
	Process  uint32 // who did it, as Process or AddProcess gave it; 0: not known
	Thread   int32  // tid less tgid

	// As the methods of the same names gave them; 0 is none.
	Credentials, Cgroup, Rung uint32

	SelfTest bool // caused by weir on itself
}

// Limits say when a draft is to be sealed.
type Limits struct {
	Rows  int
	Bytes int           // before compression, as estimated
	Age   time.Duration // since Full first found an event
}

// DefaultLimits fit a Kafka record of 1 MiB many times over.
func DefaultLimits() Limits {
	return Limits{Rows: 1000, Bytes: 256 << 10, Age: time.Second}
}

// MaxCPUs bounds the number of a CPU; Linux knows 8,192.
const MaxCPUs = 1 << 16

// Draft is a batch that is being filled. It is used again after each Seal, so that filling allocates
// nothing once its slices have grown. It is not safe for concurrent use.
type Draft struct {
	limits Limits
	header *weirv1.Header
	plain  *weirv1.Batch // what fillers append to: it has every table and every group
	texts  dictionary
	tables tables
	groups []*draftGroup // one a kind, in the order of their numbers
	rows   int
	begun  schema.BootTime // when Full first found an event; 0 before

	byNumber []*draftGroup // the same, by kind number
	wire     *weirv1.Batch // what is marshalled: it borrows the slices of plain
	shared   []draftTable
	sequence sequenceCoder
	raw      []byte
	packed   []byte
	encoder  *zstd.Encoder
}

// draftGroup is a column group and its rows so far.
type draftGroup struct {
	kind *schema.Kind
	draftTable
	rows int
}

// NewDraft returns an empty draft. The header is a template: Seal sets its run, number, times and sequence
// numbers.
func NewDraft(header *weirv1.Header, limits Limits) *Draft {
	d := &Draft{
		limits:  limits,
		header:  proto.CloneOf(header),
		plain:   &weirv1.Batch{},
		texts:   newDictionary(),
		tables:  newTables(),
		wire:    &weirv1.Batch{},
		encoder: newEncoder(),
	}
	for t := range schema.Tables() {
		d.shared = append(d.shared, newDraftTable(t, d.plain))
	}
	for k := range schema.Kinds() {
		d.groups = append(d.groups, &draftGroup{kind: k, draftTable: newDraftTable(&k.Table, d.plain)})
	}
	d.byNumber = make([]*draftGroup, d.groups[len(d.groups)-1].kind.Number+1)
	for _, g := range d.groups {
		d.byNumber[g.kind.Number] = g
	}
	return d
}

// Append adds the event's row to what all kinds have in common. The caller then appends exactly one value to
// each column of the kind's group in Columns: Seal refuses ragged ones.
func (d *Draft) Append(e Event) {
	d.rows++
	d.byNumber[e.Kind.Number].rows++
	c := d.plain.Common
	c.Kind = append(c.Kind, e.Kind.Number)
	c.TimeUs = append(c.TimeUs, int64(e.Time))
	c.Cpu = append(c.Cpu, e.CPU)
	c.Sequence = append(c.Sequence, int64(e.Sequence))
	c.Process = append(c.Process, int32(e.Process))
	c.Thread = append(c.Thread, e.Thread)
	c.Credentials = append(c.Credentials, e.Credentials)
	c.Cgroup = append(c.Cgroup, e.Cgroup)
	c.Rung = append(c.Rung, e.Rung)
	c.SelfTest = append(c.SelfTest, e.SelfTest)
	if e.Sequence != 0 {
		d.Sample(e.CPU, e.Sequence)
	}
}

// Sample notes that a sample was read, whether it gave a row or not: Header.last_sequence tells it.
func (d *Draft) Sample(cpu uint32, sequence uint64) {
	for uint32(len(d.header.LastSequence)) <= cpu {
		d.header.LastSequence = append(d.header.LastSequence, 0)
	}
	d.header.LastSequence[cpu] = max(d.header.LastSequence[cpu], sequence)
}

// Columns returns the batch whose groups the caller appends to. Only groups may be touched.
func (d *Draft) Columns() *weirv1.Batch { return d.plain }

// SetLedger makes l the batch's ledger; it is not copied, and must stay as it is until Seal.
func (d *Draft) SetLedger(l *weirv1.Ledger) { d.wire.Ledger = l }

// Rows returns the number of events.
func (d *Draft) Rows() int { return d.rows }

// Empty reports whether there is neither an event nor a ledger.
func (d *Draft) Empty() bool { return d.rows == 0 && d.wire.Ledger == nil }

// Full reports whether the draft has reached a limit. Its age counts from the first call that found an event, not
// from the event's own time: a ring that is read late holds old events, and each would be a batch of its own.
func (d *Draft) Full(now schema.BootTime) bool {
	if d.rows == 0 {
		return false
	}
	if d.begun == 0 {
		d.begun = now
	}
	due, _ := d.Due()
	return d.Crowded() || now >= due
}

// Crowded reports whether the draft has reached a limit other than its age.
func (d *Draft) Crowded() bool { return d.rows >= d.limits.Rows || d.size() >= d.limits.Bytes }

// Due returns when the draft reaches the limit of its age, once Full has found an event in it.
func (d *Draft) Due() (at schema.BootTime, ok bool) {
	return d.begun + schema.BootTime(d.limits.Age.Microseconds()), d.begun > 0
}

// size is a generous guess at the bytes before compression: few columns of a row or of a process hold
// anything, and what they hold is mostly one or two bytes.
func (d *Draft) size() int {
	const row, process, text = 48, 32, 2
	return len(d.texts.wire.Data) + text*len(d.texts.wire.Size) + row*d.rows + process*len(d.plain.Processes.Tgid)
}

// Reset empties the draft. Seal does it too.
func (d *Draft) Reset() {
	for i := range d.shared {
		d.shared[i].reset()
	}
	for _, g := range d.groups {
		g.reset()
		g.rows = 0
	}
	d.texts.reset()
	d.tables.reset()
	d.rows, d.begun = 0, 0
	d.wire.Reset()
}
