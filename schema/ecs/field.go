package ecs

import (
	"github.com/weirproject/weir/schema"
)

// Field is one place in the documents of a kind.
type Field struct {
	Path string
	// Column is the column or field that gives the value, such as "process_exec.mode"; "" where every event
	// has it.
	Column string
	// Mapping is its Elasticsearch field type; "" where it is not to be indexed.
	Mapping string
	// Own says that the column is one of the kind's own group.
	Own bool
}

// Fields returns the places in the documents of a kind. A path that several columns may give comes with
// each of them.
func Fields(k *schema.Kind) ([]Field, error) {
	l, err := compiled()
	if err != nil {
		return nil, err
	}
	var fields []Field
	for _, s := range l.programs[k.Number].specs {
		fields = append(fields, Field{Path: s.path, Column: s.column, Mapping: s.mapping, Own: s.source == fromRow})
	}
	return fields, nil
}
