package mcpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Client holds the connections to a set of servers. It is safe for concurrent
// use. Create one with [Connect]; call [Client.Close] when it is no longer
// needed.
type Client struct {
	conns  []*connection // in configuration order
	byName map[string]*connection
	close  func() error // runs once

	connecting     errgroup.Group
	stopConnecting context.CancelCauseFunc
}

// Connect connects to all servers at the same time. It returns when each is ready
// or has failed, or after [Options.StartupWait]; servers that need longer go on
// connecting, in [StateConnecting], so that one that hangs does not keep the others
// from being used.
//
// It returns an error if the configuration cannot work, naming all problems, or
// if ctx is done before it would return; then nothing is left running. A server
// that cannot be connected is no error: see [Client.Status]. Nil opts means the
// defaults. ctx matters until Connect returns only.
func Connect(ctx context.Context, servers []Server, opts *Options) (*Client, error) {
	if err := validate(servers, opts); err != nil {
		return nil, fmt.Errorf("mcpclient: %w", err)
	}
	o := opts.withDefaults()
	c := &Client{byName: make(map[string]*connection, len(servers))}
	c.close = sync.OnceValue(c.closeAll)
	for _, s := range servers {
		conn := newConnection(s.resolved(&o), &o)
		c.conns = append(c.conns, conn)
		c.byName[s.Name] = conn
	}
	var connecting context.Context
	connecting, c.stopConnecting = context.WithCancelCause(context.WithoutCancel(ctx))
	for _, conn := range c.conns {
		c.connecting.Go(func() error {
			conn.connect(connecting)
			return nil // a failure is in its status
		})
	}
	wait := ctx
	if o.StartupWait > 0 {
		var cancel context.CancelFunc
		wait, cancel = context.WithTimeout(ctx, o.StartupWait)
		defer cancel()
	}
	for _, conn := range c.conns {
		select {
		case <-conn.settled:
		case <-wait.Done():
		}
	}
	if ctx.Err() != nil {
		return nil, errors.Join(fmt.Errorf("mcpclient: connecting: %w", context.Cause(ctx)), c.Close())
	}
	return c, nil
}

// Settle waits until a server is no longer connecting: it is ready, has failed, or
// there is no such server. It returns an error only if ctx is done before.
func (c *Client) Settle(ctx context.Context, server string) error {
	conn, ok := c.byName[server]
	if !ok {
		return nil
	}
	select {
	case <-conn.settled:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Status describes all servers, in configuration order.
func (c *Client) Status() []Status {
	all := make([]Status, len(c.conns))
	for i, conn := range c.conns {
		all[i] = conn.status()
	}
	return all
}

// Tools returns the tools of a server, sorted by name. It returns nil for a
// server that is unknown or not ready. The schemas are shared; do not change
// them.
func (c *Client) Tools(server string) []Tool {
	conn, ok := c.byName[server]
	if !ok {
		return nil
	}
	return slices.Clone(conn.offered())
}

// Call calls a tool and returns its result. args is a JSON object, sent as it
// is; empty and null mean no arguments.
//
// A tool that fails returns a [Result] with IsError, not an error. Call returns
// [ErrUnknownServer], [ErrUnavailable], [ErrClosed], or a [*CallError] when the
// call has no result. It returns when ctx is done or [Options.CallTimeout] is
// over; the server is then told that the call is cancelled.
func (c *Client) Call(ctx context.Context, server, tool string, args json.RawMessage) (*Result, error) {
	conn, ok := c.byName[server]
	if !ok {
		return nil, fmt.Errorf("%w %q", ErrUnknownServer, server)
	}
	return conn.call(ctx, tool, args)
}

// Close ends all connections at the same time, and the processes behind them. A
// stdio server gets a second to end by itself after its input is closed, another
// one after SIGTERM, and is then killed with all that it started. Calls that are
// running return [ErrClosed]. Close may be called many times and by many
// goroutines; each call waits for the end. It returns the joined errors of
// servers that could not be ended.
func (c *Client) Close() error { return c.close() }

func (c *Client) closeAll() error {
	c.stopConnecting(ErrClosed)
	_ = c.connecting.Wait()
	errs := make([]error, len(c.conns))
	var group errgroup.Group
	for i, conn := range c.conns {
		group.Go(func() error {
			errs[i] = conn.close()
			return nil
		})
	}
	_ = group.Wait()
	return errors.Join(errs...)
}
