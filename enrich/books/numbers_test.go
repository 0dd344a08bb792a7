package books

import "testing"

// TestABalanceHasABoundedNumberOfHoles has every other batch come late: each splits a hole in two.
func TestABalanceHasABoundedNumberOfHoles(t *testing.T) {
	var n Numbers
	n.Add(Range{1_000, 1_000})
	for number := uint64(2); number < 1_000; number += 2 {
		n.Add(Range{number, number})
	}
	if len(n.Missing) > maxMissing {
		t.Errorf("%d holes, at most %d", len(n.Missing), maxMissing)
	}
	if last := n.Missing[len(n.Missing)-1]; last != (Range{999, 999}) {
		t.Errorf("the last hole is %v", last)
	}
}
