package mcpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// maxTries is how often one call is made at most.
const maxTries = 2

// circuitLimit is how many calls in a row a server may leave without an answer before
// its connection is given up.
const circuitLimit = 5

// suspicious is how long a call that ended without an answer must have waited for the
// server to be pinged.
const suspicious = 5 * time.Second

// CallOptions refine one call. The zero value, and nil, mean no refinement.
type CallOptions struct {
	// Conversation says for whom the call is made, such as the id of a conversation. If
	// a server has more calls than [Options.MaxConcurrency], conversations take turns;
	// and with [SharingPerConversation] each has a connection of its own.
	Conversation string
	// Timeout and MaxTimeout override [Options.CallTimeout] and [Options.MaxCallTimeout].
	Timeout, MaxTimeout time.Duration
	// OnProgress is told what the server reports of the call, in order, until Call
	// returns. It must not block.
	OnProgress func(Progress)
}

// Progress is a server's report on a call that is under way.
type Progress struct {
	// Progress is how far the call has come, and Total how far it has to go; Total is
	// zero if that is not known.
	Progress, Total float64
	// Message is the server's text, bounded and without control characters; often empty.
	// Untrusted.
	Message string
}

// call calls one tool.
func (c *connection) call(ctx context.Context, tool string, args json.RawMessage, opts *CallOptions) (*Result, error) {
	var o CallOptions
	if opts != nil {
		o = *opts
	}
	if present(args) == nil {
		args = json.RawMessage("{}")
	}
	if first := bytes.TrimLeft(args, " \t\r\n"); first[0] != '{' || !json.Valid(args) {
		return nil, &CallError{Server: c.server.Name, Tool: tool, Err: errors.New("the arguments are not a JSON object")}
	}
	c, give, err := c.of(o.Conversation)
	if err != nil {
		return nil, err
	}
	defer give()
	if err := c.queue.enter(ctx, o.Conversation); err != nil {
		return nil, &CallError{Server: c.server.Name, Tool: tool, Err: fmt.Errorf("waiting for a turn: %w", err)}
	}
	defer c.queue.leave()
	var before *CallError // the try that failed
	for try := 1; ; try++ {
		result, err := c.try(ctx, tool, args, &o)
		if err == nil {
			return result, nil
		}
		var failed *CallError
		if !errors.As(err, &failed) {
			if before == nil {
				return nil, err
			}
			before.Err = fmt.Errorf("%w; and then: %w", before.Err, err)
			return nil, before
		}
		failed.Tries = try
		if before != nil {
			failed.OutcomeUnknown = failed.OutcomeUnknown || before.OutcomeUnknown
		}
		t, _ := c.tool(tool)
		failed.repeatable, failed.kept = t.Annotations.Repeatable(), c.conversation != ""
		if try == maxTries || !failed.passing || ctx.Err() != nil || failed.OutcomeUnknown && (!failed.repeatable || failed.kept) {
			return nil, failed
		}
		before = failed
	}
}

