package ecs

import (
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// Encoder makes documents of batches. It is safe for concurrent use.
type Encoder struct {
	layout *layout
	free   sync.Pool // of *Documents, whose buffers have grown
}

// New returns an encoder. It fails where the descriptors ask for what ECS documents cannot hold.
func New() (*Encoder, error) {
	l, err := compiled()
	if err != nil {
		return nil, err
	}
	return &Encoder{layout: l}, nil
}

// Batch returns the documents of a batch and of what is known about it, which may be nothing. Neither may
// change as long as documents are made of them.
func (e *Encoder) Batch(b *batch.Batch, known *weirv1.Enrichment) *Documents {
	d, ok := e.free.Get().(*Documents)
	if !ok {
		d = &Documents{layout: e.layout, encoder: e}
	}
	d.bind(b, known)
	return d
}

// Documents renders the rows of one batch. It is not safe for concurrent use: what rows share is rendered
// when the first of them needs it.
type Documents struct {
	layout  *layout
	encoder *Encoder

	batch      *batch.Batch
	header     *weirv1.Header
	enrichment *weirv1.Enrichment
	columns    []schema.Values // by binding
	spans      []int           // row behind each span of the enrichment

	// Rendered once: fragments by fragment and entry, texts of the dictionary by index. Both lie in arena.
	rendered [][]extent
	texts    []extent
	arena    []byte

	// The row in hand: its entry in each source, from 1; 0 is none.
	entry [sources]int
}

// extent is where something lies in the arena. As the arena's first byte is nothing's, an end of 0 says that
// it is not rendered.
type extent struct{ start, end uint32 }

// Release gives the buffers back to the encoder; nobody may use the documents from then on. Whoever does
// not call it only pays for new ones.
func (d *Documents) Release() {
	d.batch, d.header, d.enrichment = nil, nil, nil
	clear(d.columns)
	d.encoder.free.Put(d)
}

// Append appends the row's document, one JSON object on one line.
func (d *Documents) Append(dst []byte, row batch.Row) []byte {
	p := d.layout.unknown
	if row.Kind != nil {
		p = d.layout.programs[row.Kind.Number]
	}
	d.seek(row, p)
	dst = p.root.append(d, dst)
	return dst[:len(dst)-1] // the comma behind the object
}

func (d *Documents) bind(b *batch.Batch, known *weirv1.Enrichment) {
	d.batch, d.header, d.enrichment = b, b.Header(), known
	d.bindColumns()
	d.spans = d.spans[:0]
	end := 0
	for _, s := range known.GetSpans() {
		end += int(s.GetRows())
		d.spans = append(d.spans, end)
	}
	d.arena = append(d.arena[:0], 0)
	d.texts = cleared(d.texts, len(b.Proto().GetDictionary().GetSize())+1)
	d.rendered = slices.Grow(d.rendered, len(d.layout.fragments))[:len(d.layout.fragments)]
	for _, f := range d.layout.fragments {
		d.rendered[f.id] = cleared(d.rendered[f.id], d.entries(f.from))
	}
}

// bindColumns finds the columns of the tables that the batch has. No row reads the others.
func (d *Documents) bindColumns() {
	d.columns = slices.Grow(d.columns[:0], len(d.layout.bindings))[:len(d.layout.bindings)]
	var table *schema.Table
	var message proto.Message
	for i, b := range d.layout.bindings {
		if b.table != table {
			table = b.table
			message, _ = table.In(d.batch.Proto())
			if message == nil {
				message = table.New()
			}
		}
		d.columns[i] = b.column.Values(message)
	}
}

func cleared(s []extent, n int) []extent {
	s = slices.Grow(s[:0], n)[:n]
	clear(s)
	return s
}

// entries returns how many entries a source has in this batch.
func (d *Documents) entries(from source) int {
	b := d.batch.Proto()
	switch from {
	case fromTarget, fromActor, fromParent, fromCreator:
		return len(b.GetProcesses().GetTgid())
	case fromCredentials:
		return len(b.GetCredentials().GetUid())
	case fromCgroup:
		return len(b.GetCgroups().GetId())
	case fromRung:
		return len(b.GetRungs().GetName())
	case fromInstance:
		return len(d.enrichment.GetInstances())
	case fromDeploy:
		return len(d.enrichment.GetDeploys())
	default:
		return 1
	}
}

// seek makes row the one in hand. batch.Read has seen that indexes fit.
func (d *Documents) seek(row batch.Row, p *program) {
	b, i := d.batch.Proto(), row.Index
	common, processes := b.GetCommon(), b.GetProcesses()
	actor := int(schema.At(common.GetProcess(), i))
	d.entry = [sources]int{
		fromRow:         row.GroupRow + 1,
		fromCommon:      i + 1,
		fromActor:       actor,
		fromCredentials: int(schema.At(common.GetCredentials(), i)),
		fromCgroup:      int(schema.At(common.GetCgroup(), i)),
		fromRung:        int(schema.At(common.GetRung(), i)),
		fromHeader:      1,
		fromEnrichment:  1,
	}
	if actor > 0 {
		d.entry[fromParent] = int(schema.At(processes.GetParent(), actor-1))
		d.entry[fromCreator] = int(schema.At(processes.GetCreator(), actor-1))
	}
	if p.target >= 0 {
		d.entry[fromTarget] = int(d.columns[p.target].Int(row.GroupRow))
	}
	for s, end := range d.spans {
		if i < end {
			span := d.enrichment.GetSpans()[s]
			d.entry[fromInstance], d.entry[fromDeploy] = int(span.GetInstance()), int(span.GetDeploy())
			break
		}
	}
}

// message returns the message of a source that is none of columns, or nil.
func (d *Documents) message(from source) proto.Message {
	entry := d.entry[from]
	switch {
	case entry == 0:
		return nil
	case from == fromHeader:
		return d.header
	case from == fromInstance:
		return d.enrichment.GetInstances()[entry-1]
	case from == fromDeploy:
		return d.enrichment.GetDeploys()[entry-1]
	default:
		return d.enrichment
	}
}

// time returns when the row in hand happened: µs since 1970.
func (d *Documents) time() int64 {
	at := schema.At(d.batch.Proto().GetCommon().GetTimeUs(), d.entry[fromCommon]-1)
	return d.header.GetBootTimeUs() + at
}

// bytes returns an entry of the dictionary as it is.
func (d *Documents) bytes(index uint64) []byte { return d.batch.Text(uint32(index)) }

// text returns an entry of the dictionary as the inside of a JSON string.
func (d *Documents) text(index uint64) []byte {
	t := &d.texts[index]
	if t.end == 0 {
		start := len(d.arena)
		d.arena = appendEscaped(d.arena, d.bytes(index))
		*t = extent{uint32(start), uint32(len(d.arena))}
	}
	return d.arena[t.start:t.end]
}

// keep copies what was rendered into the arena.
func (d *Documents) keep(b []byte) extent {
	start := len(d.arena)
	d.arena = append(d.arena, b...)
	return extent{uint32(start), uint32(len(d.arena))}
}

func appendEventID(d *Documents, dst []byte, row int) []byte {
	id := d.batch.EventID(row)
	return appendHex(dst, id[:])
}
