// Package docgen makes docs/events.md of the .proto files: their comments say what kinds and columns mean,
// their options where these stand in ECS and OCSF. It knows nothing of encoders: what a form or a transform
// makes of a column is told by its own comment in options.proto.
package docgen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Generate adds events.md to the plugin's answer.
func Generate(p *protogen.Plugin) error {
	p.SupportedFeatures = 1 // proto3 optional
	d := &document{files: p.Files}
	d.write()
	if len(d.silent) > 0 {
		return fmt.Errorf("no comment says what these columns mean: %s", strings.Join(d.silent, ", "))
	}
	_, err := p.NewGeneratedFile("events.md", "").Write([]byte(d.out.String()))
	return err
}

// document is events.md on its way.
type document struct {
	files  []*protogen.File
	out    strings.Builder
	silent []string // columns without a comment
}

func (d *document) write() {
	d.text("# Events", "",
		"<!-- Made from proto/weir/v1/*.proto by protoc-gen-weirdoc. Do not edit: change the .proto files. -->", "",
		"What weir tells, as a SIEM shows it. Each event is one JSON document of the Elastic Common Schema (ECS); the",
		"path of a field in it is the first column below. In the batches on Kafka the same values stand in columns,",
		"which the second column names. A value that is absent leaves nothing behind in the document, and 0 in the",
		"column; where 0 is a value, the table says *always*.", "")
	d.overview()
	for _, k := range d.kinds() {
		d.kind(k)
	}
	d.shared()
	d.legend("Forms", "How a column's value is shown.", "Form", "FORM_")
	d.legend("Transforms", "What is made of a column beside its own value.", "Transform", "TRANSFORM_")
	d.raw()
}

func (d *document) text(lines ...string) {
	for _, l := range lines {
		d.out.WriteString(l + "\n")
	}
}

// kindMessage is a column group.
type kindMessage struct {
	*protogen.Message
	option *weirv1.Kind
	number protoreflect.FieldNumber
	column string // its name in Batch
}

// kinds returns the column groups in the order of their numbers.
func (d *document) kinds() []kindMessage {
	var all []kindMessage
	batch := d.message("Batch")
	for _, f := range batch.Fields {
		if f.Message == nil {
			continue
		}
		if k, ok := option[*weirv1.Kind](f.Message.Desc, weirv1.E_Kind); ok {
			all = append(all, kindMessage{f.Message, k, f.Desc.Number(), string(f.Desc.Name())})
		}
	}
	slices.SortFunc(all, func(a, b kindMessage) int { return cmp.Compare(a.number, b.number) })
	return all
}

func (d *document) message(name string) *protogen.Message {
	for _, f := range d.files {
		for _, m := range f.Messages {
			if string(m.Desc.Name()) == name {
				return m
			}
		}
	}
	panic("docgen: no message " + name)
}

func (d *document) enum(name string) *protogen.Enum {
	for _, f := range d.files {
		for _, e := range f.Enums {
			if string(e.Desc.Name()) == name {
				return e
			}
		}
	}
	panic("docgen: no enum " + name)
}

// option returns an option of a message, field or value, if it has it.
func option[T any](desc protoreflect.Descriptor, extension protoreflect.ExtensionType) (T, bool) {
	if !proto.HasExtension(desc.Options(), extension) {
		var none T
		return none, false
	}
	return proto.GetExtension(desc.Options(), extension).(T), true
}

var origins = map[weirv1.Origin]string{
	weirv1.Origin_ORIGIN_KERNEL:    "kernel",
	weirv1.Origin_ORIGIN_COLLECTOR: "collector",
	weirv1.Origin_ORIGIN_ENRICHER:  "enricher",
}

func (d *document) overview() {
	d.text("## Kinds", "")
	t := newTable("Kind", "No", "From", "event.category", "event.type", "OCSF", "What")
	for _, k := range d.kinds() {
		t.add("["+k.option.GetName()+"](#"+anchor(k.option.GetName())+")", number(k.number), origins[k.option.GetOrigin()],
			strings.Join(k.option.GetCategory(), ", "), strings.Join(k.option.GetType(), ", "), ocsfClass(k.option),
			firstSentence(comment(k.Comments)))
	}
	d.text(t.String())
}

func (d *document) kind(k kindMessage) {
	d.text("## "+k.option.GetName(), "", comment(k.Comments), "")
	facts := []string{
		"`weir.kind` " + k.option.GetName(), "`event.action` " + k.option.GetAction(),
		"`event.kind` " + cmp.Or(k.option.GetEventKind(), "event"),
	}
	for _, c := range k.option.GetConstants() {
		facts = append(facts, "`"+c.GetEcs()+"` "+c.GetValue())
	}
	if k.option.GetEndsProcess() {
		facts = append(facts, "`event.start` the actor's start, `event.duration` what has passed since")
	}
	d.text(strings.Join(facts, ", ")+".", "")
	d.fields(k.Message, func(path string) string { return path })
}

// shared writes what does not stand in a kind's own group.
func (d *document) shared() {
	d.text("## What every event has", "",
		"`event.id` is a 128-bit number by which copies of an event are recognised: that of the batch's row 0, which is",
		"the first 16 bytes of SHA-256 of host id, run id and batch number (8 bytes, big endian), plus the row. Beside it",
		"stand `ecs.version`, `event.module` and `agent.type` (both weir), `event.dataset` (weir. and the first part of",
		"the kind's name; of weir's own kinds weir.self) and `host.os.type`.", "")
	d.part("Common", "The row itself", func(path string) string { return path })
	d.part("Processes", "Processes", processPath)
	d.text("The table shows the actor's paths; those of other processes begin with their own object:", "")
	for _, v := range d.enum("Role").Values[1:] {
		d.text("- " + words(string(v.Desc.Name()), "ROLE_") + ": " + comment(v.Comments))
	}
	d.text("", "What ECS has no name for is put below weir, such as `weir.process.parent.exec_count`. `entity_id` beside the",
		"columns is the process's identity on all hosts and for ever.", "")
	for _, p := range [][2]string{
		{"Credentials", "Credentials at the time of the event"}, {"Cgroups", "Control group and container"}, {"Rungs", "Rung"},
		{"Header", "Host, boot and run"}, {"Instance", "Instance, joined by the enricher"},
		{"Deploy", "Deploy, joined by the enricher"}, {"Enrichment", "The join"},
	} {
		d.part(p[0], p[1], func(path string) string { return path })
	}
}

// processPath returns the actor's path of a column of Processes.
func processPath(path string) string {
	if own, ok := strings.CutPrefix(path, "weir."); ok {
		return "weir.process." + own
	}
	return "process." + path
}

func (d *document) part(message, title string, place func(string) string) {
	m := d.message(message)
	d.text("### "+title, "", comment(m.Comments), "")
	d.fields(m, place)
}

// raw tells of what no column is.
func (d *document) raw() {
	d.text("## Bytes that are no text", "",
		"Names, paths and arguments are bytes. Where they are not UTF-8, each invalid byte is shown as U+FFFD, and all",
		"bytes stand in base64 at `weir.raw.` and the field's path, such as `weir.raw.process.executable`. `weir.raw` is",
		"in `_source`, not in the index.")
}
