package schema_test

import (
	"iter"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/weirproject/weir/schema"
)

// everyTable yields the shared tables and the column groups.
func everyTable() iter.Seq[*schema.Table] {
	return func(yield func(*schema.Table) bool) {
		for t := range schema.Tables() {
			if !yield(t) {
				return
			}
		}
		for k := range schema.Kinds() {
			if !yield(&k.Table) {
				return
			}
		}
	}
}

func protoName(name string) protoreflect.Name { return protoreflect.Name(name) }

func appendOne(v schema.Values, n int) {
	switch {
	case v.Uint32 != nil:
		*v.Uint32 = append(*v.Uint32, uint32(n))
	case v.Uint64 != nil:
		*v.Uint64 = append(*v.Uint64, uint64(n))
	case v.Int32 != nil:
		*v.Int32 = append(*v.Int32, int32(n))
	case v.Int64 != nil:
		*v.Int64 = append(*v.Int64, int64(n))
	default:
		*v.Bool = append(*v.Bool, true)
	}
}
