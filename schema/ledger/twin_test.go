package ledger_test

import (
	"math/rand/v2"

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

// oneRun takes one run of a program through the forks that docs/format/ledger.md draws.
func oneRun(r *rand.Rand, l *weirv1.Ledger) {
	p, k := l.Programs[0], l.Kinds[r.IntN(len(l.Kinds))]
	p.Runs++
	switch r.IntN(4) {
	case 0:
		p.Ignored++
		return
	case 1:
		p.Merged++
		return
	}
	p.Seen++
	k.Seen++
	outcomes := []*uint64{&k.Sent, &k.Sent, &k.Filtered, &k.Counted, &k.RateLimited, &k.RingFull, &k.TableFull}
	outcome := outcomes[r.IntN(len(outcomes))]
	*outcome++
	switch outcome {
	case &k.Sent:
		ways := []*uint64{&k.Batched, &k.Absorbed, &k.InRing}
		*ways[r.IntN(len(ways))]++
	case &k.Counted:
		ways := []*uint64{&k.Summarised, &k.InTable}
		*ways[r.IntN(len(ways))]++
	}
	if r.IntN(4) == 0 { // a row that tells what was counted
		k.Summaries++
		k.Batched++
	}
}

// forget takes one from a counter that is not 0.
func forget(r *rand.Rand, l *weirv1.Ledger) {
	p := l.Programs[0]
	all := []*uint64{&p.Runs, &p.Ignored, &p.Merged, &p.Seen}
	for _, k := range l.Kinds {
		all = append(all, &k.Seen, &k.Sent, &k.Filtered, &k.Counted, &k.RateLimited, &k.RingFull, &k.TableFull,
			&k.Batched, &k.Absorbed, &k.InRing, &k.Summaries, &k.Summarised, &k.InTable)
	}
	for {
		if counter := all[r.IntN(len(all))]; *counter > 0 {
			*counter--
			return
		}
	}
}
