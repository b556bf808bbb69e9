package mcpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Client holds the connections to a set of servers, which may change. It is safe for
// concurrent use. Create one with [Connect]; call [Client.Close] when it is no longer
// needed.
type Client struct {
	opts  Options
	close func() error // runs once

	mu     sync.RWMutex
	conns  []*connection // in the order in which they were added; replaced, not changed
	closed bool

	closing atomic.Bool // set with closed; the host hears no more
}

// Connect connects to all servers at the same time. It returns when each is ready
// or its first attempt has failed, or after [Options.StartupWait]; servers that need
// longer go on connecting, in [StateConnecting], so that one that hangs does not keep
// the others from being used.
//
// It returns an error if the configuration cannot work, naming all problems, or
// if ctx is done before it would return; then nothing is left running. A server
// that cannot be connected is no error: see [Client.Status]. Nil opts means the
// defaults. ctx matters until Connect returns only.
func Connect(ctx context.Context, servers []Server, opts *Options) (*Client, error) {
	if err := validate(servers, opts); err != nil {
		return nil, fmt.Errorf("mcpclient: %w", err)
	}
	c := &Client{opts: opts.withDefaults()}
	c.close = sync.OnceValue(c.closeAll)
	for _, s := range servers {
		c.conns = append(c.conns, c.newConnection(s))
	}
	for _, conn := range c.conns {
		if !conn.server.Disabled {
			conn.start()
		}
	}
	wait := ctx
	if c.opts.StartupWait > 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, c.opts.StartupWait)
		defer cancel()
	}
	for _, conn := range c.conns {
		_ = conn.settle(wait, false) // the ctx that matters is looked at below
	}
	if ctx.Err() != nil {
		return nil, errors.Join(fmt.Errorf("mcpclient: connecting: %w", context.Cause(ctx)), c.Close())
	}
	return c, nil
}

func (c *Client) newConnection(s Server) *connection {
	report := func(s Status, tools []Tool) {
		if c.opts.OnChange != nil && !c.closing.Load() {
			c.opts.OnChange(s, tools)
		}
	}
	s = s.resolved(&c.opts)
	common := newShared(&s, &c.opts)
	conn := newConnection(s, &c.opts, common, report)
	if s.Sharing == SharingPerConversation {
		conn.pool = newPool(s, &c.opts, common)
	}
	return conn
}

// find returns the connection of a server.
func (c *Client) find(server string) (*connection, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return nil, ErrClosed
	}
	for _, conn := range c.conns {
		if conn.server.Name == server {
			return conn, nil
		}
	}
	return nil, fmt.Errorf("%w %q", ErrUnknownServer, server)
}

func (c *Client) all() []*connection {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.conns
}

// Settle waits until a server is no longer connecting, and [Options.OnChange] has been
// told so: it is ready, or the attempt has failed, or there is no such server. It
// returns an error only if ctx is done before.
func (c *Client) Settle(ctx context.Context, server string) error {
	return c.settle(ctx, server, false)
}

// Wake is Settle for a server that is about to be used: if it rests until the next
// attempt to connect, in [StateBackoff], that attempt is made now, though no sooner than
// [Options.MinBackoff] after the last one, nor than the server itself asked for. It
// waits for 10 s at most if the server was lost or could not be connected before.
func (c *Client) Wake(ctx context.Context, server string) error {
	return c.settle(ctx, server, true)
}

func (c *Client) settle(ctx context.Context, server string, wake bool) error {
	conn, err := c.find(server)
	if err != nil {
		return nil
	}
	return conn.settle(ctx, wake)
}

// Status describes all servers, in the order in which they were added.
func (c *Client) Status() []Status {
	conns := c.all()
	all := make([]Status, len(conns))
	for i, conn := range conns {
		all[i] = conn.status()
	}
	return all
}

// Tools returns the tools of a server as they were last listed, sorted by name. It
// returns nil for a server that is unknown, was never ready, or is disabled. The
// schemas are shared; do not change them.
func (c *Client) Tools(server string) []Tool {
	conn, err := c.find(server)
	if err != nil {
		return nil
	}
	return slices.Clone(conn.offered())
}

// Call calls a tool and returns its result. args is a JSON object, sent as it
// is; empty and null mean no arguments. opts may be nil.
//
// A tool that fails returns a [Result] with IsError, not an error. Call returns
// [ErrUnknownServer], [ErrUnavailable], [ErrClosed], or a [*CallError] when the
// call has no result. It returns when ctx is done or [Options.CallTimeout] is
// over; the server is then told that the call is cancelled. It waits for a server that
// is connecting, and has one that rests tried again.
func (c *Client) Call(ctx context.Context, server, tool string, args json.RawMessage, opts *CallOptions) (*Result, error) {
	conn, err := c.find(server)
	if err != nil {
		return nil, err
	}
	return conn.call(ctx, tool, args, opts)
}

// Close ends all connections at the same time, and the processes behind them. A
// stdio server gets a second to end by itself after its input is closed, another
// one after SIGTERM, and is then killed with all that it started. Calls that are
// running return [ErrClosed]. Close may be called many times and by many
// goroutines; each call waits for the end. It returns the joined errors of
// servers that could not be ended.
func (c *Client) Close() error { return c.close() }

func (c *Client) closeAll() error {
	c.mu.Lock()
	c.closed = true
	c.closing.Store(true)
	conns := c.conns
	c.mu.Unlock()
	errs := make([]error, len(conns))
	var group errgroup.Group
	for i, conn := range conns {
		group.Go(func() error {
			errs[i] = conn.end()
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(errs...)
}
