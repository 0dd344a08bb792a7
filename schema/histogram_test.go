package schema

import "testing"

func TestAHistogramIsReadAsItWasWritten(t *testing.T) {
	var h Histogram
	h[0], h[7], h[40] = 1, 300, 2
	if got := HistogramOf(h.Encode()); got != h {
		t.Errorf("%v is read as %v", h, got)
	}
	var none Histogram
	if len(none.Encode()) != 0 || HistogramOf(nil) != none || HistogramOf([]byte{0x80}) != none {
		t.Error("nothing is read as something")
	}
}

func TestQuantilesAreTheEndsOfSlots(t *testing.T) {
	var h Histogram
	h[3], h[10] = 98, 2
	for percent, want := range map[uint64]uint64{50: 16, 98: 16, 99: 2048, 100: 2048} {
		if got := h.Quantile(percent); got != want {
			t.Errorf("%d of 100 are below %d, want %d", percent, got, want)
		}
	}
}
