// Package books closes the accounts of every host of one partition: from what batches say of themselves
// it finds what is missing, came again, was changed, does not add up, or fell silent.
//
//	batch ──Add──► fresh | duplicate | refused, findings, losses
//	 time ──Tick─► silences
//	state ──Load──► Books ──Balance──► state, a record of weir.hosts for each host
//
// It is a pure core: it reads no clock, no topic and no signature, and is not safe for concurrent use.
package books

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// maxRuns bounds the runs that are remembered of one host.
const maxRuns = 8

// Books is the set of the balances of one partition's hosts.
type Books struct {
	hosts map[schema.HostID]*balance
}

// balance is one host's.
type balance struct {
	host       schema.HostID
	offset     int64  // in the topic, of the last record that is in the balance
	runs       []*run // in the order in which they began; the last is the current one
	publicKey  []byte
	hostname   string
	version    string
	attachment schema.AttachmentID
	ledger     *weirv1.Ledger
	ledgerRun  schema.RunID
	ledgerAt   time.Time // by the host's clock
	// objected is what the last ledger was told for, so that it is not told with every heartbeat.
	objected   string
	sealedAt   time.Time
	receivedAt time.Time
	findings   map[weirv1.Finding]uint64
	received   Counts
	evicted    Counts
	duplicates uint64
	silent     bool
	skew       skew
}

// New returns books without hosts.
func New() *Books { return &Books{hosts: map[schema.HostID]*balance{}} }

// Len returns the number of hosts.
func (b *Books) Len() int { return len(b.hosts) }

// Add enters the batch of the record at offset.
func (b *Books) Add(batch Batch, offset int64) Entry {
	if schema.NewHostID(batch.PublicKey) != batch.Host {
		return Entry{Verdict: Refused, Findings: []Finding{b.Object(Finding{
			Kind: weirv1.Finding_FINDING_BAD_SIGNATURE, Host: batch.Host, Run: batch.Run, Numbers: Range{batch.Number, batch.Number},
			Detail: fmt.Sprintf("batch %d is signed with key %s, which is not the host's", batch.Number, brief(batch.PublicKey)),
		})}}
	}
	host := b.hosts[batch.Host]
	if host == nil {
		host = newBalance(batch.Host)
		b.hosts[batch.Host] = host
	}
	if offset <= host.offset {
		return Entry{Verdict: Duplicate}
	}
	host.offset = offset
	host.receivedAt = batch.ReceivedAt
	host.silent = false
	host.skew.observe(batch.SealedAt.Sub(batch.ReceivedAt), batch.ReceivedAt)
	e := entry{Batch: batch, balance: host}
	e.enter()
	e.Skew = host.skew.estimate()
	return e.Entry
}

// Object notes a finding that was made outside of the books, such as a bad signature. A host that has no
// books gets none by it: anyone may claim to be a host.
func (b *Books) Object(f Finding) Finding {
	if host := b.hosts[f.Host]; host != nil {
		host.findings[f.Kind]++
	}
	return f
}

// Restart notes that the topic begins anew: its offsets have not been seen.
func (b *Books) Restart() {
	for _, host := range b.hosts {
		host.offset = -1
	}
}

// Tick finds the hosts that said nothing for the given time, although they should, in the order in which
// they fell silent. The partition has been watched without a break since then: a host can be blamed only
// for the time in which it would have been heard.
func (b *Books) Tick(now, since time.Time, silence time.Duration) []Finding {
	var found []Finding
	for _, host := range b.hosts {
		due := latest(host.receivedAt, since).Add(silence)
		if host.silent || host.stopped() || due.After(now) {
			continue
		}
		host.silent = true
		found = append(found, host.object(Finding{
			Kind: weirv1.Finding_FINDING_SILENCE, Run: host.current().id, At: due,
			Detail: fmt.Sprintf("no batch since %s", host.receivedAt.UTC().Format(time.RFC3339)),
		}))
	}
	slices.SortFunc(found, func(a, b Finding) int {
		return cmp.Or(a.At.Compare(b.At), slices.Compare(a.Host[:], b.Host[:]))
	})
	return found
}

// Forget drops the hosts that stopped or fell silent and said nothing for the given time, and returns them.
func (b *Books) Forget(now time.Time, after time.Duration) []schema.HostID {
	var gone []schema.HostID
	for id, host := range b.hosts {
		if (host.silent || host.stopped()) && host.receivedAt.Add(after).Before(now) {
			gone = append(gone, id)
			delete(b.hosts, id)
		}
	}
	return gone
}

// Drop forgets a host, whose books begin anew.
func (b *Books) Drop(host schema.HostID) { delete(b.hosts, host) }

func newBalance(host schema.HostID) *balance {
	return &balance{host: host, offset: -1, findings: map[weirv1.Finding]uint64{}, received: Counts{}, evicted: Counts{}}
}

// object fills in the host, and counts the finding.
func (h *balance) object(f Finding) Finding {
	f.Host = h.host
	h.findings[f.Kind]++
	return f
}

// current returns the run that began last, or nil.
func (h *balance) current() *run {
	if len(h.runs) == 0 {
		return nil
	}
	return h.runs[len(h.runs)-1]
}

func (h *balance) run(id schema.RunID) *run {
	if i := slices.IndexFunc(h.runs, func(r *run) bool { return r.id == id }); i >= 0 {
		return h.runs[i]
	}
	return nil
}

// stopped reports whether nothing is owed: the collector stopped in good order, or never spoke.
func (h *balance) stopped() bool {
	return h.current() == nil || h.current().stopped
}

func (h *balance) begin(id schema.RunID, boot schema.BootID) *run {
	h.runs = append(h.runs, newRun(id, boot))
	h.runs = h.runs[max(0, len(h.runs)-maxRuns):]
	return h.current()
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// brief is enough of an id or a hash for a person to tell it from others.
func brief(id []byte) string { return hex.EncodeToString(id[:min(len(id), 4)]) }
