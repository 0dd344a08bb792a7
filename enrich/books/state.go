package books

import (
	"bytes"
	"fmt"
	"maps"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// Load enters a host's balance as [Books.Balance] returned it, in place of what the books have of it.
func (b *Books) Load(p *weirv1.HostBalance) error {
	id, err := id16(p.GetHostId(), "host_id")
	if err != nil {
		return err
	}
	h := newBalance(schema.HostID(id))
	h.offset, h.silent, h.duplicates = p.GetInputOffset(), p.GetSilent(), p.GetDuplicateBatches()
	h.publicKey, h.hostname, h.version, h.ledger = p.GetPublicKey(), p.GetHostname(), p.GetWeirVersion(), p.GetLedger()
	h.ledgerAt = time.UnixMicro(p.GetLedgerAtUs())
	h.sealedAt, h.receivedAt = time.UnixMicro(p.GetSealedAtUs()), time.UnixMicro(p.GetReceivedAtUs())
	copy(h.attachment[:], p.GetAttachmentId())
	copy(h.ledgerRun[:], p.GetLedgerRunId())
	maps.Copy(h.received, p.GetReceived())
	maps.Copy(h.evicted, p.GetEvicted())
	for kind, n := range p.GetFindings() {
		h.findings[weirv1.Finding(kind)] = n
	}
	for _, r := range p.GetRuns() {
		loaded, err := loadRun(r)
		if err != nil {
			return fmt.Errorf("balance of host %s: %w", h.host, err)
		}
		h.runs = append(h.runs, loaded)
	}
	b.hosts[h.host] = h
	return nil
}

func loadRun(p *weirv1.RunBalance) (*run, error) {
	id, err := id16(p.GetRunId(), "run_id")
	if err != nil {
		return nil, err
	}
	if len(p.GetRecentHashes())%shortHash != 0 {
		return nil, fmt.Errorf("run %x: recent_hashes has %d bytes, not a multiple of %d", id, len(p.GetRecentHashes()), shortHash)
	}
	r := newRun(schema.RunID(id), schema.BootID{})
	copy(r.boot[:], p.GetBootId())
	copy(r.hash[:], p.GetHash())
	r.numbers = LoadNumbers(p.GetBatchNumber(), p.GetMissing())
	for hashes := p.GetRecentHashes(); len(hashes) > 0; hashes = hashes[shortHash:] {
		r.recent = append(r.recent, [shortHash]byte(hashes))
	}
	r.stopped, r.interleaved, r.sealedAt = p.GetStopped(), p.GetInterleaved(), time.UnixMicro(p.GetLastSealedAtUs())
	maps.Copy(r.received, p.GetReceived())
	maps.Copy(r.evicted, p.GetEvicted())
	maps.Copy(r.lost, p.GetLost())
	return r, nil
}

// Balance returns the host's balance, a snapshot, or nil where the books have none.
func (b *Books) Balance(host schema.HostID) *weirv1.HostBalance {
	h := b.hosts[host]
	if h == nil {
		return nil
	}
	p := &weirv1.HostBalance{
		HostId: bytes.Clone(h.host[:]), InputOffset: h.offset, Hostname: h.hostname, Ledger: h.ledger,
		SealedAtUs: h.sealedAt.UnixMicro(), ReceivedAtUs: h.receivedAt.UnixMicro(),
		Findings: map[uint32]uint64{}, Received: maps.Clone(h.received), Evicted: maps.Clone(h.evicted),
		DuplicateBatches: h.duplicates, PublicKey: h.publicKey, WeirVersion: h.version,
		AttachmentId: bytes.Clone(h.attachment[:]), Silent: h.silent,
		LedgerRunId: bytes.Clone(h.ledgerRun[:]), LedgerAtUs: h.ledgerAt.UnixMicro(),
	}
	for kind, n := range h.findings {
		p.Findings[uint32(kind)] = n
	}
	for _, r := range h.runs {
		p.Runs = append(p.Runs, r.state())
	}
	return p
}

func (r *run) state() *weirv1.RunBalance {
	p := &weirv1.RunBalance{
		RunId: bytes.Clone(r.id[:]), BatchNumber: r.numbers.Last, Hash: bytes.Clone(r.hash[:]), Stopped: r.stopped, BootId: bytes.Clone(r.boot[:]),
		LastSealedAtUs: r.sealedAt.UnixMicro(), Missing: r.numbers.Ranges(), Interleaved: r.interleaved,
		Received: maps.Clone(r.received), Evicted: maps.Clone(r.evicted), Lost: maps.Clone(r.lost),
	}
	for _, hash := range r.recent {
		p.RecentHashes = append(p.RecentHashes, hash[:]...)
	}
	return p
}

// LoadNumbers is the inverse of [Numbers.Ranges].
func LoadNumbers(last uint64, missing []*weirv1.NumberRange) Numbers {
	n := Numbers{Last: last}
	for _, m := range missing {
		n.Missing = append(n.Missing, Range{m.GetFirst(), m.GetLast()})
	}
	return n
}

// Ranges returns what is missing, for a balance.
func (n *Numbers) Ranges() []*weirv1.NumberRange {
	var ranges []*weirv1.NumberRange
	for _, m := range n.Missing {
		ranges = append(ranges, &weirv1.NumberRange{First: m.First, Last: m.Last})
	}
	return ranges
}

func id16(b []byte, name string) (id [16]byte, err error) {
	if len(b) != len(id) {
		return id, fmt.Errorf("%s has %d bytes, not %d", name, len(b), len(id))
	}
	return [16]byte(b), nil
}
