package mcpclient

import (
	"context"
	"fmt"
	"time"
)

// acquire returns the link, which is in use until the caller releases it, or why there
// is none. It waits for a server that is connecting; for one that rests until the next
// attempt, it asks for that attempt now.
func (c *connection) acquire(ctx context.Context) (*link, error) {
	seen := -1 // tries when the waiting began
	for {
		c.mu.Lock()
		state, err, turn, tries := c.state, c.err, c.turn, c.tries
		if l := c.link; l != nil && l.over.Err() == nil {
			l.use()
			c.mu.Unlock()
			return l, nil
		}
		tooEarly := time.Now().Before(c.notBefore)
		c.mu.Unlock()
		switch {
		case state == StateClosed:
			return nil, ErrClosed
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
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %q is still connecting: %w", ErrUnavailable, c.server.Name, context.Cause(ctx))
		case <-c.calls.Done():
			return nil, ErrClosed
		}
	}
}

// settle waits until the host was told that the server is no longer connecting. If it
// rests until the next attempt and wake is set, that attempt is made now.
func (c *connection) settle(ctx context.Context, wake bool) error {
	seen := -1
	for {
		c.mu.Lock()
		told, turn, tries := c.told, c.turn, c.tries
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
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
