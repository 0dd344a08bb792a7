// Package config reads a YAML file into a struct that holds the defaults, strictly: what the struct does
// not know, or what does not fit, is a fault with its line, its column, the key's path and what would do.
// All faults are told, not only the first.
//
//	cfg := Default()
//	err := config.Load("/etc/weir/collector.yaml", &cfg)
//
//	collector.yaml:14:13: spool.max_bytes: "5 gigs" is not a size; write a number with a unit, such as 5GiB
//
// # What may be configured
//
// Every exported field of the struct has a tag `yaml:"name"`; `yaml:"-"` leaves a field out and
// `yaml:",inline"` makes the keys of an embedded struct the outer one's. A field is a bool, a number, a
// string, a [time.Duration], a [Size], a [Secret], an enum (a string type with Words), anything that
// implements [encoding.TextUnmarshaler] (such as [net/netip.Prefix]), a struct, a pointer to one (nil is
// "not configured"), a list, or a map from names. A type that chooses its own form implements [Decoder].
// Lists and maps of the file replace those of the defaults; structs are merged into them.
//
// A struct that implements [Validator] is asked once its own keys are read; it names keys by [Invalid].
//
// It knows nothing of what is configured, and reads no environment variables.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"

	"go.yaml.in/yaml/v3"
	"golang.org/x/sys/unix"
)

// MaxBytes bounds the size of a configuration file.
const MaxBytes = 1 << 20

// Validator is implemented by structs with rules beyond the types of their keys. Nested structs are asked
// by the decoder, before those that hold them.
type Validator interface {
	// Validate joins all faults, each made by [Invalid].
	Validate() error
}

// Decoder is implemented by types that choose their own form in the file, such as a map from one name to
// what that name means.
type Decoder interface {
	DecodeConfig(n *Node) error
}

// Load reads the file at path into the struct that into points to, which holds the defaults. The error is
// [Faults] where the file can be read but is wrong.
func Load(path string, into any) error {
	data, err := ReadFile(path, MaxBytes)
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	return Decode(path, data, into)
}

// Decode is [Load] of data that is already read; faults call it name.
func Decode(name string, data []byte, into any) error {
	v := reflect.ValueOf(into)
	if v.Kind() != reflect.Pointer || v.Elem().Kind() != reflect.Struct {
		panic(fmt.Sprintf("config: cannot decode into %T, only into a pointer to a struct", into))
	}
	root, err := parse(name, data)
	if err != nil {
		return err
	}
	return decode(root, v.Elem()).err()
}

// ReadFile reads a regular file of at most so many bytes.
func ReadFile(path string, most Size) ([]byte, error) {
	// A pipe without a writer would be waited for, and no signal would end that.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is no regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if len(data) > int(most) {
		return nil, fmt.Errorf("%s: larger than %s", path, most)
	}
	return data, nil
}

// parse returns the root of a file's only document. An empty file has an empty root.
func parse(name string, data []byte) (*Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return &Node{file: name, yaml: &yaml.Node{Kind: yaml.ScalarNode, Tag: nullTag}}, nil
	case err != nil:
		return nil, Faults{syntaxFault(name, err)}
	}
	root := &Node{file: name, yaml: doc.Content[0]}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
		return root, nil
	case err != nil:
		return nil, Faults{syntaxFault(name, err)}
	}
	return nil, Faults{{File: name, Line: second.Line, Column: second.Column, Text: "a second document; a file holds one"}}
}
