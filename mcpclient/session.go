package mcpclient

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// newClient makes the SDK's client for one link, and so decides what this host offers
// to the server and what it hears from it.
func (l *link) newClient(s *Server, o *Options) *mcp.Client {
	opts, host := clientOptions(s, o, l.of.conversation, l.of.turns)
	opts.ToolListChangedHandler = func(context.Context, *mcp.ToolListChangedRequest) { ask(l.of.listChanged) }
	opts.ProgressNotificationHandler = l.progressed
	opts.MultiRoundTrip = &mcp.MultiRoundTripOptions{Disabled: true} // see inRounds
	client := mcp.NewClient(&mcp.Implementation{Name: o.ClientName, Version: o.ClientVersion}, opts)
	addRoots(client, s)
	client.AddReceivingMiddleware(func(next mcp.MethodHandler) mcp.MethodHandler {
		l.receive = l.unharmed(guarded(next))
		return l.receive
	})
	client.AddSendingMiddleware(forgetful, l.inRounds)
	client.AddSendingMiddleware(l.observe)
	if o.Host.Elicit != nil {
		client.AddSendingMiddleware(host.visitFirst)
	}
	if s.LogLevel != "" {
		client.AddSendingMiddleware(asksForLogs(s.LogLevel))
	}
	client.AddSendingMiddleware(l.unharmed)
	return client
}

// observe is middleware that watches the handshake.
func (l *link) observe(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		switch method {
		case "server/discover":
			return l.discover(ctx, next, method, req)
		case "initialize":
			ctx, l.handshake = withExchange(ctx)
		}
		return next(ctx, method, req)
	}
}

// discover gives up on a server that does not answer. A login that the server asked
// for first is not its fault.
func (l *link) discover(ctx context.Context, next mcp.MethodHandler, method string, req mcp.Request) (mcp.Result, error) {
	for {
		before := l.of.auth.renewals()
		probe, cancel := context.WithTimeout(ctx, probePatience)
		res, err := next(probe, method, req)
		late := probe.Err() != nil
		cancel()
		if err == nil || !late || !l.of.auth.settle(ctx, before) {
			l.discovered = err
			return res, err
		}
	}
}
