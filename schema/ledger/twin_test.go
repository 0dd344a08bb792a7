package ledger_test

import (
	"math/rand/v2"
	"strings"

	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
	"github.com/weirproject/weir/schema/ledger"
)

var sortRewinds = cmpopts.SortSlices(func(a, b ledger.Rewind) bool { return a.String() < b.String() })

// counters returns the counters of a message by name, those that are 0 too.
func counters(m proto.Message) map[string]uint64 {
	all := map[string]uint64{}
	fields := m.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if f := fields.Get(i); f.Kind() == protoreflect.Uint64Kind {
			all[string(f.Name())] = m.ProtoReflect().Get(f).Uint()
		}
	}
	return all
}

func bump(m proto.Message, counter string) {
	f := m.ProtoReflect().Descriptor().Fields().ByName(protoreflect.Name(counter))
	m.ProtoReflect().Set(f, protoreflect.ValueOfUint64(m.ProtoReflect().Get(f).Uint()+1))
}

// count adds the counters of l to sums, by "kind/counter" or "program/counter".
func count(sums map[string]uint64, l *weirv1.Ledger) {
	for _, k := range l.GetKinds() {
		for name, n := range counters(k) {
			sums[k.GetKind()+"/"+name] += n
		}
	}
	for _, p := range l.GetPrograms() {
		for name, n := range counters(p) {
			sums[p.GetProgram()+"/"+name] += n
		}
	}
	sums["evicted"] += l.GetEvictedProcesses()
}

func arbitrary(r *rand.Rand) *weirv1.Ledger {
	l := &weirv1.Ledger{EvictedProcesses: r.Uint64N(10)}
	for name := range strings.FieldsSeq("process.exec process.exit network.connect") {
		if r.IntN(3) > 0 {
			for counter := range counters(ledger.Kind(l, name)) {
				if r.IntN(2) > 0 {
					bump(ledger.Kind(l, name), counter)
				}
			}
		}
	}
	if r.IntN(3) > 0 {
		ledger.Program(l, "process__exec").Runs = r.Uint64N(100)
	}
	return l
}
