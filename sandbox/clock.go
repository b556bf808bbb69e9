package sandbox

import (
	"context"
	"sync"
	"time"
)

// A clock measures how long a program runs, without the time for which the host
// asked it to stand still.
type clock struct {
	limit  time.Duration
	expire func()

	mu      sync.Mutex
	started time.Time     // when it last began to go
	before  time.Duration // what it had measured until then
	pauses  int
	timer   *time.Timer
}

// startClock calls expire when the limit is reached.
func startClock(limit time.Duration, expire func()) *clock {
	return &clock{limit: limit, expire: expire, started: time.Now(), timer: time.AfterFunc(limit, expire)}
}

// pause makes the clock stand still until resume was called for each pause.
func (c *clock) pause() (resume func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pauses++; c.pauses == 1 {
		c.timer.Stop()
		c.before += time.Since(c.started)
	}
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.pauses--; c.pauses == 0 {
			c.started = time.Now()
			c.timer.Reset(max(0, c.limit-c.before))
		}
	})
}

// stop ends the clock and returns what it has measured.
func (c *clock) stop() time.Duration {
	c.timer.Stop()
	return c.elapsed()
}

func (c *clock) elapsed() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pauses > 0 {
		return c.before
	}
	return c.before + time.Since(c.started)
}

// clockKey is the context key of a run's clock.
type clockKey struct{}

// PauseClock makes the clock of a run stand still, for as long as the host waits
// for a person, say. The context is the one that [Program.Call] was given; with
// another one it does nothing. resume must be called; calling it again does
// nothing. [Options.WallTimeout] goes on.
func PauseClock(ctx context.Context) (resume func()) {
	if c, ok := ctx.Value(clockKey{}).(*clock); ok {
		return c.pause()
	}
	return func() {}
}
