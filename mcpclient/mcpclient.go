// Package mcpclient connects to any number of MCP servers and calls their tools.
//
//	c, err := mcpclient.Connect(ctx, []mcpclient.Server{
//		{Name: "files", Command: "npx", Args: []string{"-y", "@modelcontextprotocol/server-filesystem", "."}},
//		{Name: "remote", URL: "https://mcp.example.com/mcp", Header: http.Header{"Authorization": {"Bearer " + token}}},
//		{Name: "local", Transport: inProcess}, // any go-sdk mcp.Transport
//	}, nil)
//	if err != nil {
//		return err // the configuration is wrong, or ctx is done
//	}
//	defer c.Close()
//	result, err := c.Call(ctx, "files", "read_file", json.RawMessage(`{"path":"go.mod"}`))
//
// # Failure
//
// One bad server does not take the others down. [Connect] returns an error only
// for a configuration that cannot work and for a ctx that is done; a server that
// does not start, hangs, exits or cannot list its tools is reported by
// [Client.Status] with a reason for people, and calls to it return
// [ErrUnavailable]. A server on stdio that dies later turns to [StateFailed] by
// itself. A server over streamable HTTP has no connection that could be watched:
// each call is a request of its own and reports its own failure, and the state
// turns to failed only when the server says that the session is gone.
//
// A call is never repeated. If it is not known whether the server carried it
// out, [CallError] says so.
//
// # Security
//
// A stdio server gets a minimal environment (see [Server]), its own process
// group, and is killed with its group when the client closes. What servers send
// is bounded: one message or response at 64 MiB, the tool list by
// [Options.MaxTools]. Headers, user names, passwords and query values of a URL
// go to the host of that URL only, also after a redirect, and never appear in
// errors.
//
// # Concurrency
//
// A [Client] may be used by many goroutines. Calls run concurrently, also to the
// same server.
package mcpclient

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/tool"
)

// Version is what the client tells servers unless [Options.ClientVersion] is set.
const Version = "0.1.0-dev"

// Tool is a tool as a server describes it: Server (the configured name), Name
// (exact, as on the wire), Title and Description (text for people, may be
// empty), InputSchema and OutputSchema (JSON Schema exactly as the server wrote
// it, with its order of properties; empty when the server declares none) and
// Annotations (its hints about what the tool does). ID returns "server.tool". All but
// Server is untrusted.
type Tool = tool.Tool

// Annotations are a server's hints about what a tool does.
type Annotations = tool.Annotations

// Type names the transport of a [Server].
type Type string

// The transports that a [Server] can name. Empty means what fits: TypeHTTP with
// a URL, TypeStdio with a Command.
const (
	TypeStdio Type = "stdio" // a child process, newline-delimited JSON on stdin and stdout
	TypeHTTP  Type = "http"  // streamable HTTP
	TypeSSE   Type = "sse"   // HTTP with server-sent events, as of protocol 2024-11-05
)

// Server says how to reach one MCP server. Exactly one of Command, URL and
// Transport is set.
type Server struct {
	// Name identifies the server; it is required and unique.
	Name string

	// Command is the program of a stdio server: a path, or a name that is looked
	// up in this process's PATH.
	Command string
	// Args are the arguments of Command.
	Args []string
	// Env is added to the environment of Command. A server inherits nothing but
	// PATH, HOME, USER, LOGNAME, LANG, LC_ALL, SHELL, TERM, TMPDIR and TZ (on
	// Windows the variables without which programs do not start), so that
	// secrets of this process stay here.
	Env map[string]string
	// Dir is the working directory of Command. Empty means this process's.
	Dir string

	// URL is the endpoint of an HTTP server. User name, password and query are
	// sent, and are left out of errors.
	URL string
	// Header is sent with each request to URL's host.
	Header http.Header

	// Type selects the transport where the fields above leave a choice.
	Type Type

	// Transport is used as it is, for example for a server in this process. It is
	// connected once; after the connection is lost it cannot be used again.
	Transport mcp.Transport

	// ConnectTimeout overrides [Options.ConnectTimeout] for this server.
	ConnectTimeout time.Duration
	// CallTimeout overrides [Options.CallTimeout] for this server.
	CallTimeout time.Duration
	// Disabled keeps the server out of use; it is checked and listed by
	// [Client.Status] all the same.
	Disabled bool
}

// Options configure a [Client]. The zero value, and nil, are useful.
type Options struct {
	// ConnectTimeout bounds connecting to one server: starting it, the
	// handshake and the listing of its tools. Default 30 s, because package
	// runners install on first use.
	ConnectTimeout time.Duration
	// CallTimeout bounds one call. Default 2 min. It is an upper bound for a
	// server that never answers; pass a ctx with a deadline for less.
	CallTimeout time.Duration
	// StartupWait is how long [Connect] waits for servers that are still connecting
	// before it returns without them. Default 10 s; negative means until each is
	// ready or has failed.
	StartupWait time.Duration
	// OnChange is told the new state of a server, and its tools if it is ready. It is
	// called for different servers at the same time, for one server in order, and
	// before Connect counts the server as settled. Connect and Close wait for it; it
	// must call neither.
	OnChange func(Status, []Tool)
	// MaxTools bounds the tools of one server; a server that offers more has
	// failed. Default 5,000.
	MaxTools int
	// Logger gets what has no one to return to, such as a lost connection or a
	// dropped tool. Nil discards it.
	Logger *slog.Logger
	// ClientName and ClientVersion are told to servers. Default "conductor" and
	// [Version].
	ClientName, ClientVersion string
}

// State says whether a server can be called.
type State string

// The states of a server.
const (
	StateConnecting State = "connecting" // is being connected
	StateReady      State = "ready"      // connected, its tools are known
	StateFailed     State = "failed"     // could not be connected, or the connection was lost; Status.Err has the reason
	StateDisabled   State = "disabled"   // Server.Disabled is set
	StateClosed     State = "closed"     // the client was closed
)

// Status describes one server at one moment.
type Status struct {
	// Name is the configured name.
	Name string
	// State says whether it can be called.
	State State
	// Err is the reason for [StateFailed], written for people: what happened, to
	// what, and what to do.
	Err error
	// Stderr is the end of what a stdio server wrote to its standard error (and
	// to standard output, where it was not a message), at most 2 KiB, without
	// control characters. Untrusted text.
	Stderr string
	// Transport is "stdio", "http", "sse", or "custom" for [Server.Transport].
	Transport string
	// ServerName, ServerVersion, Title and Instructions are the server's words
	// about itself. Untrusted text.
	ServerName, ServerVersion, Title, Instructions string
	// ProtocolVersion is the MCP revision in use, such as "2025-11-25".
	ProtocolVersion string
	// Tools is the number of tools.
	Tools int
	// ConnectTime is how long connecting took, or took to fail.
	ConnectTime time.Duration
}
