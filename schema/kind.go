package schema

import (
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Version is the version of the wire that this package describes: Header.schema_version. New kinds and
// columns do not raise it.
const Version = 1

// The kinds. TestEveryKindHasAVariable names a missing one.
var (
	ProcessExec       = kindOf(&weirv1.ProcessExec{})
	ProcessExit       = kindOf(&weirv1.ProcessExit{})
	ProcessFork       = kindOf(&weirv1.ProcessFork{})
	NetworkConnect    = kindOf(&weirv1.NetworkConnect{})
	NetworkListen     = kindOf(&weirv1.NetworkListen{})
	NetworkClose      = kindOf(&weirv1.NetworkClose{})
	CapabilityCheck   = kindOf(&weirv1.CapabilityCheck{})
	NetworkRetransmit = kindOf(&weirv1.NetworkRetransmit{})
	SocketCreate      = kindOf(&weirv1.SocketCreate{})
	BlockIo           = kindOf(&weirv1.BlockIo{})
	WeirStarted       = kindOf(&weirv1.WeirStarted{})
	WeirStopped       = kindOf(&weirv1.WeirStopped{})
	WeirHeartbeat     = kindOf(&weirv1.WeirHeartbeat{})
	WeirGap           = kindOf(&weirv1.WeirGap{})
	WeirLoss          = kindOf(&weirv1.WeirLoss{})
	ProcessExecFailed = kindOf(&weirv1.ProcessExecFailed{})
	NetworkAccept     = kindOf(&weirv1.NetworkAccept{})
)

// The tables that the rows of all kinds share.
var (
	Processes   = tableOf(&weirv1.Processes{})
	Credentials = tableOf(&weirv1.Credentials{})
	Cgroups     = tableOf(&weirv1.Cgroups{})
	Rungs       = tableOf(&weirv1.Rungs{})
	Common      = tableOf(&weirv1.Common{})
)

// Table is one message of Batch whose fields are all columns.
type Table struct {
	// Number and Name of its field in Batch, such as 3 and "processes".
	Number uint32
	Name   string
	// Options is nil where the message has no (table) option.
	Options *weirv1.Table
	// Columns in the order of their field numbers.
	Columns []Column

	field int // of the generated struct weirv1.Batch
	typ   reflect.Type
}

// Kind is one kind of event. Its Table is its column group; the group's number is the kind's.
type Kind struct {
	Table
	// Name is noun.verb, such as "process.exec".
	Name    string
	Options *weirv1.Kind
}

func (k *Kind) String() string { return k.Name }

// Kinds returns every kind, in the order of their numbers.
func Kinds() iter.Seq[*Kind] { return slices.Values(compiled().kinds) }

// Tables returns every table that is no column group, in the order of their numbers.
func Tables() iter.Seq[*Table] { return slices.Values(compiled().tables) }

// KindByName finds a kind by a name such as "process.exec".
func KindByName(name string) (*Kind, bool) {
	k, ok := compiled().byName[name]
	return k, ok
}

// KindLabel returns a kind's name for a metric: "other" for all that this weir does not know, since who seals
// batches can invent any number of names.
func KindLabel(name string) string {
	if _, ok := KindByName(name); !ok {
		return "other"
	}
	return name
}

// KindByNumber finds a kind by the number of its column group.
func KindByNumber(number uint32) (*Kind, bool) {
	k, ok := compiled().byNumber[number]
	return k, ok
}

// In returns the table's message in b, if b has it.
func (t *Table) In(b *weirv1.Batch) (proto.Message, bool) {
	field := reflect.ValueOf(b).Elem().Field(t.field)
	if field.IsNil() {
		return nil, false
	}
	return field.Interface().(proto.Message), true
}

// Put makes m, which is of the table's type, the table's message in b.
func (t *Table) Put(b *weirv1.Batch, m proto.Message) {
	reflect.ValueOf(b).Elem().Field(t.field).Set(reflect.ValueOf(m))
}

// Remove takes the table's message out of b.
func (t *Table) Remove(b *weirv1.Batch) {
	reflect.ValueOf(b).Elem().Field(t.field).SetZero()
}

// New returns an empty message of the table's type.
func (t *Table) New() proto.Message {
	return reflect.New(t.typ).Interface().(proto.Message)
}

// registry is all that the descriptor of Batch says of kinds and tables.
type registry struct {
	kinds    []*Kind
	tables   []*Table
	byName   map[string]*Kind
	byNumber map[uint32]*Kind
}

// compiled is the registry. BenchmarkCompile tells what a process pays for it at its start.
var compiled = sync.OnceValue(compile)

func compile() *registry {
	r := &registry{byName: map[string]*Kind{}, byNumber: map[uint32]*Kind{}}
	fields := (&weirv1.Batch{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); !f.IsList() && onlyColumns(f.Message()) {
			r.add(f)
		}
	}
	slices.SortFunc(r.kinds, func(a, b *Kind) int { return int(a.Number) - int(b.Number) })
	slices.SortFunc(r.tables, func(a, b *Table) int { return int(a.Number) - int(b.Number) })
	return r
}

// onlyColumns tells the messages of columns from the others, such as Header.
func onlyColumns(message protoreflect.MessageDescriptor) bool {
	fields := message.Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); !f.IsList() || f.Message() != nil {
			return false
		}
	}
	return fields.Len() > 0
}

func (r *registry) add(f protoreflect.FieldDescriptor) {
	batch := reflect.TypeFor[weirv1.Batch]()
	field := structField(batch, f)
	typ := batch.Field(field).Type.Elem()
	table := Table{
		Number:  uint32(f.Number()),
		Name:    string(f.Name()),
		Columns: compileColumns(f.Message(), typ),
		field:   field,
		typ:     typ,
	}
	options := f.Message().Options()
	if proto.HasExtension(options, weirv1.E_Kind) {
		kind := &Kind{Table: table, Options: proto.GetExtension(options, weirv1.E_Kind).(*weirv1.Kind)}
		kind.Name = kind.Options.GetName()
		r.kinds = append(r.kinds, kind)
		r.byName[kind.Name] = kind
		r.byNumber[kind.Number] = kind
		return
	}
	if proto.HasExtension(options, weirv1.E_Table) {
		table.Options = proto.GetExtension(options, weirv1.E_Table).(*weirv1.Table)
	}
	r.tables = append(r.tables, &table)
}

// structField returns the index of the generated struct's field that holds f, by the number in its tag.
func structField(typ reflect.Type, f protoreflect.FieldDescriptor) int {
	number := fmt.Sprint(f.Number())
	for i := range typ.NumField() {
		tag := strings.Split(typ.Field(i).Tag.Get("protobuf"), ",")
		if len(tag) > 1 && tag[1] == number {
			return i
		}
	}
	panic(fmt.Sprintf("schema: %v has no field for %v: generated code is stale", typ, f.FullName()))
}

func kindOf(m proto.Message) *Kind {
	typ := reflect.TypeOf(m).Elem()
	for _, k := range compiled().kinds {
		if k.typ == typ {
			return k
		}
	}
	panic(fmt.Sprintf("schema: %v is no column group of Batch", typ))
}

func tableOf(m proto.Message) *Table {
	typ := reflect.TypeOf(m).Elem()
	for _, t := range compiled().tables {
		if t.typ == typ {
			return t
		}
	}
	panic(fmt.Sprintf("schema: %v is no table of Batch", typ))
}
