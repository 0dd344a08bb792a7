package sinktest

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
	"github.com/weirproject/weir/schema/batch"
	"github.com/weirproject/weir/sink"
)

// origin is where batches say that they were read from.
func origin() sink.Origin {
	return sink.Origin{Topic: "weir.enriched", Partition: 3, Offset: 17}
}

// Batch returns a batch of process.exit events, of a host and run of its own. Its documents are stand-ins
// for ECS, so that what a sink does with its rows can be seen without the encoder: see [Document].
func Batch(tb testing.TB, rows int) *sink.Batch {
	tb.Helper()
	var run schema.RunID
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	_, _ = rand.Read(run[:]) // never fails
	host := schema.NewHostID(key.Public().(ed25519.PublicKey))
	draft := batch.NewDraft(&weirv1.Header{HostId: host[:], BootId: run[:]}, batch.DefaultLimits())
	for i := range rows {
		draft.Append(batch.Event{Kind: schema.ProcessExit, Time: schema.BootTime(1000 * i)})
		group := draft.Columns().GetProcessExit()
		group.ExitCode = append(group.ExitCode, uint32(i%256))
		group.Signal = append(group.Signal, 0)
		group.CoreDumped = append(group.CoreDumped, false)
		group.UserUs = append(group.UserUs, 0)
		group.SystemUs = append(group.SystemUs, 0)
		group.PeakMemoryBytes = append(group.PeakMemoryBytes, 0)
	}
	sealed, err := draft.Seal(batch.NewChain(key, run), batch.Times{Boot: time.Now(), Sealed: time.Now()})
	if err != nil {
		tb.Fatal(err)
	}
	read, err := batch.Read(sealed.Record, batch.DefaultReadLimits())
	if err != nil {
		tb.Fatal(err)
	}
	b := &sink.Batch{Batch: read, Origin: origin()}
	b.Documents = standIns{batch: b}
	return b
}
