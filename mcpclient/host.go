package mcpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Host answers what servers ask of the program that uses the client. A server is
// told of exactly what is set here; what is not set is refused, and a call that
// depends on it fails and says so. The functions are called by many goroutines, at
// most [MaxHostRequests] at a time for one server; others wait. Their ctx ends with
// [Options.CallTimeout], and with the call that asked where that is known (protocol
// 2026-07-28). The text of an error that they return goes to [Options.Logger] and
// not to the server.
type Host struct {
	// Elicit asks the user for input. Show who asks: a server may ask for anything,
	// and must not be given passwords or keys through a form.
	Elicit func(ctx context.Context, e *Elicitation) (*ElicitationAnswer, error)
	// Sample runs a prompt of the server's on a model of the host's, at the host's
	// cost. Let the user see prompt and answer. MCP deprecates it since 2026-07-28.
	Sample func(ctx context.Context, s *Sampling) (*SamplingAnswer, error)
	// OnLog is told what servers log; see [Server.LogLevel]. Nil sends it to
	// [Options.Logger]. At most 100 messages a second come from one server; of the
	// others only the number is told. It must not block.
	OnLog func(LogMessage)
	// OnResourceUpdated is told of a resource that changed and was subscribed to
	// with [Client.SubscribeResource]. It must not block.
	OnResourceUpdated func(server, uri string)
}

// MaxHostRequests bounds what one server can ask of a [Host] at the same time.
const MaxHostRequests = 4

// maxHostWaiting bounds what waits for that.
const maxHostWaiting = 32

// Bounds of what a server asks of the host, in bytes.
const (
	maxElicitMessage = 8 << 10
	maxElicitSchema  = 64 << 10
	maxElicitURL     = 8 << 10
	maxSampling      = 1 << 20
)

// Elicitation is a server's question to the user.
type Elicitation struct {
	// Server is the configured name of who asks.
	Server string
	// Conversation is the [CallOptions.Conversation] of the call that asks. It is empty
	// where that is not known: on a connection that conversations share, to a server
	// of a protocol before 2026-07-28.
	Conversation string
	// Message is what the user is asked, at most 8 KiB, without control characters.
	// Untrusted text.
	Message string
	// Schema is the JSON Schema of the form to fill in: a flat object. It is nil if
	// the server asks for no content, or to visit a URL.
	Schema json.RawMessage
	// URL, if it is not empty, is where the user is asked to go, with http or https.
	// Show it before it is opened.
	URL string
}

// ElicitAction is what the user did.
type ElicitAction string

// The actions of an [ElicitationAnswer].
const (
	ElicitAccept  ElicitAction = "accept"  // filled in the form, or agreed to open the URL
	ElicitDecline ElicitAction = "decline" // said no
	ElicitCancel  ElicitAction = "cancel"  // gave no answer
)

// ElicitationAnswer answers an [Elicitation].
type ElicitationAnswer struct {
	// Action is what the user did. Empty means [ElicitCancel].
	Action ElicitAction
	// Content is the form as filled in, for [ElicitAccept]. It is checked against
	// the schema, and gets the schema's defaults for what is missing.
	Content map[string]any
}

// Sampling is a server's request for a completion by a model.
type Sampling struct {
	// Server is the configured name of who asks, and Conversation for whom; see
	// [Elicitation].
	Server, Conversation string
	// Messages are the conversation to complete. Untrusted.
	Messages []Message
	// SystemPrompt is the system prompt that the server wants. Untrusted.
	SystemPrompt string
	// MaxTokens bounds the answer.
	MaxTokens int64
	// Temperature is zero if the server does not care.
	Temperature float64
	// StopSequences end the answer.
	StopSequences []string
	// ModelHints are names, or parts of names, of models that the server would like,
	// best first.
	ModelHints []string
}

// SamplingAnswer answers a [Sampling].
type SamplingAnswer struct {
	// Model is the name of the model that answered.
	Model string
	// Content is the answer, usually a text.
	Content Content
	// StopReason is why the model stopped: "endTurn", "maxTokens", "stopSequence".
	StopReason string
}

// Message is one message of a prompt or of a [Sampling].
type Message struct {
	Role    string  `json:"role"` // "user" or "assistant"
	Content Content `json:"content"`
}

// Root is a folder that a server may use; see [Server.Roots].
type Root struct {
	URI  string // file:///…
	Name string // for people, may be empty
}

// asked answers the requests of one server.
type asked struct {
	server *Server
	forOne string // the only conversation of the connection, if there is such
	opts   *Options
	turns  *turns
	logs   logRate

	visited visits
}

// turns bound what one server asks of the host, over all connections to it.
type turns struct {
	slots chan struct{} // one for each request that the host has
	queue chan struct{} // one for each that waits for that
}

func newTurns() *turns {
	return &turns{slots: make(chan struct{}, MaxHostRequests), queue: make(chan struct{}, maxHostWaiting)}
}

