package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

const nullTag = "!!null"

// Node is one value of the file, with its place. A [Decoder] is handed one.
type Node struct {
	file string
	path string // of the key whose value it is; empty at the root
	key  *yaml.Node
	yaml *yaml.Node
}

// Entry is one key of a map.
type Entry struct {
	Name  string
	Value *Node
}

// Path returns the path of the node's key, such as "sinks.siem".
func (n *Node) Path() string { return n.path }

// IsEmpty reports whether the key stands there without a value.
func (n *Node) IsEmpty() bool { return n.yaml.Kind == yaml.ScalarNode && n.yaml.Tag == nullTag }

// Decode reads the node into what v points to, which holds the defaults, and validates it. v may be an
// interface that holds such a pointer.
func (n *Node) Decode(v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		panic(fmt.Sprintf("config: cannot decode into %T, only through a pointer", v))
	}
	return decode(n, p.Elem()).err()
}

// Entries returns a map's keys with their values, in the file's order. An empty node has none. Keys that
// come twice are faults.
func (n *Node) Entries() ([]Entry, error) {
	if n.IsEmpty() {
		return nil, nil
	}
	if n.yaml.Kind != yaml.MappingNode {
		return nil, Faults{n.wrong("a map of keys", "key: value")}
	}
	var faults Faults
	entries := make([]Entry, 0, len(n.yaml.Content)/2)
	lines := make(map[string]int, len(n.yaml.Content)/2)
	for i := 0; i+1 < len(n.yaml.Content); i += 2 {
		key, value := n.yaml.Content[i], n.yaml.Content[i+1]
		e := Entry{key.Value, &Node{file: n.file, path: join(n.path, key.Value), key: key, yaml: value}}
		switch first, twice := lines[key.Value]; {
		case key.Kind != yaml.ScalarNode:
			faults = append(faults, n.fault(key, "", "a key is a word, not a list or a map"))
		case twice:
			faults = append(faults, e.Fault("the key stands in line %d already", first))
		default:
			lines[key.Value] = key.Line
			entries = append(entries, e)
		}
	}
	return entries, faults.err()
}

// Only returns the one key of a map that has to have exactly one, such as the type of a destination; known
// are the keys that it may be.
func (n *Node) Only(known []string) (Entry, error) {
	entries, err := n.Entries()
	if err != nil {
		return Entry{}, err
	}
	if len(entries) != 1 {
		return Entry{}, Faults{n.Fault("has %d keys; it takes exactly one of %s", len(entries), strings.Join(known, ", "))}
	}
	return entries[0], nil
}

// Unknown is the fault of a key that is none of known; what says what such a key is, such as "destination".
func (e Entry) Unknown(what string, known []string) *Fault {
	return e.Fault("%s", unknown(what, e.Name, known))
}

// Fault is a fault at the key itself, not at its value.
func (e Entry) Fault(format string, args ...any) *Fault {
	return e.Value.fault(e.Value.key, "", format, args...)
}

// Fault is a fault at the value.
func (n *Node) Fault(format string, args ...any) *Fault {
	return n.fault(n.yaml, "", format, args...)
}

// wrong is the fault of a value that is not what its key takes.
func (n *Node) wrong(what, write string) *Fault {
	return n.Fault("%s is not %s; write %s", n.describe(), what, write)
}

// describe names the value in a fault.
func (n *Node) describe() string {
	switch {
	case n.IsEmpty():
		return "an empty value"
	case n.yaml.Kind == yaml.MappingNode:
		return "a map"
	case n.yaml.Kind == yaml.SequenceNode:
		return "a list"
	case n.yaml.Kind == yaml.AliasNode:
		return "an alias"
	}
	return fmt.Sprintf("%.60q", n.yaml.Value)
}

func (n *Node) fault(at *yaml.Node, key, format string, args ...any) *Fault {
	f := &Fault{File: n.file, Key: join(n.path, key), Text: fmt.Sprintf(format, args...)}
	if at != nil {
		f.Line, f.Column = at.Line, at.Column
	}
	return f
}

// locate gives faults of Validate their file, line and path: the place of the key if it is written, else
// that of the nearest written key above it.
func (n *Node) locate(faults Faults) Faults {
	located := make(Faults, len(faults))
	for i, f := range faults {
		located[i] = f
		if f.File == "" {
			located[i] = n.fault(n.find(f.Key), f.Key, "%s", f.Text)
		}
	}
	return located
}

func (n *Node) find(path string) *yaml.Node {
	at, m := n.key, n.yaml
	if path == "" && m.Line > 0 && at != nil {
		return m
	}
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, ".")
		name, index, inList := strings.Cut(name, "[")
		if m = child(m, name); m == nil {
			return at
		}
		if inList {
			m = item(m, strings.TrimSuffix(index, "]"))
		}
		at = m
	}
	return at
}

// absent stands for a key that the file does not have. Its place is that of the map that lacks it.
func (n *Node) absent(name string) *Node {
	return &Node{file: n.file, path: join(n.path, name), key: n.key, yaml: &yaml.Node{Kind: yaml.MappingNode}}
}

func child(m *yaml.Node, name string) *yaml.Node {
	if m.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == name {
			return m.Content[i+1]
		}
	}
	return nil
}

// item returns an item of a list, or the list itself where it has no such item.
func item(list *yaml.Node, index string) *yaml.Node {
	i, err := strconv.Atoi(index)
	if err != nil || list.Kind != yaml.SequenceNode || i < 0 || i >= len(list.Content) {
		return list
	}
	return list.Content[i]
}

func join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}
