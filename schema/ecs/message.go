package ecs

import (
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema"
)

// message returns the specs of a message that is rendered once a batch, such as the header. Reflection is
// good enough for it.
func (c *compiler) message(m proto.Message, from source) []spec {
	var specs []spec
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		option, _ := proto.GetExtension(fd.Options(), weirv1.E_Field).(*weirv1.Field)
		if option.GetEcs() == "" {
			continue
		}
		own := c.fieldShape(fd, option)
		read := func(form) value { return fieldValue(fd, from, own.render) }
		made := transform(option.GetTransform(), option.GetEcs(), shape{mapping: own.mapping})
		made = append(made, product{path: option.GetEcs(), shape: shape{mapping: own.mapping}})
		specs = append(specs, c.specs(made, string(fd.Parent().Name())+"."+string(fd.Name()), from, read)...)
	}
	return specs
}

// fieldShape is what shape is for columns.
type fieldShape struct {
	render  func(dst []byte, v protoreflect.Value) []byte
	mapping string
}

func (c *compiler) fieldShape(fd protoreflect.FieldDescriptor, option *weirv1.Field) fieldShape {
	s, ok := fieldForms[option.GetForm()]
	if option.GetForm() == weirv1.Form_FORM_UNSPECIFIED {
		s, ok = plainFieldShape(fd)
	}
	if !ok {
		c.fail("field %v: %v of a %v has no shape in ECS", fd.FullName(), option.GetForm(), fd.Kind())
	}
	if option.GetMapping() != "" {
		s.mapping = option.GetMapping()
	}
	return s
}

var fieldForms = map[weirv1.Form]fieldShape{
	weirv1.Form_FORM_ID: {func(dst []byte, v protoreflect.Value) []byte {
		return appendHex(dst, v.Bytes())
	}, "keyword"},
	weirv1.Form_FORM_UNIX_TIME: {func(dst []byte, v protoreflect.Value) []byte {
		return appendTime(dst, v.Int())
	}, "date"},
	weirv1.Form_FORM_ADDRESS: {appendAddresses, "ip"},
}

func plainFieldShape(fd protoreflect.FieldDescriptor) (fieldShape, bool) {
	switch {
	case fd.IsMap():
		return fieldShape{appendLabels, "labels"}, true
	case fd.IsList():
		return fieldShape{}, false
	}
	switch fd.Kind() {
	case protoreflect.StringKind:
		return fieldShape{func(dst []byte, v protoreflect.Value) []byte {
			return appendString(dst, v.String())
		}, "keyword"}, true
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		return fieldShape{func(dst []byte, v protoreflect.Value) []byte {
			return strconv.AppendUint(dst, v.Uint(), 10)
		}, "long"}, true
	case protoreflect.EnumKind:
		return fieldShape{func(dst []byte, v protoreflect.Value) []byte {
			return appendEnum(dst, fd.Enum(), v.Enum())
		}, "keyword"}, true
	}
	return fieldShape{}, false
}

// fieldValue reads a field of the message that the row in hand has of from. A field that is not set, or 0,
// is none.
func fieldValue(fd protoreflect.FieldDescriptor, from source, render func([]byte, protoreflect.Value) []byte) value {
	return func(d *Documents, dst []byte) []byte {
		m := d.message(from)
		if m == nil || !m.ProtoReflect().Has(fd) {
			return dst
		}
		return render(dst, m.ProtoReflect().Get(fd))
	}
}

func appendEnum(dst []byte, enum protoreflect.EnumDescriptor, n protoreflect.EnumNumber) []byte {
	if v := enum.Values().ByNumber(n); v != nil {
		if label := schema.LabelOf(v); label != "" {
			return appendString(dst, label)
		}
	}
	return append(strconv.AppendInt(append(dst, '"'), int64(n), 10), '"')
}

func appendAddresses(dst []byte, v protoreflect.Value) []byte {
	start := len(dst)
	dst = append(dst, '[')
	for i := range v.List().Len() {
		before := len(dst)
		if dst = appendAddress(dst, v.List().Get(i).Bytes()); len(dst) > before {
			dst = append(dst, ',')
		}
	}
	if len(dst) == start+1 {
		return dst[:start]
	}
	dst[len(dst)-1] = ']'
	return dst
}

// appendLabels appends tags as ECS labels: keywords in one flat object. A dot in a key would make objects of
// it, so it becomes an underscore; where two keys become one, the first in order stays.
func appendLabels(dst []byte, v protoreflect.Value) []byte {
	keys := make([]string, 0, v.Map().Len())
	tags := map[string]string{}
	v.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k.String())
		return true
	})
	slices.Sort(keys)
	flat := keys[:0]
	for _, k := range keys {
		label := strings.ReplaceAll(strings.ToValidUTF8(k, "\ufffd"), ".", "_")
		if _, taken := tags[label]; label == "" || taken {
			continue
		}
		tags[label] = v.Map().Get(protoreflect.ValueOfString(k).MapKey()).String()
		flat = append(flat, label)
	}
	dst = append(dst, '{')
	for i, label := range flat {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(append(appendString(dst, label), ':'), tags[label])
	}
	return append(dst, '}')
}
