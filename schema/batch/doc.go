// Package batch builds, seals, verifies and reads what one Kafka record of weir.batches holds.
// docs/format/batch.md draws the bytes.
//
//	fillers ──Append──► Draft ──Seal──► Sealed ──► spool ──► Kafka ──Read──► Batch ──► rows
//
// A Draft lives as long as its collector and is filled again and again. A Batch is what was read: verified,
// bounded, and with columns that hold plain values. Everything here is a pure core: no clock, no file, no
// network; nothing but Read, Inspect and ReadEnriched is safe for concurrent use.
//
// It knows nothing of the kernel, of Kafka, nor of what the columns of a kind mean beyond their options.
package batch
