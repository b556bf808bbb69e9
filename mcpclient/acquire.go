package mcpclient

import (
	"context"
	"fmt"
	"time"
)

// usePatience is how long a caller waits for a server that could not be connected before,
// or was lost: it may hang for the whole of its ConnectTimeout again.
const usePatience = 10 * time.Second

// acquire returns the link, which is in use until the caller releases it, or why there
// is none. It waits for a server that is connecting; for one that rests until the next
// attempt, it asks for that attempt now.
func (c *connection) acquire(ctx context.Context) (*use, error) {
	seen := -1 // tries when the waiting began
	begun := time.Now()
	for {
		c.mu.Lock()
		state, err, turn, tries := c.state, c.err, c.turn, c.tries
		if l := c.link; l != nil && l.over.Err() == nil {
			u := l.use()
			c.mu.Unlock()
			return u, nil
		}
		tooEarly := time.Now().Before(c.notBefore)
		c.mu.Unlock()
		switch {
		case state == StateClosed:
			return nil, context.Cause(c.calls)
		case state == StateDisabled:
			return nil, fmt.Errorf("%w: %q is disabled", ErrUnavailable, c.server.Name)
		case state == StateFailed:
			ask(c.wanted) // in vain, but for a token that has changed
			return nil, fmt.Errorf("%w: %q: %w", ErrUnavailable, c.server.Name, err)
		case state == StateBackoff && (tooEarly || seen >= 0 && tries > seen):
			return nil, fmt.Errorf("%w: %q: %w", ErrUnavailable, c.server.Name, err)
		case state == StateBackoff:
			ask(c.wanted)
		}
		if seen < 0 {
			seen = tries
		}
		select {
		case <-turn:
		case <-patience(err, begun):
			return nil, fmt.Errorf("%w: %q is being connected again, and was not within %v; before that: %w", ErrUnavailable, c.server.Name, usePatience, err)
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %q is still connecting: %w", ErrUnavailable, c.server.Name, context.Cause(ctx))
		case <-c.calls.Done():
			return nil, context.Cause(c.calls)
		}
	}
}

// patience returns a channel on which something comes when usePatience is over; it is nil
// for a server that nothing bad is known of.
func patience(err error, begun time.Time) <-chan time.Time {
	if err == nil {
		return nil
	}
	return time.After(time.Until(begun.Add(usePatience)))
}

// settle waits until the host was told that the server is no longer connecting. With
// wake, if it rests until the next attempt, that attempt is made now, and is not waited
// for longer than usePatience.
func (c *connection) settle(ctx context.Context, wake bool) error {
	seen := -1
	begun := time.Now()
	for {
		c.mu.Lock()
		told, turn, tries := c.told, c.turn, c.tries
		var late <-chan time.Time
		if wake {
			late = patience(c.err, begun)
		}
		wake := wake && !time.Now().Before(c.notBefore)
		c.mu.Unlock()
		switch {
		case told == StateBackoff && wake && seen < 0:
			ask(c.wanted)
		case told != StateConnecting && !(told == StateBackoff && wake && tries == seen):
			return nil
		}
		if seen < 0 {
			seen = tries
		}
		select {
		case <-turn:
		case <-late:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