// try makes a call once.
func (c *connection) try(ctx context.Context, tool string, args json.RawMessage, o *CallOptions) (*Result, error) {
	l, err := c.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer l.release()
	if err := c.pause(ctx); err != nil {
		return nil, &CallError{Server: c.server.Name, Tool: tool, Err: err}
	}
	ctx, deadline := newDeadline(ctx, orElse(o.Timeout, c.server.CallTimeout), orElse(o.MaxTimeout, c.server.MaxCallTimeout))
	defer deadline.stop()
	stop := context.AfterFunc(c.calls, func() { deadline.end(context.Cause(c.calls)) })
	defer stop()
	params := &mcp.CallToolParams{Name: tool, Arguments: args}
	if o.OnProgress != nil || deadline.extends() {
		token, done := l.follow(func(p Progress) {
			deadline.extend()
			if o.OnProgress != nil {
				o.OnProgress(p)
			}
		})
		defer done()
		params.SetProgressToken(token)
	}
	ctx, ex := withExchange(o.mark(ctx))
	started := time.Now()
	res, err := l.session.CallTool(ctx, params)
	_, raw, rpcErr := ex.state()
	var out *Result
	switch {
	// The SDK may have failed over a result that parseResult understands, but not over one
	// that asks for input: then the rounds have failed.
	case rpcErr == nil && raw != nil && (err == nil || !needsInput(raw)):
		c.answered()
		if len(raw) > c.opts.MaxResultBytes {
			err = fmt.Errorf("the result has %d bytes, at most %d are taken; ask the tool for less, such as one page", len(raw), c.opts.MaxResultBytes)
		} else {
			out, err = parseResult(raw) // also if the SDK could not make sense of it
		}
	case err != nil:
		return nil, c.failedCall(ctx, l.link, tool, ex, err, time.Since(started))
	default:
		c.answered()
		out, err = fromSDK(res)
	}
	if err != nil { // the tool was called, its answer is of no use
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

// failedCall says what became of a call without a result, and draws the conclusions for
// the connection.
func (c *connection) failedCall(ctx context.Context, l *link, tool string, ex *exchange, err error, waited time.Duration) *CallError {
	failed := c.callError(ctx, l, tool, ex, err)
	_, raw, rpcErr := ex.state()
	var status *statusError
	var late *timeoutError
	switch {
	case raw != nil || rpcErr != nil:
		c.answered()
	case errors.As(err, &status) && status.code == http.StatusTooManyRequests:
		c.answered()
		failed.passing = c.postpone(status)
	case errors.As(err, &status) && status.code < 500:
		c.answered()
	case ctx.Err() != nil && !errors.As(context.Cause(ctx), &late): // the caller's end
		if waited >= suspicious {
			ask(c.suspected)
		}
	case errors.Is(err, errNotAsked): // which says nothing about the server
	case isRefused(err):
		failed.passing = true
		l.finish(c.secrets.unreachable(err)) // there is no connection, so "ready" would be wrong
	default:
		failed.passing = ctx.Err() == nil
		c.unanswered(l, failed.Err)
		ask(c.suspected)
	}
	return failed
}

// callError says what became of a request without a result.
func (c *connection) callError(ctx context.Context, l *link, tool string, ex *exchange, err error) *CallError {
	sent, raw, rpcErr := ex.state()
	out := &CallError{Server: c.server.Name, Tool: tool, OutcomeUnknown: sent}
	var status *statusError
	switch {
	case rpcErr != nil:
		out.Err, out.OutcomeUnknown = c.secrets.protocolError(rpcErr), false
	case ctx.Err() != nil:
		out.Err = context.Cause(ctx)
	case raw != nil:
		out.Err = c.noInput(err)
		out.OutcomeUnknown = false
	case errors.As(err, &status):
		out.Err = status
	// That the session is missing may be the answer to another request.
	case l.tap != nil, errors.Is(err, mcp.ErrConnectionClosed), errors.Is(err, mcp.ErrSessionMissing):
		out.Err = fmt.Errorf("%w: %w", ErrUnavailable, l.loss(err))
	default:
		out.Err = c.secrets.unreachable(err)
	}
	return out
}

// answered notes that the server answers calls, and unanswered that it left one alone.
func (c *connection) answered() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.circuit = 0
}

// unanswered gives the connection up when there were too many. The one that replaces it
// is on trial: one more call without an answer is too many.
func (c *connection) unanswered(l *link, err error) {
	c.mu.Lock()
	c.circuit++
	open := c.circuit >= circuitLimit
	if open {
		c.circuit = circuitLimit - 1
	}
	c.mu.Unlock()
	if open {
		l.finish(fmt.Errorf("%d calls in a row had no answer, the last one: %w", circuitLimit, err))
	}
}

// maxPause is for how long a call waits because the server asked for it; one that would
// have to wait for longer fails at once.
const maxPause = 30 * time.Second

// postpone notes that the server wants no requests for a while, and reports whether it
// said for how long and that is worth waiting for.
func (c *connection) postpone(status *statusError) bool {
	now := time.Now()
	d := retryAfter(status, now)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = later(c.paused, now.Add(d))
	return d > 0 && d <= maxPause
}

// pause waits as long as the server wants no requests.
func (c *connection) pause(ctx context.Context) error {
	c.mu.Lock()
	until := c.paused
	c.mu.Unlock()
	d := time.Until(until)
	if d <= 0 {
		return nil
	}
	if end, ok := ctx.Deadline(); d > maxPause || ok && until.After(end) {
		return fmt.Errorf("%w: the server answers too many requests with HTTP status 429, and asks to be left alone for another %v", ErrUnavailable, d.Round(time.Second))
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.calls.Done():
		return context.Cause(c.calls)
	}
}

// loss returns why the link is lost. It waits a moment for the state of the
// connection to follow, so that a caller who asks for it finds the reason there.
func (l *link) loss(err error) error {
	if !within(l.settled, exitGrace+killGrace) {
		return l.of.secrets.readable(err)
	}
	return context.Cause(l.over)
}

func orElse(d, fallback time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return fallback
}
