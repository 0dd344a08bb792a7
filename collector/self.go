package collector

import (
	"time"

	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// self makes the events that the collector tells of itself. They have no process, no rung and no sequence
// number; in the ledger each is seen, sent and batched once.
type self struct {
	draft *batch.Draft
	rows  map[*schema.Kind]uint64
}

func newSelf(draft *batch.Draft) *self {
	return &self{draft: draft, rows: make(map[*schema.Kind]uint64)}
}

func (s *self) append(kind *schema.Kind, at schema.BootTime) {
	s.rows[kind]++
	s.draft.Append(batch.Event{Kind: kind, Time: at})
}

// started is the first event of a run; previous is the chain hash of the batch before, nothing where none is known.
func (s *self) started(at schema.BootTime, coverage, previous []byte) {
	s.append(schema.WeirStarted, at)
	g := s.draft.Columns().WeirStarted
	g.Coverage = append(g.Coverage, s.draft.Text(coverage))
	g.PreviousRun = append(g.PreviousRun, s.draft.Text(previous))
}

// stopped is the last event of a run.
func (s *self) stopped(at schema.BootTime, reason string) {
	s.append(schema.WeirStopped, at)
	g := s.draft.Columns().WeirStopped
	g.Reason = append(g.Reason, s.draft.Text([]byte(reason)))
}

// vitals are what a heartbeat tells.
type vitals struct {
	uptime       time.Duration
	processes    int
	spoolBatches uint64
	spoolBytes   uint64
	coverage     []byte
}

func (s *self) heartbeat(at schema.BootTime, v vitals) {
	s.append(schema.WeirHeartbeat, at)
	g := s.draft.Columns().WeirHeartbeat
	g.UptimeUs = append(g.UptimeUs, uint64(v.uptime.Microseconds()))
	g.Processes = append(g.Processes, uint32(v.processes))
	g.SpoolBatches = append(g.SpoolBatches, v.spoolBatches)
	g.SpoolBytes = append(g.SpoolBytes, v.spoolBytes)
	g.Coverage = append(g.Coverage, s.draft.Text(v.coverage))
}

// loss tells that events were lost: n of a kind, 0 of a kind that is not known.
func (s *self) loss(at schema.BootTime, kind *schema.Kind, n uint64, place, detail string) {
	s.append(schema.WeirLoss, at)
	g := s.draft.Columns().WeirLoss
	number := uint32(0)
	if kind != nil {
		number = kind.Number
	}
	g.Host = append(g.Host, 0)
	g.Kind = append(g.Kind, number)
	g.Events = append(g.Events, n)
	g.Place = append(g.Place, s.draft.Text([]byte(place)))
	g.Detail = append(g.Detail, s.draft.Text([]byte(detail)))
}
