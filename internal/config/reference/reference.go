package main

import (
	"fmt"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"github.com/weirproject/weir/internal/config"
)

// key is one line of the reference.
type key struct {
	path, form, standard, meaning string
}

// section is one struct with its defaults: a program's file, or what stands under a destination's name.
type section struct {
	title    string
	intro    string
	defaults any // a pointer to a struct that holds them
}

func (s section) write(w io.Writer, comments *comments) error {
	keys, err := keysOf(comments, "", reflect.ValueOf(s.defaults).Elem())
	if err != nil {
		return fmt.Errorf("%s: %w", s.title, err)
	}
	fmt.Fprintf(w, "\n## %s\n\n%s\n", s.title, s.intro)
	if len(keys) == 0 {
		_, err := fmt.Fprint(w, "\nIt has no keys.\n")
		return err
	}
	fmt.Fprint(w, "\n| key | type | default | meaning |\n|---|---|---|---|\n")
	for _, k := range keys {
		if _, err := fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", k.path, k.form, k.standard, k.meaning); err != nil {
			return err
		}
	}
	return nil
}

// keysOf lists the keys of a struct and of the structs in it, in their order.
func keysOf(comments *comments, prefix string, v reflect.Value) ([]key, error) {
	docs, err := comments.of(v.Type())
	if err != nil {
		return nil, err
	}
	var keys []key
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		name, option, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		path := prefix + name
		var nested []key
		switch {
		case option == "inline":
			nested, err = keysOf(comments, prefix, value)
		case name == "" || name == "-":
			continue
		default:
			nested, err = keysAt(comments, path, value, docs[field.Name])
		}
		if err != nil {
			return nil, err
		}
		keys = append(keys, nested...)
	}
	return keys, nil
}

// keysAt lists one key, and what is below it.
func keysAt(comments *comments, path string, v reflect.Value, doc string) ([]key, error) {
	if doc == "" {
		return nil, fmt.Errorf("%s has no comment: it is the reference's text", path)
	}
	own := key{path: path, form: form(v.Type()), standard: standard(v), meaning: doc}
	var below []key
	var err error
	switch {
	case decodesItself(v.Type()):
		own.standard = ""
	case isSection(v.Type()):
		own.standard = ""
		below, err = keysOf(comments, path+".", v)
	case v.Kind() == reflect.Pointer:
		below, err = keysOf(comments, path+".", reflect.New(v.Type().Elem()).Elem())
	case (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && isSection(v.Type().Elem()):
		below, err = keysOf(comments, path+"[].", reflect.New(v.Type().Elem()).Elem())
	}
	return append([]key{own}, below...), err
}

// isSection tells a struct of keys from a value that happens to be a struct.
func isSection(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && form(t) == formSection && !decodesItself(t)
}

// decodesItself tells a type whose keys are another section of the page.
func decodesItself(t reflect.Type) bool {
	_, ok := reflect.New(t).Interface().(config.Decoder)
	return ok
}

const formSection = "section"

// form says in words what a key takes.
func form(t reflect.Type) string {
	v := reflect.Zero(t).Interface()
	if e, ok := v.(config.Enum); ok {
		return "one of `" + strings.Join(e.Words(), "`, `") + "`"
	}
	switch x := v.(type) {
	case config.Expecter:
		what, _ := x.Expect()
		return strings.TrimPrefix(strings.TrimPrefix(what, "a "), "an ")
	case time.Duration:
		return "duration"
	case netip.Addr:
		return "IP address"
	case netip.AddrPort:
		return "address:port"
	case netip.Prefix:
		return "network"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "text"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list of " + form(t.Elem())
	case reflect.Map:
		return "map of names to " + form(t.Elem())
	case reflect.Pointer:
		return "optional " + form(t.Elem())
	case reflect.Struct:
		return formSection
	}
	return "whole number"
}

// standard shows a default as it would be written.
func standard(v reflect.Value) string {
	switch {
	case v.IsZero() && v.Kind() != reflect.Bool && !v.CanInt() && !v.CanUint() && !v.CanFloat():
		return "none"
	case v.Kind() == reflect.Pointer || v.Kind() == reflect.Map:
		return "see below"
	case v.Kind() == reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = fmt.Sprint(v.Index(i).Interface())
		}
		return "`[" + strings.Join(items, ", ") + "]`"
	case v.Type() == reflect.TypeFor[time.Duration]():
		return "`" + duration(v.Interface().(time.Duration)) + "`"
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

// duration leaves out the zero parts of time.Duration's own form: 5m, not 5m0s.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
