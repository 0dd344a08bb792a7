package collector

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestAFormerAttachmentIsWaitedForUntilSomebodyStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		late, cancel := deadlineAfter(ctx, 10*time.Second)
		defer cancel()
		time.Sleep(time.Hour)
		if late.Err() != nil {
			t.Error("ended though nobody stopped")
		}
		stop()
		time.Sleep(9 * time.Second)
		if late.Err() != nil {
			t.Error("ended before the deadline")
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if late.Err() == nil {
			t.Error("did not end")
		}
	})
}
