package mcpclient

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// newClient makes the SDK's client for one link, and so decides what this host offers
// to the server and what it hears from it.
func (l *link) newClient(s *Server, o *Options) *mcp.Client {
	opts := &mcp.ClientOptions{
		Logger: o.Logger.With("server", s.Name),
		// Not nil, which would advertise roots: this client answers no
		// requests of servers.
		Capabilities: &mcp.ClientCapabilities{},
	}
	opts.ToolListChangedHandler = func(context.Context, *mcp.ToolListChangedRequest) { ask(l.of.listChanged) }
	opts.ProgressNotificationHandler = l.progressed
	client := mcp.NewClient(&mcp.Implementation{Name: o.ClientName, Version: o.ClientVersion}, opts)
	client.AddSendingMiddleware(l.observe)
	return client
}

// observe is middleware that watches the handshake.
func (l *link) observe(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		switch method {
		case "server/discover":
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, probePatience)
			defer cancel()
		case "initialize":
			ctx, l.handshake = withExchange(ctx)
		}
		return next(ctx, method, req)
	}
}
