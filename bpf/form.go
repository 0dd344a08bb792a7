package bpf

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// Form is how a build lays out the samples of one kind: enough for another build to make its own of them.
type Form struct {
	Kind   string           // its name; "" of what the task iterator finds
	Bytes  int              // of the struct, which the sample's variable parts follow
	Fields map[string]Place // by their names from the outside in, such as "Head.Actor.Tid"
}

// Place is where a field lies: offset and bytes.
type Place [2]int

// Forms are those of this build, by the kinds' numbers.
func Forms() []Form {
	forms := make([]Form, kindCount)
	for number, s := range byKind {
		forms[number] = Form{Kind: enumerators().kinds[Kind(number)], Bytes: int(s.layout.Size()), Fields: make(map[string]Place)}
		place(forms[number].Fields, "", s.layout, 0)
	}
	return forms
}

func place(fields map[string]Place, within string, t reflect.Type, at int) {
	for f := range t.Fields() {
		switch {
		case f.Name == "_" || strings.HasPrefix(f.Name, "Pad"):
		case f.Type.Kind() == reflect.Struct:
			place(fields, within+f.Name+".", f.Type, at+int(f.Offset))
		default:
			fields[within+f.Name] = Place{at + int(f.Offset), int(f.Type.Size())}
		}
	}
}

// Converter makes samples of this build out of those of another one: fields are moved by their names. What only
// the other build knows is left out, what only this one knows is zero. It is not safe for concurrent use.
type Converter struct {
	kind, size Place        // in every sample of the other build
	from       []conversion // by the other build's numbers
	identity   [kindCount][]move
	seed       maphash.Seed
	room       []uint64 // samples lie at multiples of eight bytes
}

type conversion struct {
	name  string
	to    Kind // KindNone: this build has no such kind
	bytes int  // of the other build's struct
	moves []move

	key, value, keyKind int // offsets in the samples of counted kinds; key < 0: it is none
}

type move struct{ from, to, bytes int }

// A ForeignError is of a sample that another build made and that is not read: its kind is not known here, or its parts do not fit.
type ForeignError struct{ Kind string }

func (e *ForeignError) Error() string { return "sample of another build: " + e.Kind + " is not read" }

// NewConverter reads samples of the build that has these forms.
func NewConverter(forms []Form) *Converter {
	c := &Converter{seed: maphash.MakeSeed()}
	own := Forms()
	for _, f := range forms {
		c.kind, c.size = f.Fields["Head.Kind"], f.Fields["Head.Size"]
		v := conversion{name: f.Kind, bytes: f.Bytes, key: beginOf(f, "Key."), value: beginOf(f, "Count."), keyKind: f.Fields["Key.Kind"][0]}
		if kind, ok := KindNamed(f.Kind); ok {
			v.to, v.moves = kind, movesOf(f, own[kind])
			c.identity[kind] = slices.DeleteFunc(slices.Clone(v.moves), func(m move) bool { return isOfTheRun(own[kind], m) })
		}
		c.from = append(c.from, v)
	}
	return c
}

// beginOf returns where a struct begins within the samples of a kind; less than 0 where they have none.
func beginOf(f Form, within string) int {
	begin := -1
	for name, at := range f.Fields {
		if strings.HasPrefix(name, within) && (begin < 0 || at[0] < begin) {
			begin = at[0]
		}
	}
	return begin
}

// movesOf are in the order of the fields' names, so that hashes of several samples are made alike.
func movesOf(from, to Form) (moves []move) {
	for _, name := range slices.Sorted(maps.Keys(to.Fields)) {
		if place, ok := from.Fields[name]; ok {
			at := to.Fields[name]
			moves = append(moves, move{place[0], at[0], min(place[1], at[1])}) // little endian: the low bytes
		}
	}
	return moves
}

