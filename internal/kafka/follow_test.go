package kafka

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFollowGivesWhatComesFromAnOffsetOnUntilItIsTold(t *testing.T) {
	_, c := fake(t, 1)
	if err := c.Produce(t.Context(), numbered(0, 0, 5)...); err != nil {
		t.Fatal(err)
	}
	end, err := c.End(t.Context(), "t", 0)
	if err != nil || end != 5 {
		t.Fatalf("end %d, %v; want 5", end, err)
	}
	if err := c.Produce(t.Context(), numbered(0, 5, 3)...); err != nil {
		t.Fatal(err)
	}
	enough := errors.New("enough")
	var got []string
	err = c.Follow(t.Context(), "t", 0, end, func(f Fetch) error {
		got = append(got, values(f.Records)...)
		if len(got) == 3 {
			return enough
		}
		return nil
	})
	if diff := cmp.Diff([]string{"5", "6", "7"}, got); diff != "" || !errors.Is(err, enough) {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestFollowEndsWithItsContext(t *testing.T) {
	_, c := fake(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	err := c.Follow(ctx, "t", 0, 0, func(Fetch) error {
		cancel()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
