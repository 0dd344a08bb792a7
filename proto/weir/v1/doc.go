// Package weirv1 is the contract: what a batch, an enriched batch, a balance and the inventory are on the
// wire, generated from the .proto files beside it. They say what each field means; docs/events.md shows it as
// a SIEM does.
//
// It and package schema are what weir promises to others. It knows nothing of anything else.
package weirv1
