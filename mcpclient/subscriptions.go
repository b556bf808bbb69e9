package mcpclient

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxSubscriptions bounds the subscriptions to one server: with protocol 2026-07-28
// each is a stream of its own.
const maxSubscriptions = 100

// subscriptions are what a connection has subscribed to, for the link after this one.
type subscriptions struct {
	mu   sync.Mutex
	uris []string
}

// add reports whether the URI was there already, and whether there is room.
func (s *subscriptions) add(uri string) (known, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case slices.Contains(s.uris, uri):
		return true, true
	case len(s.uris) >= maxSubscriptions:
		return false, false
	}
	s.uris = append(s.uris, uri)
	return false, true
}

func (s *subscriptions) remove(uri string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.uris = slices.DeleteFunc(s.uris, func(other string) bool { return other == uri })
}

func (s *subscriptions) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.uris)
}

// SubscribeResource asks to be told when a resource changes; see
// [Host.OnResourceUpdated]. It holds until [Client.UnsubscribeResource]: a connection
// that is made anew subscribes again, and what has changed in between is not known.
// There are at most 100 subscriptions to a server.
func (c *Client) SubscribeResource(ctx context.Context, server, uri string, opts *CallOptions) error {
	conn, give, err := c.reach(server, opts)
	if err != nil {
		return err
	}
	defer give()
	known, ok := conn.subscribed.add(uri)
	if !ok {
		return fmt.Errorf("server %q has %d subscriptions already, which is the most", server, maxSubscriptions)
	}
	_, err = conn.ask(ctx, request{method: "resources/subscribe", needs: hasSubscriptions, silent: true, send: subscribe(uri)}, opts)
	if err != nil && !known { // else what was there still holds
		conn.subscribed.remove(uri)
	}
	return err
}

// UnsubscribeResource ends what [Client.SubscribeResource] began.
func (c *Client) UnsubscribeResource(ctx context.Context, server, uri string, opts *CallOptions) error {
	conn, give, err := c.reach(server, opts)
	if err != nil {
		return err
	}
	defer give()
	conn.subscribed.remove(uri)
	_, err = conn.ask(ctx, request{method: "resources/unsubscribe", needs: hasSubscriptions, silent: true,
		send: func(ctx context.Context, session *mcp.ClientSession) error {
			return session.Unsubscribe(ctx, &mcp.UnsubscribeParams{URI: uri})
		}}, opts)
	return err
}

func hasSubscriptions(has Capabilities) bool { return has.Subscribe }

func subscribe(uri string) func(context.Context, *mcp.ClientSession) error {
	return func(ctx context.Context, session *mcp.ClientSession) error {
		return session.Subscribe(ctx, &mcp.SubscribeParams{URI: uri})
	}
}

// reach returns the connection that a request goes to. The caller must give it back.
func (c *Client) reach(server string, opts *CallOptions) (*connection, func(), error) {
	conn, err := c.find(server)
	if err != nil {
		return nil, nil, err
	}
	if opts == nil {
		return conn, func() {}, nil
	}
	return conn.of(opts.Conversation)
}

// renewalPatience is how long a server may take for each subscription.
const renewalPatience = 10 * time.Second

// resubscribe subscribes on a new link to what was subscribed to on the one before.
func (c *connection) resubscribe(l *link, uris []string) {
	if !capabilities(l.session.InitializeResult()).Subscribe {
		return
	}
	for _, uri := range uris {
		ctx, cancel := context.WithTimeout(l.over, renewalPatience)
		err := subscribe(uri)(ctx, l.session)
		cancel()
		if l.over.Err() != nil {
			return
		}
		if err != nil {
			c.opts.Logger.Warn("a subscription could not be renewed", "server", c.server.Name, "uri", clean(uri, 200), "reason", c.secrets.readable(err))
		}
	}
}
