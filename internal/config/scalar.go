package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Enum is a string type whose values are a closed set of words.
type Enum interface {
	Words() []string
}

// Expecter is implemented by types that say in a fault what they take: what such a value is, and what to
// write, such as "a size" and "a number with a unit, such as 5GiB".
type Expecter interface {
	Expect() (what, write string)
}

type expected struct{ what, write string }

// expectation says what a scalar takes, for the fault of one that does not fit.
func expectation(v reflect.Value) expected {
	switch x := v.Interface().(type) {
	case Expecter:
		what, write := x.Expect()
		return expected{what, write}
	case Enum:
		return expected{"one of its words", "one of " + strings.Join(x.Words(), ", ")}
	case time.Duration:
		return expected{"a duration", "a number with a unit, such as 30s, 5m or 12h"}
	case netip.Addr:
		return expected{"an IP address", "one such as 192.0.2.1 or 2001:db8::1"}
	case netip.AddrPort:
		return expected{"an IP address with a port", "one such as 127.0.0.1:9273 or [::1]:9273"}
	case netip.Prefix:
		return expected{"a network", "one such as 192.0.2.0/24 or 2001:db8::/32"}
	}
	switch v.Kind() {
	case reflect.Bool:
		return expected{"a truth value", "true or false"}
	case reflect.String:
		return expected{"a text", "one text"}
	case reflect.Float32, reflect.Float64:
		return expected{"a number", "one such as 0.5"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return expected{"a whole number", fmt.Sprintf("one from 0 to %d", uint64(math.MaxUint64)>>(64-v.Type().Bits()))}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return expected{"a whole number", "one such as 100"}
	}
	return expected{"such a value", "another"}
}

// setBasic takes the value as it is written: a number for a text stays the text that it was.
func setBasic(v reflect.Value, y *yaml.Node) error {
	switch {
	case v.Kind() == reflect.String:
		v.SetString(y.Value)
		return nil
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(y.Value)
		if y.Tag != "!!bool" {
			return errors.New("not a bool")
		}
		v.SetBool(b)
		return err
	case v.CanInt():
		i, err := strconv.ParseInt(y.Value, 10, v.Type().Bits())
		v.SetInt(i)
		return err
	case v.CanUint():
		u, err := strconv.ParseUint(y.Value, 10, v.Type().Bits())
		v.SetUint(u)
		return err
	case v.CanFloat():
		f, err := strconv.ParseFloat(y.Value, v.Type().Bits())
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return errors.New("not a finite number")
		}
		v.SetFloat(f)
		return err
	}
	panic(fmt.Sprintf("config: no form for %s", v.Type()))
}

func oneOf(word string, words []string) string {
	if near, ok := nearest(word, words); ok {
		return "the nearest word is " + near
	}
	return "write one of " + strings.Join(words, ", ")
}
