package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"
)

// decode reads n into v, which is settable and holds the defaults.
func decode(n *Node, v reflect.Value) Faults {
	if n.yaml.Kind == yaml.AliasNode || n.yaml.Anchor != "" {
		return Faults{n.Fault("anchors and aliases are not taken; write the value itself")}
	}
	if d, ok := v.Addr().Interface().(Decoder); ok {
		return n.locate(flatten(d.DecodeConfig(n)))
	}
	if isScalar(v) {
		return decodeScalar(n, v)
	}
	switch v.Kind() {
	case reflect.Struct:
		return decodeStruct(n, v)
	case reflect.Pointer:
		return decodePointer(n, v)
	case reflect.Slice:
		return decodeList(n, v)
	case reflect.Map:
		return decodeMap(n, v)
	}
	panic(fmt.Sprintf("config: %s: no form for %s", n.path, v.Type()))
}

func isScalar(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		_, ok := v.Addr().Interface().(encoding.TextUnmarshaler)
		return ok
	}
	return true
}

func decodeStruct(n *Node, v reflect.Value) Faults {
	entries, err := n.Entries()
	faults := flatten(err)
	known := fields(v.Type())
	written := make(map[string]bool, len(entries))
	for _, e := range entries {
		field, ok := known.byName[e.Name]
		if !ok {
			faults = append(faults, e.Unknown("key", known.names))
			continue
		}
		written[e.Name] = true
		faults = append(faults, decode(e.Value, v.FieldByIndex(field))...)
	}
	for _, name := range known.names {
		if !written[name] {
			faults = append(faults, validateAbsent(n.absent(name), v.FieldByIndex(known.byName[name]))...)
		}
	}
	if len(faults) > 0 {
		return faults // what Validate would say of values that could not be read is noise
	}
	return validate(n, v)
}

// validateAbsent validates the defaults of structs that the file does not mention.
func validateAbsent(n *Node, v reflect.Value) Faults {
	if _, own := v.Addr().Interface().(Decoder); own || v.Kind() != reflect.Struct || isScalar(v) {
		return nil
	}
	return decodeStruct(n, v)
}

func validate(n *Node, v reflect.Value) Faults {
	check, ok := v.Addr().Interface().(Validator)
	if !ok {
		return nil
	}
	return n.locate(flatten(check.Validate()))
}

// decodePointer makes what a pointer points to from its zero value, or keeps the default's.
func decodePointer(n *Node, v reflect.Value) Faults {
	if v.IsNil() {
		v.Set(reflect.New(v.Type().Elem()))
	}
	return decode(n, v.Elem())
}

func decodeList(n *Node, v reflect.Value) Faults {
	if n.yaml.Kind != yaml.SequenceNode {
		return Faults{n.wrong("a list", "[a, b] or one item a line after a dash")}
	}
	var faults Faults
	list := reflect.MakeSlice(v.Type(), len(n.yaml.Content), len(n.yaml.Content))
	for i, item := range n.yaml.Content {
		element := &Node{file: n.file, path: fmt.Sprintf("%s[%d]", n.path, i), key: item, yaml: item}
		faults = append(faults, decode(element, list.Index(i))...)
	}
	v.Set(list)
	return faults
}

func decodeMap(n *Node, v reflect.Value) Faults {
	entries, err := n.Entries()
	faults := flatten(err)
	m := reflect.MakeMapWithSize(v.Type(), len(entries))
	for _, e := range entries {
		value := reflect.New(v.Type().Elem()).Elem()
		faults = append(faults, decode(e.Value, value)...)
		m.SetMapIndex(reflect.ValueOf(e.Name).Convert(v.Type().Key()), value)
	}
	v.Set(m)
	return faults
}

func decodeScalar(n *Node, v reflect.Value) Faults {
	want := expectation(v)
	switch {
	case n.IsEmpty():
		return Faults{n.Fault("has no value; write %s, or leave the key out", want.write)}
	case n.yaml.Kind != yaml.ScalarNode:
		return Faults{n.wrong(want.what, want.write)}
	}
	if e, ok := v.Interface().(Enum); ok && !slices.Contains(e.Words(), n.yaml.Value) {
		return Faults{n.Fault("%s is unknown; %s", n.describe(), oneOf(n.yaml.Value, e.Words()))}
	}
	err := setScalar(v, n.yaml)
	switch {
	case err == nil:
		return nil
	case v.Type() == reflect.TypeFor[Secret]():
		return Faults{n.Fault("%s", err)} // without the value, which may be the secret itself
	}
	return Faults{n.wrong(want.what, want.write)}
}

func setScalar(v reflect.Value, y *yaml.Node) error {
	if t, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return t.UnmarshalText([]byte(y.Value))
	}
	if v.Type() == reflect.TypeFor[time.Duration]() {
		d, err := time.ParseDuration(y.Value)
		v.SetInt(int64(d))
		return err
	}
	return setBasic(v, y)
}
