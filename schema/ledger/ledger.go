// Package ledger is the arithmetic by which both ends of the stream see that nothing was lost, or what was:
// sums that a host tells are held against each other, against those before and against what arrived, and are
// shown to people. docs/format/ledger.md has the equations.
//
//	weirv1.Ledger ──in a batch──► Check, Rewinds ──► findings
//	     └── with what was received and delivered ──► TableOf ──► String
//
// It is a pure core: it knows neither the kernel nor Kafka, and has no clock.
package ledger

import (
	"slices"

	weirv1 "github.com/weirproject/weir/proto/weir/v1"
)

// Outcomes returns in how many ways out of a program events of the kind went: what seen has to be.
func Outcomes(k *weirv1.KindSums) uint64 {
	return k.GetSent() + k.GetFiltered() + k.GetCounted() + k.GetRateLimited() + k.GetRingFull() + k.GetTableFull()
}

// kindSums returns the sums of a kind in l, nil where it has none.
func kindSums(l *weirv1.Ledger, kind string) *weirv1.KindSums {
	i := slices.IndexFunc(l.GetKinds(), func(k *weirv1.KindSums) bool { return k.GetKind() == kind })
	if i < 0 {
		return nil
	}
	return l.GetKinds()[i]
}

// programSums returns the sums of a program in l, nil where it has none.
func programSums(l *weirv1.Ledger, program string) *weirv1.ProgramSums {
	i := slices.IndexFunc(l.GetPrograms(), func(p *weirv1.ProgramSums) bool { return p.GetProgram() == program })
	if i < 0 {
		return nil
	}
	return l.GetPrograms()[i]
}
