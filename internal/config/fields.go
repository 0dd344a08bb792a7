package config

import (
	"fmt"
	"reflect"
	"strings"
)

// keys are the keys of a struct, in its order.
type keys struct {
	names  []string
	byName map[string][]int // index for reflect.Value.FieldByIndex
}

// fields reads the keys off a struct's tags. A tag that is missing or comes twice is the programmer's
// mistake: it panics.
func fields(t reflect.Type) keys {
	k := keys{byName: map[string][]int{}}
	k.add(t, nil)
	return k
}

func (k *keys) add(t reflect.Type, prefix []int) {
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() && !f.Anonymous {
			continue
		}
		index := append(append([]int{}, prefix...), i)
		name, option, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case name == "-":
		case option == "inline" && f.Type.Kind() == reflect.Struct:
			k.add(f.Type, index)
		case name == "":
			panic(fmt.Sprintf("config: %s.%s has no yaml tag", t, f.Name))
		case k.byName[name] != nil:
			panic(fmt.Sprintf("config: %s has the key %s twice", t, name))
		default:
			k.names = append(k.names, name)
			k.byName[name] = index
		}
	}
}
