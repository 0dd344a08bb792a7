package collector

import (
	"encoding/json"
	"fmt"

	"github.com/weirproject/weir/bpf"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// progress is what runs have done with their attachment, as it outlives each of them: it is saved before a
// batch is stored and before the ring is released, in this order:
//
//	save {Stored, Next} ─► spool.Append ─► ring.Release(Next.Position) ─► Stored = Next
//
// So the next run can tell by the spool's last batch whether Next came true (resume). All that lies in the ring
// before the position is in batches and in the sums, for certain and exactly: a position is where samples lie in
// the ring's own order, while sequence numbers only order those of one CPU, and by them n+1 may come before n.
type progress struct {
	Stored state
	Next   *state `json:",omitempty"`
}

// state is where an attachment stands once a batch is stored.
type state struct {
	Run      schema.RunID
	Batch    uint64 // the run's number of it; 0: none yet
	Position uint64 // in the ring, behind the last sample that is in the batch or the sums
	Kinds    map[string]done
	// Counted is the last key of counted kinds that was told; nil: none yet. Keys come in their order.
	Counted *bpf.CountKey `json:",omitempty"`
}

// done is what became of one kind's samples: of the attachment, over all its runs.
type done struct{ Batched, Absorbed, Lost, Summaries, Summarised uint64 }

// fromRing returns how many samples of the ring it was.
func (d done) fromRing() uint64 { return d.Batched + d.Absorbed + d.Lost - d.Summaries }

func (p progress) encode() ([]byte, error) { return json.Marshal(p) }

// decodeProgress reads what encode wrote; nothing is the beginning.
func decodeProgress(text []byte) (p progress, err error) {
	if len(text) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, fmt.Errorf("progress of the run before: %w", err)
	}
	return p, nil
}

// resume returns where the run before left off. Its next batch was stored if the spool has it, or if the ring
// was released up to its end, which only comes after: the spool may be another one since.
func (p progress) resume(last batch.Sealed, released uint64) state {
	n := p.Next
	if n == nil {
		return p.Stored
	}
	stored := last.Run == n.Run && last.Last == n.Batch
	if stored || released >= n.Position && n.Position > p.Stored.Position {
		return *n
	}
	return p.Stored
}
