package mcpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// ErrNotOffered is returned for a feature that the server does not offer: see
// [Status.Capabilities].
var ErrNotOffered = errors.New("the server does not offer this")

// Capabilities are what a server offers.
type Capabilities struct {
	Tools       bool // tools
	Resources   bool // [Client.Resources], [Client.ResourceTemplates], [Client.ReadResource]
	Subscribe   bool // [Client.SubscribeResource]
	Prompts     bool // [Client.Prompts], [Client.Prompt]
	Completions bool // [Client.Complete]
	Logging     bool // [Client.SetLogLevel]
}

// capabilities says what a server offers, from its handshake.
func capabilities(init *mcp.InitializeResult) Capabilities {
	if init == nil || init.Capabilities == nil {
		return Capabilities{}
	}
	caps := init.Capabilities
	return Capabilities{
		Tools:       caps.Tools != nil,
		Resources:   caps.Resources != nil,
		Subscribe:   caps.Resources != nil && caps.Resources.Subscribe,
		Prompts:     caps.Prompts != nil,
		Completions: caps.Completions != nil,
		Logging:     logs(caps),
	}
}

// Bounds of what a server lists, over all pages.
const (
	maxListed = 10_000
	maxURI    = 8 << 10
)

// A request is one request to a server that is not the call of a tool.
type request struct {
	method string // as on the wire
	needs  func(Capabilities) bool
	send   func(context.Context, *mcp.ClientSession) error
	silent bool // the SDK may get by without an answer
	reads  bool // it has no effect at the server
}

// ask sends a request and returns the result as the server wrote it. What the SDK
// makes of the result does not matter: where it fails, ours is the more tolerant.
func (c *connection) ask(ctx context.Context, r request, opts *CallOptions) (json.RawMessage, error) {
	var o CallOptions
	if opts != nil {
		o = *opts
	}
	c, give, err := c.of(o.Conversation)
	if err != nil {
		return nil, err
	}
	defer give()
	fail := func(err error) error { return &CallError{Server: c.server.Name, Tool: r.method, Err: err} }
	if err := c.queue.enter(ctx, o.Conversation); err != nil {
		return nil, fail(fmt.Errorf("waiting for a turn: %w", err))
	}
	defer c.queue.leave()
	l, err := c.acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer l.release()
	if !r.needs(capabilities(l.session.InitializeResult())) {
		return nil, fmt.Errorf("%w: server %q has not announced %s", ErrNotOffered, c.server.Name, r.method)
	}
	if err := c.pause(ctx); err != nil {
		return nil, fail(err)
	}
	timeout := orElse(o.Timeout, c.server.CallTimeout)
	ctx, deadline := newDeadline(ctx, timeout, timeout)
	defer deadline.stop()
	stop := context.AfterFunc(c.calls, func() { deadline.end(context.Cause(c.calls)) })
	defer stop()
	ctx, ex := withExchange(o.mark(ctx))
	started := time.Now()
	err = r.send(ctx, l.session)
	_, raw, rpcErr := ex.state()
	switch {
	case rpcErr == nil && raw != nil && !needsInput(raw):
		c.answered()
		if len(raw) > c.opts.MaxResultBytes {
			return nil, fail(fmt.Errorf("the result has %d bytes, at most %d are taken", len(raw), c.opts.MaxResultBytes))
		}
		return raw, nil
	case err == nil && r.silent:
		return nil, nil
	case err == nil:
		err = errors.New("the answer was not seen")
	}
	failed := c.failedCall(ctx, l.link, r.method, ex, err, time.Since(started))
	failed.passing = false // nobody tries again
	failed.OutcomeUnknown = failed.OutcomeUnknown && !r.reads
	return nil, failed
}

// decodeResult reads the result of a request.
func decodeResult(c *connection, method string, raw json.RawMessage, v any) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return &CallError{Server: c.server.Name, Tool: method, Err: fmt.Errorf("the result is not as MCP has it: %w", c.secrets.readable(err))}
	}
	return nil
}

