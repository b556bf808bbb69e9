package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// errDisabled ends the calls of a server that is disabled.
var errDisabled = errors.New("the server was disabled")

// Add connects to one more server. It waits like [Connect]: a server that cannot be
// connected is no error. It returns an error if the configuration cannot work, if
// there is a server of that name, or if ctx is done first; then the server was not
// added.
func (c *Client) Add(ctx context.Context, server Server) error {
	if err := validate([]Server{server}, &c.opts); err != nil {
		return fmt.Errorf("mcpclient: %w", err)
	}
	conn := c.newConnection(server)
	if err := c.insert(conn); err != nil {
		return err
	}
	if server.Disabled {
		return nil
	}
	conn.start()
	wait := ctx
	if c.opts.StartupWait > 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, c.opts.StartupWait)
		defer cancel()
	}
	_ = conn.settle(wait, false) // the ctx that matters is looked at below
	if ctx.Err() != nil {
		return errors.Join(fmt.Errorf("mcpclient: connecting: %w", context.Cause(ctx)), c.Remove(server.Name))
	}
	return nil
}

func (c *Client) insert(conn *connection) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	for _, other := range c.conns {
		if other.server.Name == conn.server.Name {
			return fmt.Errorf("mcpclient: server %q: Name is used already", conn.server.Name)
		}
	}
	c.conns = append(slices.Clip(c.conns), conn)
	return nil
}

// Remove ends a server and forgets it. Calls that are running return [ErrClosed]. It
// waits until nothing of the server is left, and returns what could not be ended, or
// [ErrUnknownServer]. Its name is free when Remove returns.
func (c *Client) Remove(server string) error {
	conn, err := c.find(server)
	if err != nil {
		return err
	}
	err = conn.end()
	c.mu.Lock()
	defer c.mu.Unlock()
	// Only now, so that the host hears of its end before it does of a new one's beginning.
	c.conns = slices.DeleteFunc(slices.Clone(c.conns), func(other *connection) bool { return other == conn })
	return err
}

// Disable ends a server, which stays in [Client.Status] and can be enabled again. It
// waits until nothing of it is left, and returns what could not be ended, or
// [ErrUnknownServer].
func (c *Client) Disable(server string) error {
	conn, err := c.find(server)
	if err != nil {
		return err
	}
	return conn.stop(StateDisabled, errDisabled)
}

// Enable begins to connect to a server that was disabled, and does not wait for it; see
// [Client.Settle]. It does nothing to one that is in use. It may return
// [ErrUnknownServer].
func (c *Client) Enable(server string) error {
	conn, err := c.find(server)
	if err != nil {
		return err
	}
	conn.auth.forgive()
	conn.start()
	return nil
}

// Reconnect replaces the connection to a server, or tries to connect at once, whatever
// the reason why that failed before. Calls that are running are left to the old
// connection. It does not wait; see [Client.Settle]. It does nothing to a server that is
// disabled. It may return [ErrUnknownServer].
func (c *Client) Reconnect(server string) error {
	conn, err := c.find(server)
	if err != nil {
		return err
	}
	conn.auth.forgive()
	conn.reconnect()
	return nil
}

// Release ends the connections that servers with [SharingPerConversation] have for a
// conversation that is over. It does not wait.
func (c *Client) Release(conversation string) {
	for _, conn := range c.all() {
		if conn.pool != nil {
			conn.pool.release(conversation)
		}
	}
}
