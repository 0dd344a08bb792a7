package books

import (
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Batch is what the books want to know of one batch.
type Batch struct {
	Host       schema.HostID
	Boot       schema.BootID
	Attachment schema.AttachmentID
	Run        schema.RunID
	Number     uint64
	// Hash is the batch's chain hash, Previous that of the run's batch before; zero on the first.
	Hash, Previous [32]byte
	// PublicKey is the one that the batch's signature is good for.
	PublicKey []byte
	// Groups says how many rows of each kind the batch has.
	Groups    []*weirv1.Group
	Ledger    *weirv1.Ledger
	Tombstone *weirv1.Tombstone
	// Stopped: the batch holds the run's weir.stopped.
	Stopped bool
	// Booted is when the host's CLOCK_BOOTTIME was 0, by its clock.
	Booted time.Time
	// SealedAt is by the host's clock, ReceivedAt by the broker's.
	SealedAt, ReceivedAt time.Time
	Hostname, Version    string
}

// Verdict is what is to be done with a batch.
type Verdict uint8

const (
	// Fresh: its rows are in the books now; it goes on.
	Fresh Verdict = iota + 1
	// Duplicate: its rows are in the books already; it ends here.
	Duplicate
	// Refused: it is not the host's, or the books have it with another content; it goes no further, and is
	// kept as evidence.
	Refused
)

// String returns the verdict in lower case.
func (v Verdict) String() string {
	return [...]string{"none", "fresh", "duplicate", "refused"}[v]
}

// Entry is what became of one batch.
type Entry struct {
	Verdict  Verdict
	Findings []Finding
	Losses   []Loss
	// Skew is by how much the host's clock is ahead of the broker's, at least: the most that a batch of
	// late was sealed after it was received.
	Skew time.Duration
}

// Finding is something that the books object to: a weir.gap event.
type Finding struct {
	Kind weirv1.Finding
	Host schema.HostID
	Run  schema.RunID
	// Numbers are the batches that it is about; zero where it is about none.
	Numbers Range
	Detail  string
	// At is when a silence became one, by the broker's clock.
	At time.Time
	// Begin and End are of a time without hooks, by the host's clock; zero of other findings.
	Begin, End time.Time
}

// Loss is events that are gone: a weir.loss event.
type Loss struct {
	Host schema.HostID
	// Kind is empty, and Events 0, where they are not known.
	Kind   string
	Events uint64
	Place  Place
	Detail string
}

// Place is where events were lost.
type Place string

// The places at which the enricher finds losses.
const (
	// PlaceSpool: the host evicted them from its full spool.
	PlaceSpool Place = "spool"
	// PlaceBroker: the broker refused their batch for good.
	PlaceBroker Place = "broker"
	// PlaceTopic: they left the host, and did not come out of the topic.
	PlaceTopic Place = "topic"
	// PlaceRun: a run ended before it had spooled them.
	PlaceRun Place = "run"
)
