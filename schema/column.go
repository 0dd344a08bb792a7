package schema

import (
	"fmt"
	"reflect"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Column is one column of a table or of a column group.
type Column struct {
	// Number and Name of its field, such as 2 and "argument_count".
	Number uint32
	Name   string
	// Type of its values in Go.
	Type Type
	// Field is its option; never nil.
	Field *weirv1.Field
	// Labels of an enum's values, by number; "" where a number has none.
	Labels []string

	field int // of the generated struct
}

// Type is the type of a column's values.
type Type uint8

// The types. An enum's values are read as int32.
const (
	Uint32 Type = iota + 1
	Uint64
	Int32
	Int64
	Bool
	Enum
)

// Values points at the typed slice of one column in one message: exactly one pointer is set, the one that
// the column's Type names; Enum sets Int32.
type Values struct {
	Uint32 *[]uint32
	Uint64 *[]uint64
	Int32  *[]int32
	Int64  *[]int64
	Bool   *[]bool
}

// Values finds the column in m, which is of the message type that the column belongs to.
func (c *Column) Values(m proto.Message) Values {
	slice := reflect.ValueOf(m).Elem().Field(c.field).Addr()
	switch c.Type {
	case Uint32:
		return Values{Uint32: slice.Interface().(*[]uint32)}
	case Uint64:
		return Values{Uint64: slice.Interface().(*[]uint64)}
	case Int32:
		return Values{Int32: slice.Interface().(*[]int32)}
	case Int64:
		return Values{Int64: slice.Interface().(*[]int64)}
	case Bool:
		return Values{Bool: slice.Interface().(*[]bool)}
	default:
		// A generated enum is declared as an int32, so the slices are of one shape.
		return Values{Int32: (*[]int32)(slice.UnsafePointer())}
	}
}

// Len returns the number of values. A column that a batch leaves out has none, and each row has 0.
func (v Values) Len() int {
	switch {
	case v.Uint32 != nil:
		return len(*v.Uint32)
	case v.Uint64 != nil:
		return len(*v.Uint64)
	case v.Int32 != nil:
		return len(*v.Int32)
	case v.Int64 != nil:
		return len(*v.Int64)
	default:
		return len(*v.Bool)
	}
}

// Int returns the value of a row, 0 where the column is left out; true is 1, and a uint64 above the int64s
// comes out as its two's complement. It is for those who have a few values to read.
func (v Values) Int(row int) int64 {
	switch {
	case v.Uint32 != nil:
		return int64(At(*v.Uint32, row))
	case v.Uint64 != nil:
		return int64(At(*v.Uint64, row))
	case v.Int32 != nil:
		return int64(At(*v.Int32, row))
	case v.Int64 != nil:
		return At(*v.Int64, row)
	case At(*v.Bool, row):
		return 1
	default:
		return 0
	}
}

// At returns a row's value in a column that may be left out.
func At[T any](column []T, row int) T {
	if row < len(column) {
		return column[row]
	}
	var none T
	return none
}

func compileColumns(message protoreflect.MessageDescriptor, typ reflect.Type) []Column {
	fields := message.Fields()
	columns := make([]Column, 0, fields.Len())
	for i := range fields.Len() {
		columns = append(columns, compileColumn(fields.Get(i), typ))
	}
	return columns
}

func compileColumn(f protoreflect.FieldDescriptor, typ reflect.Type) Column {
	c := Column{
		Number: uint32(f.Number()),
		Name:   string(f.Name()),
		Type:   typeOf(f),
		Field:  &weirv1.Field{},
		field:  structField(typ, f),
	}
	if proto.HasExtension(f.Options(), weirv1.E_Field) {
		c.Field = proto.GetExtension(f.Options(), weirv1.E_Field).(*weirv1.Field)
	}
	if c.Type == Enum {
		c.Labels = labels(f.Enum())
	}
	return c
}

func typeOf(f protoreflect.FieldDescriptor) Type {
	switch f.Kind() {
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return Uint32
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return Uint64
	case protoreflect.Sint32Kind, protoreflect.Int32Kind, protoreflect.Sfixed32Kind:
		return Int32
	case protoreflect.Sint64Kind, protoreflect.Int64Kind, protoreflect.Sfixed64Kind:
		return Int64
	case protoreflect.BoolKind:
		return Bool
	case protoreflect.EnumKind:
		return Enum
	default:
		panic(fmt.Sprintf("schema: %v: a column cannot be of type %v", f.FullName(), f.Kind()))
	}
}

// labels returns the (label) options of an enum's values, which are small numbers without gaps worth a map.
func labels(enum protoreflect.EnumDescriptor) []string {
	var all []string
	values := enum.Values()
	for i := range values.Len() {
		v := values.Get(i)
		for len(all) <= int(v.Number()) {
			all = append(all, "")
		}
		all[v.Number()] = LabelOf(v)
	}
	return all
}

// LabelOf returns the name that the contract gives an enum's value, such as "egress"; "" where it gives none.
func LabelOf(v protoreflect.EnumValueDescriptor) string {
	label, _ := proto.GetExtension(v.Options(), weirv1.E_Label).(string)
	return label
}
