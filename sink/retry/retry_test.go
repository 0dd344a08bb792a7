package retry

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWaitsDoubleUpToTheLongest(t *testing.T) {
	s := New(Limits{First: 100 * time.Millisecond, Longest: 500 * time.Millisecond})
	var got []time.Duration
	for range 5 {
		got = append(got, s.Next(0, 0))
	}
	want := []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 250 * time.Millisecond, 250 * time.Millisecond}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	s.Progress()
	if got, want := s.Next(0, 0), 50*time.Millisecond; got != want {
		t.Errorf("after progress: wait of %s, want %s", got, want)
	}
}

func TestWaitIsWithinItsBounds(t *testing.T) {
	tests := map[string]struct {
		asked     time.Duration
		random    float64
		low, high time.Duration
	}{
		"no jitter":                          {0, 0, 50 * time.Millisecond, 50 * time.Millisecond},
		"most jitter":                        {0, math.Nextafter(1, 0), 99 * time.Millisecond, 100 * time.Millisecond},
		"what was asked is the least":        {7 * time.Second, 0, 7 * time.Second, 7 * time.Second},
		"what was asked has jitter as well":  {7 * time.Second, 0.5, 7025 * time.Millisecond, 7025 * time.Millisecond},
		"an absurd wish is bounded":          {math.MaxInt64, 0, LongestAsked, LongestAsked},
		"a negative wish is none":            {-time.Hour, 0, 50 * time.Millisecond, 50 * time.Millisecond},
		"less than the schedule's is no use": {time.Millisecond, 0, 50 * time.Millisecond, 50 * time.Millisecond},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := New(Limits{First: 100 * time.Millisecond, Longest: time.Second})
			if got := s.Next(test.asked, test.random); got < test.low || got > test.high {
				t.Errorf("wait of %s, want %s to %s", got, test.low, test.high)
			}
		})
	}
}

func TestLongestDoesNotOverflow(t *testing.T) {
	s := New(Limits{First: 1, Longest: math.MaxInt64})
	for range 200 {
		if got := s.Next(0, 0); got < 0 {
			t.Fatalf("wait of %s", got)
		}
	}
}
