package lane

import (
	"maps"
	"slices"

	"github.com/weirproject/weir/enrich/books"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/sink"
)

// maxRuns bounds the runs of a host that a lane remembers, as the books do.
const maxRuns = 8

// held is what the lane has of one host: a core, whose state is a record of weir.hosts.
type held struct {
	host   schema.HostID
	lane   string
	offset int64
	runs   []*run // in the order in which they began
	tally  sink.Tally
	// before is rows that the books had when the lane met the host, less those among them that the lane is
	// given: up to beforeOffset, in weir.batches.
	before       sink.Counts
	beforeOffset int64
}

type run struct {
	id      schema.RunID
	numbers books.Numbers
}

func newHeld(host schema.HostID, lane string) *held {
	return &held{host: host, lane: lane, before: sink.Counts{}, beforeOffset: -1, tally: sink.Tally{
		Delivered: sink.Counts{}, Duplicate: sink.Counts{}, DeadLettered: sink.Counts{}, Filtered: sink.Counts{},
	}}
}

// meet is newHeld of a host whose books are older than what the lane has of it: a sink that is added later
// owes nothing of what weir.enriched had forgotten by then.
func meet(books *weirv1.HostBalance, lane string) (*held, bool) {
	if len(books.GetHostId()) != len(schema.HostID{}) {
		return nil, false
	}
	h := newHeld(schema.HostID(books.GetHostId()), lane)
	maps.Copy(h.before, books.GetReceived())
	h.beforeOffset = books.GetInputOffset()
	return h, true
}

// given takes the rows of a batch, read from weir.batches at this offset, out of what was before.
func (h *held) given(rows []*weirv1.Group, offset int64) {
	if offset > h.beforeOffset {
		return
	}
	for _, g := range rows {
		h.before[g.GetKind()] -= min(h.before[g.GetKind()], uint64(g.GetRows()))
	}
}

// enter notes the batch at offset, and reports whether the lane did not have it yet.
func (h *held) enter(of *batch.Batch, offset int64) bool {
	h.offset = offset
	r := h.run(of.Run())
	first, last := of.Numbers()
	if of.Header().GetOrigin() == weirv1.Origin_ORIGIN_ENRICHER {
		return r.advance(last)
	}
	fresh, _ := r.numbers.Add(books.Range{First: first, Last: last})
	return fresh > 0
}

// advance is for batches of findings: they are numbered by what they are about, so that numbers are
// missing in good order.
func (r *run) advance(number uint64) bool {
	if number <= r.numbers.Last {
		return false
	}
	r.numbers.Last = number
	return true
}

// run returns the run with this id, and begins it where it is new.
func (h *held) run(id schema.RunID) *run {
	if i := slices.IndexFunc(h.runs, func(r *run) bool { return r.id == id }); i >= 0 {
		return h.runs[i]
	}
	h.runs = append(h.runs, &run{id: id})
	h.runs = h.runs[max(0, len(h.runs)-maxRuns):]
	return h.runs[len(h.runs)-1]
}

// add enters how a delivery ended.
func (h *held) add(t sink.Tally) {
	for _, pair := range [][2]sink.Counts{
		{h.tally.Delivered, t.Delivered}, {h.tally.Duplicate, t.Duplicate},
		{h.tally.DeadLettered, t.DeadLettered}, {h.tally.Filtered, t.Filtered},
	} {
		for kind, n := range pair[1] {
			pair[0][kind] += n
		}
	}
}

func (h *held) state() *weirv1.LaneBalance {
	p := &weirv1.LaneBalance{
		HostId: h.host[:], Lane: h.lane, InputOffset: h.offset,
		Delivered: h.tally.Delivered, Duplicate: h.tally.Duplicate,
		DeadLettered: h.tally.DeadLettered, Filtered: h.tally.Filtered,
		Before: h.before, BeforeOffset: h.beforeOffset,
	}
	for _, r := range h.runs {
		p.Runs = append(p.Runs, &weirv1.LaneRun{RunId: r.id[:], BatchNumber: r.numbers.Last, Missing: r.numbers.Ranges()})
	}
	return p
}

// load is the inverse of state. Ids of a wrong length are no balance that a lane wrote.
func load(p *weirv1.LaneBalance) (*held, bool) {
	if len(p.GetHostId()) != len(schema.HostID{}) {
		return nil, false
	}
	h := newHeld(schema.HostID(p.GetHostId()), p.GetLane())
	h.offset, h.beforeOffset = p.GetInputOffset(), p.GetBeforeOffset()
	maps.Copy(h.before, p.GetBefore())
	maps.Copy(h.tally.Delivered, p.GetDelivered())
	maps.Copy(h.tally.Duplicate, p.GetDuplicate())
	maps.Copy(h.tally.DeadLettered, p.GetDeadLettered())
	maps.Copy(h.tally.Filtered, p.GetFiltered())
	for _, r := range p.GetRuns() {
		if len(r.GetRunId()) != len(schema.RunID{}) {
			return nil, false
		}
		h.runs = append(h.runs, &run{
			id: schema.RunID(r.GetRunId()), numbers: books.LoadNumbers(r.GetBatchNumber(), r.GetMissing()),
		})
	}
	return h, true
}
