// Package ledger is the arithmetic by which both ends of the stream see that nothing was lost, or what was:
// sums are added up by the collector, held against each other by the enricher, and shown to people.
// docs/format/ledger.md has the equations.
//
//	kernel counters ──Add──► weirv1.Ledger ──in a batch──► Check, Rewinds ──► findings
//	                                  └── with what was received and delivered ──► Table
//
// It is a pure core: it knows neither the kernel nor Kafka, and has no clock.
package ledger

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Kind returns the sums of a kind in l, and adds them where l has none yet.
func Kind(l *weirv1.Ledger, kind string) *weirv1.KindSums {
	if k, ok := FindKind(l, kind); ok {
		return k
	}
	k := &weirv1.KindSums{Kind: kind}
	l.Kinds = append(l.Kinds, k)
	return k
}

// FindKind returns the sums of a kind in l, if l has any.
func FindKind(l *weirv1.Ledger, kind string) (*weirv1.KindSums, bool) {
	i := slices.IndexFunc(l.GetKinds(), func(k *weirv1.KindSums) bool { return k.GetKind() == kind })
	if i < 0 {
		return nil, false
	}
	return l.GetKinds()[i], true
}

// Program returns the sums of a program in l, and adds them where l has none yet.
func Program(l *weirv1.Ledger, program string) *weirv1.ProgramSums {
	if p, ok := FindProgram(l, program); ok {
		return p
	}
	p := &weirv1.ProgramSums{Program: program}
	l.Programs = append(l.Programs, p)
	return p
}

// FindProgram returns the sums of a program in l, if l has any.
func FindProgram(l *weirv1.Ledger, program string) (*weirv1.ProgramSums, bool) {
	i := slices.IndexFunc(l.GetPrograms(), func(p *weirv1.ProgramSums) bool { return p.GetProgram() == program })
	if i < 0 {
		return nil, false
	}
	return l.GetPrograms()[i], true
}

// Add adds the sums of l to those of into, such as one CPU's to those of all. What is unknown in one of them
// is unknown in the sum.
func Add(into, l *weirv1.Ledger) {
	for _, k := range l.GetKinds() {
		addCounters(Kind(into, k.GetKind()), k)
	}
	for _, p := range l.GetPrograms() {
		addCounters(Program(into, p.GetProgram()), p)
	}
	into.EvictedProcesses += l.GetEvictedProcesses()
}

// Sort brings kinds and programs into the order of their names.
func Sort(l *weirv1.Ledger) {
	slices.SortFunc(l.GetKinds(), func(a, b *weirv1.KindSums) int { return cmp.Compare(a.GetKind(), b.GetKind()) })
	slices.SortFunc(l.GetPrograms(), func(a, b *weirv1.ProgramSums) int {
		return cmp.Compare(a.GetProgram(), b.GetProgram())
	})
}

// Outcomes returns in how many ways out of a program events of the kind went: what seen has to be.
func Outcomes(k *weirv1.KindSums) uint64 {
	return k.GetSent() + k.GetFiltered() + k.GetCounted() + k.GetRateLimited() + k.GetRingFull() + k.GetTableFull()
}

// addCounters adds each counter of m to that of the same name, by the descriptor, so that a new counter cannot
// be forgotten here.
func addCounters(into, m proto.Message) {
	to, from := into.ProtoReflect(), m.ProtoReflect()
	from.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch f.Kind() {
		case protoreflect.Uint64Kind:
			to.Set(f, protoreflect.ValueOfUint64(to.Get(f).Uint()+v.Uint()))
		case protoreflect.BoolKind:
			to.Set(f, v) // Range yields only what is true
		}
		return true
	})
}
