// Package mcpserver offers a Conductor to MCP clients: a server with the tools
// find_tools, load_tool_spec and execute_code in front of all the servers that the
// Conductor is connected to.
//
// A session is one conversation, unless a call names another with
// conversation_id. Results come as structured content, and once as text for the
// model. A call that is wrong, and machinery that fails, are tool errors with the
// reason, since a model can do something about the first and tell its user about
// the second; a program that fails is a result with a phase.
package mcpserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
)

// Options configure [Serve]. The zero value and nil are useful.
type Options struct {
	// Servers are the names of the configured servers, for the instructions that a
	// client gives to its model. They are what is known before any is connected.
	Servers []string
	// Workspaces tells that conversations have a folder.
	Workspaces bool
	// Conversation is the id of the session's conversation. Empty means a new one.
	Conversation string
	// Logger hears of what an operator should know. nil means silence.
	Logger *slog.Logger
}

// Open makes the Conductor behind a server.
type Open func(context.Context) (*conductor.Conductor, error)

// Serve answers the client on the other side of the transport until it goes, or
// ctx ends; neither is an error. It opens the Conductor meanwhile, so that the
// client need not wait for backends, and closes it in the end, with all that is
// under way.
func Serve(ctx context.Context, transport mcp.Transport, open Open, options *Options) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opened := make(chan struct{})
	var (
		c       *conductor.Conductor
		openErr error
	)
	go func() {
		defer close(opened)
		c, openErr = open(ctx)
	}()
	get := func(ctx context.Context) (*conductor.Conductor, error) {
		select {
		case <-opened:
			return c, openErr
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for the servers: %w", ctx.Err())
		}
	}
	err := session(ctx, newServer(ctx, get, options), transport)
	cancel()
	<-opened
	if c != nil {
		err = errors.Join(err, c.Close())
	}
	return err
}

// session serves one client. It is [mcp.Server.Run] for a caller to whom the end of
// ctx is no error.
func session(ctx context.Context, server *mcp.Server, transport mcp.Transport) error {
	s, err := server.Connect(ctx, transport, nil)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = s.Close() })() // Wait reports it
	if err := s.Wait(); err != nil && ctx.Err() == nil {
		return err
	}
	return nil
}

// A face is what the handlers of one session share.
type face struct {
	life context.Context // ends the calls that are under way
	get  Open
	id   string // of the session's conversation
}

func newServer(life context.Context, get Open, options *Options) *mcp.Server {
	var opts Options
	if options != nil {
		opts = *options
	}
	server := mcp.NewServer(
		&mcp.Implementation{Name: "conductor", Title: "Conductor", Version: conductor.Version},
		&mcp.ServerOptions{
			Instructions: instructions(&opts),
			Logger:       opts.Logger,
			// Nothing is logged to the client, and the tools never change.
			Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}},
		})
	f := &face{life: life, get: get, id: cmp.Or(opts.Conversation, conversation.NewID())}
	for _, tool := range tools() {
		server.AddTool(tool, f.call)
	}
	return server
}

// call answers one call of a tool.
func (f *face) call(ctx context.Context, req *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(f.life, cancel)()
	answer, err := f.dispatch(ctx, user(req.Session), req.Params.Name, req.Params.Arguments)
	if err != nil {
		answer = &conductor.Answer{IsError: true, Text: fmt.Sprintf("%s could not run: %v", req.Params.Name, err)}
	}
	result := &mcp.CallToolResult{
		Content: []mcp.Content{&mcp.TextContent{Text: answer.Text}},
		IsError: answer.IsError,
	}
	if answer.Result != nil {
		result.StructuredContent = answer.Result
	}
	return result, nil
}

// user is whom the audit and the approvals of calls name: the client, by what it says of
// itself.
func user(session *mcp.ServerSession) string {
	if init := session.InitializeParams(); init != nil && init.ClientInfo != nil {
		return init.ClientInfo.Name
	}
	return ""
}

func (f *face) dispatch(ctx context.Context, user, name string, raw json.RawMessage) (*conductor.Answer, error) {
	id, args, err := takeConversationID(raw)
	if err == nil && id != "" {
		if err = conversation.CheckID(id); err != nil {
			err = fmt.Errorf("%s: %w", conversationID, err)
		}
	}
	if err != nil {
		return &conductor.Answer{IsError: true, Text: "wrong arguments: " + err.Error()}, nil
	}
	if id == "" {
		id = f.id
	}
	c, err := f.get(ctx)
	if err != nil {
		return nil, err
	}
	conv, err := c.Conversation(ctx, id)
	if err != nil {
		return nil, err
	}
	if conv, err = conv.As(user, nil); err != nil {
		return nil, err
	}
	return conv.Dispatch(ctx, name, args)
}

// takeConversationID takes the argument that is ours out of those for
// [conductor.Conversation.Dispatch], which reports what is wrong with the others.
func takeConversationID(raw json.RawMessage) (id string, rest json.RawMessage, err error) {
	var args map[string]json.RawMessage
	if json.Unmarshal(raw, &args) != nil || args[conversationID] == nil {
		return "", raw, nil
	}
	if err := json.Unmarshal(args[conversationID], &id); err != nil {
		return "", nil, fmt.Errorf("%s must be a string, one that an earlier result had", conversationID)
	}
	delete(args, conversationID)
	rest, err = json.Marshal(args)
	return id, rest, err
}

// maxNamed bounds the servers that the instructions name.
const maxNamed = 50

// instructions tell a client's model how the tools belong together.
func instructions(opts *Options) string {
	servers := opts.Servers
	text := `Many tools behind three: find_tools finds tools by what they do, load_tool_spec shows their TypeScript and makes them importable, execute_code runs a program that calls them (import * as server from "./mcp/server"). ` +
		`Do several calls in one program, independent ones with Promise.all, and return only what is needed.`
	if opts.Workspaces {
		text += ` Programs of a conversation share a working folder that lasts: await Deno.writeTextFile("a.csv", text), Deno.readTextFile("a.csv").`
	}
	if len(servers) == 0 {
		return text
	}
	text += " Servers: " + strings.Join(servers[:min(len(servers), maxNamed)], ", ")
	if len(servers) > maxNamed {
		text += fmt.Sprintf(" and %d more", len(servers)-maxNamed)
	}
	return text + "."
}