// listAll asks for all pages of a list whose entries are under key. Entries that
// cannot be read, or that keep says no to, are left out.
func listAll[T any](ctx context.Context, c *connection, opts *CallOptions, key string, r request, page func(context.Context, *mcp.ClientSession, string) error, keep func(*T) bool) ([]T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.server.CallTimeout, &timeoutError{
		what: "the server did not list everything", d: c.server.CallTimeout,
	})
	defer cancel()
	fail := func(format string, args ...any) error {
		return &CallError{Server: c.server.Name, Tool: r.method, Err: fmt.Errorf(format, args...)}
	}
	var (
		all    = []T{}
		seen   = map[string]bool{}
		cursor string
		size   int
	)
	for pages := 1; ; pages++ {
		r.send = func(ctx context.Context, session *mcp.ClientSession) error { return page(ctx, session, cursor) }
		raw, err := c.ask(ctx, r, opts)
		if err != nil {
			return nil, err
		}
		var fields map[string]json.RawMessage
		var entries []json.RawMessage
		var next string
		if err := decodeResult(c, r.method, raw, &fields); err != nil {
			return nil, err
		}
		if list := present(fields[key]); list != nil {
			if err := decodeResult(c, r.method, list, &entries); err != nil {
				return nil, err
			}
		}
		if n := present(fields["nextCursor"]); n != nil {
			if err := decodeResult(c, r.method, n, &next); err != nil {
				return nil, err
			}
		}
		for _, data := range entries {
			var entry T
			if json.Unmarshal(data, &entry) == nil && keep(&entry) {
				all = append(all, entry)
			}
		}
		size += len(raw)
		switch {
		case len(all) > maxListed:
			return nil, fail("the server lists more than %d", maxListed)
		case size > maxListBytes:
			return nil, fail("the list is larger than %d bytes", maxListBytes)
		case next == "":
			return all, nil
		case seen[next]:
			return nil, fail("the server repeats the cursor %q, so its pages would never end", clean(next, 80))
		case pages == maxPages:
			return nil, fail("the list has more than %d pages", maxPages)
		}
		seen[next], cursor = true, next
	}
}

// forgetful is middleware that keeps the SDK from keeping what servers list and
// what resources contain: its cache has no bound (protocol 2026-07-28), and the
// answer was kept by the exchange already. The SDK takes the key from the parameters,
// which are ours and of no more use.
func forgetful(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		res, err := next(ctx, method, req)
		if err != nil || res == nil {
			return res, err
		}
		switch p := req.GetParams().(type) {
		case *mcp.ListResourcesParams:
			p.Cursor = ""
			return &mcp.ListResourcesResult{}, nil
		case *mcp.ListResourceTemplatesParams:
			p.Cursor = ""
			return &mcp.ListResourceTemplatesResult{}, nil
		case *mcp.ListPromptsParams:
			p.Cursor = ""
			return &mcp.ListPromptsResult{}, nil
		case *mcp.ReadResourceParams:
			p.URI = ""
			return &mcp.ReadResourceResult{}, nil
		}
		return res, nil
	}
}

// protocolModern is the first revision without sessions and without logging/setLevel.
const protocolModern = "2026-07-28"

// modern reports whether the server speaks that revision or a later one.
func (c *connection) modern() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.init != nil && c.init.ProtocolVersion >= protocolModern
}

// CompletionRequest asks for values of an argument of a prompt or of a variable of
// a resource template, one of which is set.
type CompletionRequest struct {
	Prompt      string            // the name of a prompt
	URITemplate string            // a template from [Client.ResourceTemplates]
	Argument    string            // the argument, or the variable
	Value       string            // what there is of its value so far
	Known       map[string]string // other arguments that have a value already
}

// Completion is what a server suggests.
type Completion struct {
	Values  []string `json:"values"`          // at most 100, best first. Untrusted text.
	Total   int      `json:"total,omitempty"` // how many there are in all; zero if unknown
	HasMore bool     `json:"hasMore"`
}

// maxCompletions is the most that MCP allows: "Maximum 100 items per response".
const maxCompletions = 100

// Complete asks a server for values that complete an argument.
func (c *Client) Complete(ctx context.Context, server string, r CompletionRequest, opts *CallOptions) (*Completion, error) {
	conn, err := c.find(server)
	if err != nil {
		return nil, err
	}
	ref := &mcp.CompleteReference{Type: "ref/prompt", Name: r.Prompt}
	if r.URITemplate != "" {
		ref = &mcp.CompleteReference{Type: "ref/resource", URI: r.URITemplate}
	}
	params := &mcp.CompleteParams{Ref: ref, Argument: mcp.CompleteParamsArgument{Name: r.Argument, Value: r.Value}}
	if len(r.Known) > 0 {
		params.Context = &mcp.CompleteContext{Arguments: r.Known}
	}
	const method = "completion/complete"
	raw, err := conn.ask(ctx, request{
		method: method,
		needs:  func(has Capabilities) bool { return has.Completions },
		reads:  true,
		send: func(ctx context.Context, session *mcp.ClientSession) error {
			_, err := session.Complete(ctx, params)
			return err
		},
	}, opts)
	if err != nil {
		return nil, err
	}
	var w struct {
		Completion Completion `json:"completion"`
	}
	if err := decodeResult(conn, method, raw, &w); err != nil {
		return nil, err
	}
	if len(w.Completion.Values) > maxCompletions {
		w.Completion.Values, w.Completion.HasMore = w.Completion.Values[:maxCompletions], true
	}
	return &w.Completion, nil
}
