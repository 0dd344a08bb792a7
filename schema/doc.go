// Package schema is what weir's events are made of: the kinds with their columns, and the identities that
// events name.
//
// Kinds and columns are compiled from the descriptors of weirv1.Batch, which stay the only list of them.
// A Column leads from a generated message to its typed slice, so that whoever fills, reads or encodes a
// batch meets reflection once a column and batch, never once a value:
//
//	group, ok := schema.ProcessExit.In(b)      // *weirv1.ProcessExit as a proto.Message
//	for i := range schema.ProcessExit.Columns { // in the order of field numbers
//		values := schema.ProcessExit.Columns[i].Values(group) // values.Uint32 points at the slice
//	}
//
// It knows nothing of kernels, of Kafka, nor of any form but the batch's. It is one of the two packages, with
// proto/weir/v1, that are promised to outsiders.
package schema
