// Package enrich is the enricher: it consumes the batches of all hosts, verifies them, keeps the books,
// joins instance and deploy, publishes enriched batches, and runs a lane for each sink.
//
//	weir.batches ─► Read ─► Books ─► Join ─► weir.enriched ─► lane a sink ─► destination
//	    ▲            │        │                    ▲              └─► weir.hosts
//	    │            │        ├─ findings ─────────┘
//	    │            │        └─ balances ─► weir.hosts ─► whoever is assigned the partition next
//	    │            └─ unreadable, refused ─► weir.deadletter ─┐
//	    └──────────────────────────────────── weir replay ──────┘
//
// Goroutines: one a source of metadata (source.Store.Run), one an assigned partition
// (kafka.Client.Consume), one that looks for silent hosts, and those of each lane. A partition's books
// belong to its handler, and are shared with the watch for silence under the handler's mutex.
//
// A fetch is worked on as a whole: what it asks for is in weir.enriched and weir.deadletter, then the
// balances are in weir.hosts, then its offsets are committed. Killed in between, the next owner does the
// same again: with the same numbers, so that lanes recognise what they have, or not at all where the
// balance has the offset already.
//
// It knows nothing of the kernel, nor of any destination.
package enrich
