package mcpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// current returns the link, or why there is none. It waits for a server that is
// still connecting.
func (c *connection) current(ctx context.Context) (*link, error) {
	select {
	case <-c.settled:
	default:
		select {
		case <-c.settled:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %q is still connecting: %w", ErrUnavailable, c.server.Name, context.Cause(ctx))
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.state {
	case StateReady:
		return c.link, nil
	case StateClosed:
		return nil, ErrClosed
	case StateDisabled:
		return nil, fmt.Errorf("%w: %q is disabled in the configuration", ErrUnavailable, c.server.Name)
	}
	return nil, fmt.Errorf("%w: %q: %w", ErrUnavailable, c.server.Name, c.err)
}

// call calls one tool.
func (c *connection) call(ctx context.Context, tool string, args json.RawMessage) (*Result, error) {
	l, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	if present(args) == nil {
		args = json.RawMessage("{}")
	}
	if first := bytes.TrimLeft(args, " \t\r\n"); first[0] != '{' || !json.Valid(args) {
		return nil, &CallError{Server: c.server.Name, Tool: tool, Err: errors.New("the arguments are not a JSON object")}
	}

	ctx, cancel := context.WithTimeoutCause(ctx, c.server.CallTimeout, &timeoutError{
		what: "the server did not answer", d: c.server.CallTimeout,
	})
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	stop := context.AfterFunc(c.calls, func() { abort(context.Cause(c.calls)) })
	defer stop()

	ctx, ex := withExchange(ctx)
	res, err := l.session.CallTool(ctx, &mcp.CallToolParams{Name: tool, Arguments: args})
	_, raw, rpcErr := ex.state()
	var out *Result
	switch {
	case rpcErr == nil && raw != nil && !needsInput(raw):
		out, err = parseResult(raw) // also if the SDK could not make sense of it
	case err != nil:
		return nil, c.callError(ctx, l, tool, ex, err)
	default:
		out, err = fromSDK(res)
	}
	if err != nil { // the tool was called, its answer is malformed
		return nil, &CallError{Server: c.server.Name, Tool: tool, Err: err}
	}
	return out, nil
}

// fromSDK is for an answer that did not pass by. Numbers in it went through
// float64.
func fromSDK(res *mcp.CallToolResult) (*Result, error) {
	raw, err := json.Marshal(res)
	if err != nil {
		return nil, fmt.Errorf("result of the tool: %w", err)
	}
	return parseResult(raw)
}

// callError says what became of a call without a result.
func (c *connection) callError(ctx context.Context, l *link, tool string, ex *exchange, err error) error {
	sent, raw, rpcErr := ex.state()
	out := &CallError{Server: c.server.Name, Tool: tool, OutcomeUnknown: sent}
	var status *statusError
	switch {
	case rpcErr != nil:
		out.Err, out.OutcomeUnknown = protocolError(rpcErr), false
	case ctx.Err() != nil:
		out.Err = context.Cause(ctx)
	case raw != nil:
		out.Err = errors.New("the tool asks for input from the user, which is not offered here")
		out.OutcomeUnknown = false
	case errors.As(err, &status):
		out.Err = status
		out.OutcomeUnknown = sent && status.code >= 500
	case l.tap != nil, errors.Is(err, mcp.ErrSessionMissing), errors.Is(err, mcp.ErrConnectionClosed):
		out.Err = fmt.Errorf("%w: %w", ErrUnavailable, l.loss(err))
	default:
		out.Err = unreachable(err)
	}
	return out
}

// loss returns why the link is lost. It waits a moment for the state of the
// connection to follow, so that a caller who asks for it finds the reason there.
func (l *link) loss(err error) error {
	if !within(l.settled, exitGrace+killGrace) {
		return readable(err)
	}
	return l.reason
}
