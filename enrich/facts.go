package enrich

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/weirproject/weir/enrich/books"
	"github.com/weirproject/weir/enrich/inventory"
	"github.com/weirproject/weir/internal/kafka"
	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
)

// factsOf is what the books want to know of a batch.
func factsOf(b *batch.Batch, r kafka.Record) books.Batch {
	h := b.Header()
	_, last := b.Numbers()
	return books.Batch{
		Host: b.Host(), Boot: schema.BootID(h.GetBootId()), Attachment: attachmentOf(h), Run: b.Run(),
		Number: last, Hash: b.Hash(), Previous: b.Previous(), PublicKey: b.PublicKey(),
		Groups: b.Groups(), Ledger: b.Ledger(), Tombstone: b.Tombstone(), Stopped: isStopped(b),
		Booted: time.UnixMicro(h.GetBootTimeUs()), SealedAt: time.UnixMicro(h.GetSealedAtUs()), ReceivedAt: r.Time,
		Hostname: h.GetHostname(), Version: h.GetWeirVersion(),
	}
}

// attachmentOf returns the zero id for a batch that names none.
func attachmentOf(h *weirv1.Header) (id schema.AttachmentID) {
	copy(id[:], h.GetAttachmentId())
	return id
}

func isStopped(b *batch.Batch) bool {
	return slices.ContainsFunc(b.Groups(), func(g *weirv1.Group) bool {
		return g.GetNumber() == schema.WeirStopped.Number
	})
}

// errNotOwn is of a batch that tells of more than its host.
var errNotOwn = errors.New("not a host's own")

// checkOwn makes sure that the batch tells of nobody but its host: findings are the enricher's, and each kind that
// names a host would name it in the SIEM.
func checkOwn(b *batch.Batch) error {
	gap, loss := b.Proto().GetWeirGap(), b.Proto().GetWeirLoss()
	if b.Header().GetOrigin() == weirv1.Origin_ORIGIN_ENRICHER || gap != nil {
		return fmt.Errorf("weir.gap is the enricher's to tell: %w", errNotOwn)
	}
	for _, index := range loss.GetHost() {
		if id := b.Text(index); index != 0 && !bytes.Equal(id, b.Header().GetHostId()) {
			return fmt.Errorf("weir.loss of host %x: %w", id, errNotOwn)
		}
	}
	return nil
}

// hostOf is what the inventory is asked with.
func hostOf(b *batch.Batch) inventory.Host {
	h := b.Header()
	return inventory.Host{
		HostID: b.Host().String(), MachineID: h.GetMachineId(), InstanceID: h.GetInstanceId(), Hostname: h.GetHostname(),
	}
}

// timesOf yields when each row happened, in ring order.
func timesOf(b *batch.Batch) iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		for row := range b.Len() {
			if !yield(b.Time(row)) {
				return
			}
		}
	}
}

// claimedHost returns whose record it says to be; the zero id where it says nothing that makes sense.
func claimedHost(r kafka.Record) (id schema.HostID) {
	for _, h := range r.Headers {
		if h.Key == batch.HeaderHost && hex.DecodedLen(len(h.Value)) == len(id) {
			if _, err := hex.Decode(id[:], h.Value); err != nil {
				return schema.HostID{}
			}
		}
	}
	return id
}
