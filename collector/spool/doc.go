// Package spool keeps sealed batches on disk until Kafka has them: bounded, checksummed, append-only
// segments, in order.
//
//	Append ─► segment n (written at once, synced within a second)
//	          segment 2 … n-1
//	Take   ◄─ segment 1 ─► removed once Ack says that Kafka has all of it
//
// Nothing in it is lost silently. What a full spool gives up leaves an entry that tells its numbers and
// rows, which the publisher makes a tombstone of; what is damaged on disk is passed over, counted and told
// by Losses; what a crash tore off is cut at Open, in the log. A full disk refuses the batch, which is then
// still the caller's.
//
// The core is package segment: bytes and decisions. This one does what it says: dir.go guards the
// directory, open.go finds what a run before has left, append.go, take.go and evict.go are the three ways of
// an entry, list.go reads a spool for people. One goroutine, Run, syncs. It knows nothing of Kafka.
package spool
