package sandbox

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expired := make(chan time.Time, 1)
		begin := time.Now()
		c := startClock(time.Second, func() { expired <- time.Now() })
		ctx := context.WithValue(t.Context(), clockKey{}, c)

		time.Sleep(400 * time.Millisecond)
		first := PauseClock(ctx)
		second := PauseClock(ctx)
		time.Sleep(time.Hour)
		first()
		first() // does nothing
		time.Sleep(time.Hour)
		if got := c.elapsed(); got != 400*time.Millisecond {
			t.Errorf("elapsed in the pause: %v", got)
		}
		second()
		time.Sleep(500 * time.Millisecond)
		if len(expired) > 0 {
			t.Error("expired too soon")
		}
		time.Sleep(200 * time.Millisecond)
		if got, want := (<-expired).Sub(begin), 2*time.Hour+time.Second; got != want {
			t.Errorf("expired after %v, want %v", got, want)
		}
		if got := c.stop(); got != 1100*time.Millisecond {
			t.Errorf("measured %v", got)
		}
	})
}

func TestPauseClockElsewhere(t *testing.T) {
	PauseClock(t.Context())() // must not panic
	synctest.Test(t, func(t *testing.T) {
		c := startClock(time.Second, func() { t.Error("expired while it stood still") })
		resume := PauseClock(context.WithValue(t.Context(), clockKey{}, c))
		time.Sleep(2 * time.Second)
		if got := c.stop(); got != 0 {
			t.Errorf("measured %v", got)
		}
		resume()
		c.stop()
	})
}