// isOfTheRun reports whether two programs on the same hook tell the field of one event differently: what each has
// counted, measured or drawn by itself.
func isOfTheRun(form Form, m move) bool {
	for name, place := range form.Fields {
		if place[0] != m.to {
			continue
		}
		last := name[strings.LastIndexByte(name, '.')+1:]
		switch last {
		case "Size", "Kind", "Program", "Sequence", "Socket", "Epoch":
			return true
		}
		return strings.HasSuffix(last, "Ns") && last != "StartNs"
	}
	return false
}

// Convert returns this build's sample, which is valid until the next call. The error is a *ForeignError, or a
// *SampleError where the bytes are no sample of the other build either.
func (c *Converter) Convert(raw []byte) ([]byte, error) {
	number, err := c.number(raw)
	if err != nil {
		return nil, err
	}
	v := c.from[number]
	if v.to == KindNone || len(raw) < v.bytes {
		return nil, &ForeignError{v.name}
	}
	layout := int(byKind[v.to].layout.Size())
	sample := c.empty(layout + len(raw) - v.bytes)
	for _, m := range v.moves {
		copy(sample[m.to:][:m.bytes], raw[m.from:])
	}
	copy(sample[layout:], raw[v.bytes:])
	head := (*Head)(unsafe.Pointer(&sample[0]))
	head.Kind, head.Size = uint16(v.to), uint32(len(sample))
	return sample, nil
}

// Count returns what the other build has counted by a key, as this build's sample of it. The error is a *ForeignError
// where it is of no kind that this build counts.
func (c *Converter) Count(key, value []byte) (*CountSample, error) {
	for number, v := range c.from {
		if v.key < 0 || v.to == KindNone || v.key+len(key) > v.bytes || v.value+len(value) > v.bytes {
			continue
		}
		raw := make([]byte, v.bytes)
		copy(raw[v.key:], key)
		copy(raw[v.value:], value)
		if int(binary.NativeEndian.Uint16(raw[v.keyKind:])) != number {
			continue
		}
		binary.NativeEndian.PutUint32(raw[c.size[0]:], uint32(len(raw)))
		binary.NativeEndian.PutUint16(raw[c.kind[0]:], uint16(number))
		sample, err := c.Convert(raw)
		if err != nil {
			return nil, err
		}
		if byKind[v.to].layout != reflect.TypeFor[CountSample]() {
			break
		}
		counted := *(*CountSample)(unsafe.Pointer(&sample[0]))
		counted.Key.Kind = uint16(v.to)
		return &counted, nil
	}
	return nil, &ForeignError{"a counted kind"}
}

func (c *Converter) number(raw []byte) (int, error) {
	if len(raw) < max(c.kind[0]+2, c.size[0]+4) || int(binary.NativeEndian.Uint32(raw[c.size[0]:])) != len(raw) {
		return 0, &SampleError{len(raw), "is not of the build that its attachment names"}
	}
	number := int(binary.NativeEndian.Uint16(raw[c.kind[0]:]))
	if number >= len(c.from) {
		return 0, &SampleError{len(raw), fmt.Sprintf("kind %d is not of the build that its attachment names", number)}
	}
	return number, nil
}

func (c *Converter) empty(size int) []byte {
	words := (size + 7) / 8
	if words > len(c.room) {
		c.room = make([]uint64, words)
	}
	clear(c.room[:words])
	return unsafe.Slice((*byte)(unsafe.Pointer(&c.room[0])), size)
}

// Identity is the same for samples of this build that tell of the same event, be they converted or not, and, but for
// the rarest chance, of no others near it. raw is a sample that Convert or this build's ring has given.
func (c *Converter) Identity(raw []byte) uint64 {
	head := (*Head)(unsafe.Pointer(unsafe.SliceData(raw)))
	var h maphash.Hash
	h.SetSeed(c.seed)
	h.WriteByte(byte(head.Kind))
	for _, m := range c.identity[head.Kind] {
		h.Write(raw[m.to:][:m.bytes])
	}
	return h.Sum64()
}

// HeadOf returns the head of a sample, or a *SampleError.
func HeadOf(raw []byte) (*Head, error) { return headOf(raw) }
