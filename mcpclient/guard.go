package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// The SDK (1.8) follows nil pointers where a server leaves out what the protocol wants,
// by which a server could end the whole host.

// guarded is middleware that refuses what the SDK would stumble over.
func guarded(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		if incomplete(req.GetParams()) {
			return nil, &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: "parameters are missing"}
		}
		return next(ctx, method, req)
	}
}

// errMalformed is a message that the SDK could not even read.
var errMalformed = errors.New("the message is malformed")

// unharmed is middleware that makes an error of it where the SDK panics about a message,
// such as an answer whose inputRequests have a null. It must be the outermost.
func (l *link) unharmed(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (res mcp.Result, err error) {
		defer func() {
			if r := recover(); r != nil { // also of the host's functions, hence the stack
				l.of.opts.Logger.Error("panic over a message of an MCP server", "server", l.of.server.Name, "method", method, "panic", r, "stack", string(debug.Stack()))
				res, err = nil, fmt.Errorf("%s: %w", method, errMalformed)
			}
		}()
		return next(ctx, method, req)
	}
}