// clientOptions says what the client offers to s: what the host has set.
func clientOptions(s *Server, o *Options, conversation string, turns *turns) (*mcp.ClientOptions, *asked) {
	a := &asked{server: s, opts: o, forOne: conversation, turns: turns}
	options := &mcp.ClientOptions{
		Logger: o.Logger.With("server", s.Name),
		// Not nil, which would advertise roots.
		Capabilities: &mcp.ClientCapabilities{},
	}
	a.deprecated(options)
	if o.Host.Elicit != nil {
		options.Capabilities.Elicitation = &mcp.ElicitationCapabilities{
			Form: &mcp.FormElicitationCapabilities{}, URL: &mcp.URLElicitationCapabilities{},
		}
		options.ElicitationHandler = a.elicit
		options.ElicitationCompleteHandler = a.visited.complete
	}
	if o.Host.OnResourceUpdated != nil {
		options.ResourceUpdatedHandler = func(_ context.Context, r *mcp.ResourceUpdatedNotificationRequest) {
			if r.Params != nil {
				o.Host.OnResourceUpdated(s.Name, clean(r.Params.URI, maxURI))
			}
		}
	}
	return options, a
}

// conversationKey is the context key of [CallOptions.Conversation]. In rounds of
// 2026-07-28 the question comes in the context of the call.
type conversationKey struct{}

func (o *CallOptions) mark(ctx context.Context) context.Context {
	return context.WithValue(ctx, conversationKey{}, o.Conversation)
}

// conversation returns for whom the server asks, as far as that is known.
func (a *asked) conversation(ctx context.Context) string {
	if conversation, _ := ctx.Value(conversationKey{}).(string); conversation != "" {
		return conversation
	}
	return a.forOne
}

// refuse is what the server gets to read about a request that is not answered.
func refuse(format string, args ...any) error {
	return &jsonrpc.Error{Code: jsonrpc.CodeInvalidParams, Message: fmt.Sprintf(format, args...)}
}

// enter waits for one of the slots for requests to the host.
func (a *asked) enter(ctx context.Context) (context.Context, func(), error) {
	select {
	case a.turns.queue <- struct{}{}:
		defer func() { <-a.turns.queue }()
	default:
		return nil, nil, refuse("this client is busy with %d requests of this server", MaxHostRequests+maxHostWaiting)
	}
	ctx, cancel := context.WithTimeout(ctx, a.server.CallTimeout)
	select {
	case a.turns.slots <- struct{}{}:
		return ctx, func() { cancel(); <-a.turns.slots }, nil
	case <-ctx.Done():
		cancel()
		return nil, nil, refuse("the user of this client did not answer in time")
	}
}

// failed keeps the host's reason from the server.
func (a *asked) failed(what string, err error) error {
	a.opts.Logger.Warn("request of an MCP server was not answered", "server", a.server.Name, "request", what, "reason", err)
	return refuse("the user of this client did not answer the request for %s", what)
}

// noInput says why a request that needs something of the host was given up.
func (c *connection) noInput(err error) error {
	if c.opts.Host.Elicit == nil && c.opts.Host.Sample == nil {
		return errors.New("the tool asks for input from the user, which is not offered here")
	}
	return fmt.Errorf("the tool asks for something that it was not given: %w", c.secrets.readable(err))
}

func (a *asked) elicit(ctx context.Context, req *mcp.ElicitRequest) (*mcp.ElicitResult, error) {
	ctx, leave, err := a.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	p := req.Params
	e := &Elicitation{Server: a.server.Name, Conversation: a.conversation(ctx), Message: clean(p.Message, maxElicitMessage), URL: p.URL}
	if p.RequestedSchema != nil {
		if e.Schema, err = json.Marshal(p.RequestedSchema); err != nil || len(e.Schema) > maxElicitSchema {
			return nil, refuse("the requested schema is larger than %d bytes, or no JSON", maxElicitSchema)
		}
	}
	if e.URL != "" {
		if err := checkBrowsable(e.URL); err != nil {
			return nil, refuse("%v", err)
		}
	}
	answer, err := a.opts.Host.Elicit(ctx, e)
	if err != nil {
		return nil, a.failed("input", err)
	}
	if answer == nil {
		answer = &ElicitationAnswer{}
	}
	res := &mcp.ElicitResult{Action: string(answer.Action)}
	switch answer.Action {
	case ElicitAccept:
		if e.URL == "" {
			res.Content = answer.Content
			if res.Content == nil {
				res.Content = map[string]any{} // the SDK adds defaults to what is there
			}
		}
	case ElicitDecline, ElicitCancel:
	case "":
		res.Action = string(ElicitCancel)
	default:
		return nil, a.failed("input", fmt.Errorf("the host answered with the unknown action %q", answer.Action))
	}
	return res, nil
}
