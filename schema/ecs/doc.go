// Package ecs encodes the rows of a batch as JSON documents of the Elastic Common Schema, nested, and
// derives the index template that fits them.
//
//	descriptors ──New──► layout: a program a kind        (once a process)
//	batch, enrichment ──Encoder.Batch──► Documents        (columns bound)
//	row ──Documents.Append──► {"@timestamp":…}            (no allocation)
//
// The options of proto/weir/v1 say where each column stands (path), what it stands for (form), and what else
// is made of it (transform). From them a tree of paths is built for each kind, and from the tree a program
// of steps. What many rows share (header, inventory, each process, credentials, control group) is rendered
// when a row first needs it and copied from then on: a fragment. Two sources may meet in one object, as
// actor, credentials and row do in process: then the object is opened once, and each gives its members.
//
// Where two columns stand at one path, the row's own wins over a table's, and a table's over the header's. A
// row that names the id of an object which the header describes, such as weir.gap's host.id, speaks of
// another one: nothing of the header's stands in that object then. A value that is absent leaves nothing
// behind, neither null nor an empty object.
//
// Texts are bytes. Valid UTF-8 stands unchanged; otherwise each invalid byte is U+FFFD, and the bytes stand
// in base64 at weir.raw.<path>.
//
// It knows nothing of sinks, nor of how a batch was read.
package ecs

// Version is the version of ECS whose fields the documents use: ecs.version.
const Version = "9.0.0"
