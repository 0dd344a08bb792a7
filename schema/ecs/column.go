package ecs

import (
	"slices"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// column returns the specs of one column of a table or group: its own, what its transform adds, and the raw
// bytes of a text.
func (c *compiler) column(t *schema.Table, column *schema.Column, from source, base string) []spec {
	path := place(base, column.Field.GetEcs())
	own := c.shapeOf(column)
	read := c.reader(t, column, from)
	made := slices.Concat(transform(column.Field.GetTransform(), path, own), c.traffic(t, column, own), c.community(t, column))
	switch column.Field.GetForm() {
	case weirv1.Form_FORM_TTY:
		made = append(made, product{path: path + ".major", shape: shape{appendTTYMajor, "long"}},
			product{path: path + ".minor", shape: shape{appendTTYMinor, "long"}})
	case weirv1.Form_FORM_HISTOGRAM:
		made = append(made, product{path: path + ".values", shape: shape{appendSlots, "long"}},
			product{path: path + ".counts", shape: shape{appendSlotCounts, "long"}})
	case weirv1.Form_FORM_TEXT, weirv1.Form_FORM_ARGUMENTS:
		made = append(made, product{path: path, shape: own}, product{path: "weir.raw." + path, shape: shape{appendRaw, ""}})
	default:
		made = append(made, product{path: path, shape: own})
	}
	return c.specs(made, t.Name+"."+column.Name, from, read)
}

// specs turns products of one column into specs.
func (c *compiler) specs(made []product, column string, from source, read func(form) value) []spec {
	var specs []spec
	for _, p := range made {
		s := c.spec(p.path, from, p.mapping, read(p.form))
		s.list, s.column = p.list, column
		if p.otherwise != "" {
			specs = append(specs, c.constant(p.path, p.otherwise))
		}
		specs = append(specs, s)
	}
	return specs
}

// reader returns what makes a value of a form: it reads the column's value in the entry of from, and leaves
// out a 0 that is none.
func (c *compiler) reader(t *schema.Table, column *schema.Column, from source) func(form) value {
	index := c.bind(t, column)
	always := column.Field.GetAlways()
	var plus uint64
	if column.Field.GetEncoding() == weirv1.Encoding_ENCODING_PLUS_ONE {
		plus = 1
	}
	return func(f form) value {
		return func(d *Documents, dst []byte) []byte {
			entry := d.entry[from]
			if entry == 0 {
				return dst
			}
			v := uint64(d.columns[index].Int(entry - 1))
			if v == 0 && !always {
				return dst
			}
			return f(d, dst, v-plus)
		}
	}
}

// traffic returns what the transforms of bytes make of a column: which end sent them hangs on who opened the
// connection. Where that is not known, nothing is said.
func (c *compiler) traffic(t *schema.Table, column *schema.Column, own shape) []product {
	var outbound, inbound string // where the bytes stand by the connection's direction
	switch column.Field.GetTransform() {
	case weirv1.Transform_TRANSFORM_SENT:
		outbound, inbound = "source.bytes", "destination.bytes"
	case weirv1.Transform_TRANSFORM_RECEIVED:
		outbound, inbound = "destination.bytes", "source.bytes"
	default:
		return nil
	}
	direction := c.beside(t, column, "network.direction")
	only := func(wanted weirv1.Direction) form {
		return func(d *Documents, dst []byte, v uint64) []byte {
			if weirv1.Direction(d.columns[direction].Int(d.entry[fromRow]-1)) != wanted {
				return dst
			}
			return own.form(d, dst, v)
		}
	}
	return []product{
		{path: outbound, shape: shape{only(weirv1.Direction_DIRECTION_OUTBOUND), own.mapping}},
		{path: inbound, shape: shape{only(weirv1.Direction_DIRECTION_INBOUND), own.mapping}},
	}
}

func (c *compiler) shapeOf(column *schema.Column) shape {
	s := plainShape(column)
	switch f := column.Field.GetForm(); f {
	case weirv1.Form_FORM_UNSPECIFIED, weirv1.Form_FORM_TTY, weirv1.Form_FORM_HISTOGRAM:
		// A terminal's number is two numbers, a histogram two lists: column makes them.
	default:
		known, ok := forms[f]
		if !ok {
			c.fail("column %s: %v has no shape in ECS", column.Name, f)
		}
		s = known
	}
	switch m := column.Field.GetMapping(); m {
	case "":
	case "keyword":
		s = shape{quoted(s.form), m}
	default:
		s.mapping = m
	}
	return s
}

// product is one value that is made of a column.
type product struct {
	path string
	shape
	list      bool
	otherwise string // what stands there where no column gives it a value
}

// transform returns what a transform makes of the column at path beside its own value.
func transform(t weirv1.Transform, path string, own shape) []product {
	switch t {
	case weirv1.Transform_TRANSFORM_OUTCOME:
		return []product{{path: "event.outcome", shape: shape{appendFailure, "keyword"}, otherwise: "success"}}
	case weirv1.Transform_TRANSFORM_UNKNOWN:
		return []product{{path: "event.outcome", shape: shape{appendUnknown, "keyword"}}}
	case weirv1.Transform_TRANSFORM_BASENAME:
		return []product{{path: sibling(path, "name"), shape: shape{appendBasename, "keyword"}}}
	case weirv1.Transform_TRANSFORM_COMMAND_LINE:
		return []product{{path: sibling(path, "command_line"), shape: shape{appendCommandLineOf, "command_line"}}}
	case weirv1.Transform_TRANSFORM_ENDPOINT:
		return []product{
			{path: sibling(path, "address"), shape: shape{own.form, "keyword"}},
			{path: "related.ip", shape: own, list: true},
			{path: "network.type", shape: shape{appendNetworkType, "keyword"}},
		}
	case weirv1.Transform_TRANSFORM_START:
		return []product{{path: "event.start", shape: shape{appendStart, "date"}}}
	case weirv1.Transform_TRANSFORM_HOST:
		return []product{{path: "host.name", shape: own}, {path: "related.hosts", shape: own, list: true}}
	case weirv1.Transform_TRANSFORM_USER:
		return []product{{path: "related.user", shape: own, list: true}}
	default:
		return nil
	}
}
