// Package mcpclient connects to any number of MCP servers, calls their tools and uses
// what else they offer.
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
//	result, err := c.Call(ctx, "files", "read_file", json.RawMessage(`{"path":"go.mod"}`), nil)
//
// # Failure
//
// One bad server does not take the others down. [Connect] returns an error only for a
// configuration that cannot work and for a ctx that is done. Each server has a [State]
// with a reason and a time, which [Client.Status] has and [Options.OnChange] is told:
//
//	connecting ──▶ ready ◀──▶ degraded        (silent, or its list cannot be read again)
//	    ▲    │       │            │
//	    │    ▼       ▼            ▼
//	    └─ backoff ◀──────────────┘           (lost, or five calls in a row without an answer)
//	    └─ failed                             (refused credentials, no such program)
//
// A server that is lost is connected again: at once if the connection had lasted for a
// minute, else after a time that doubles from [Options.MinBackoff] to
// [Options.MaxBackoff]. A call to one in backoff has it tried now. One that has failed
// waits for [Client.Reconnect], or for another token of [Server.Bearer]. A call to a
// server that is not there returns [ErrUnavailable] with the reason.
//
// A call is repeated once at most: if the connection was lost, and either the server
// cannot have taken the call or its tool declares itself read-only or idempotent.
// [CallError] says whether the outcome is known, and how often the call was made.
//
// Servers that are silent are pinged, and never while that could end a call. Tools are
// listed again when the server says so, when its notifications may have been missed, and
// from time to time if it never announces anything ([Options.RelistInterval]).
//
// # Many callers
//
// A server has [Options.MaxConcurrency] calls at a time; conversations
// ([CallOptions.Conversation]) take turns. A server that keeps something between calls
// can have a connection for each conversation: see [SharingPerConversation].
//
// # Beside tools
//
// [Client.Resources], [Client.ReadResource], [Client.Prompts], [Client.Prompt] and
// [Client.Complete] ask for what a server offers beside its tools;
// [Status.Capabilities] says what that is. What a server asks of its client, input from
// the user most of all, goes to [Options.Host]; a server is told of what is set there,
// and refused everything else.
//
// # Credentials
//
// A server over HTTP gets what [Server.Header] has, or a token: from a callback
// ([Server.Bearer]), or by OAuth 2.1 ([Server.OAuth]), in which case a user may have to
// log in, and the token is kept in a [TokenStore] and renewed. [Server.TLS] is for
// authorities of your own and for client certificates. A server that refuses the
// credentials has failed, and is not tried again by itself.
//
// # Security
//
// A stdio server gets a minimal environment (see [Server]), its own process
// group, and is killed with its group when the client closes (on Windows alone; see
// [Server.Command]). What servers send
// is bounded: one message or response at 64 MiB, the tool list by
// [Options.MaxTools]. Headers, user names, passwords and query values of a URL
// go to the host of that URL only, also after a redirect, and never appear in
// errors; neither do tokens. [Server], [OAuth] and [Token] print without their secrets,
// whatever the verb.
//
// # Concurrency
//
// A [Client] may be used by many goroutines. Calls run concurrently, also to the
// same server.
package mcpclient

import (
	"context"
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

// Server says how to reach one MCP server. Exactly one of Command, URL, Transport and
// Dial is set.
type Server struct {
	// Name identifies the server; it is required and unique.
	Name string

	// Command is the program of a stdio server: a path, or a name that is looked
	// up in this process's PATH. On Windows only this process is ended with the client,
	// and not what it started: give the program itself (node, python) and not a script
	// that starts it, such as npx.cmd.
	Command string
	// Args are the arguments of Command.
	Args []string
	// Env is added to the environment of Command. A server inherits nothing but
	// PATH, HOME, USER, LOGNAME, LANG, LC_ALL, SHELL, TERM, TMPDIR and TZ (on
	// Windows the variables without which programs do not start), so that
	// secrets of this process stay here. Values of 6 bytes and more are taken out of
	// what is shown and logged of the server's standard error.
	Env map[string]string
	// Dir is the working directory of Command. Empty means this process's.
	Dir string

	// URL is the endpoint of an HTTP server. User name, password and query are
	// sent, and are left out of errors.
	URL string
	// Header is sent with each request to URL's host.
	Header http.Header
	// Bearer obtains the token of the Authorization header; see [Bearer].
	Bearer Bearer
	// OAuth obtains the token by OAuth 2.1. Nil means without.
	OAuth *OAuth
	// TLS changes how the server at URL is recognised, and how it recognises this
	// client. Nil means the system's authorities and no certificate.
	TLS *TLS

	// Type selects the transport where the fields above leave a choice.
	Type Type

	// Transport is used as it is, for example for a server in this process. Most
	// transports can be connected once; when such a connection is lost, the server has
	// failed for good.
	Transport mcp.Transport
	// Dial makes a transport for each attempt to connect, so that a lost connection can
	// be replaced. It must return when ctx is done.
	Dial func(ctx context.Context) (mcp.Transport, error)

	// ConnectTimeout overrides [Options.ConnectTimeout] for this server.
	ConnectTimeout time.Duration
	// CallTimeout and MaxCallTimeout override those of [Options] for this server.
	CallTimeout, MaxCallTimeout time.Duration
	// MaxConcurrency overrides [Options.MaxConcurrency] for this server.
	MaxConcurrency int
	// Roots are the folders that the server is told it may use. It is told of none,
	// and not that it could ask, if there are none. MCP deprecates roots since
	// 2026-07-28.
	Roots []Root
	// LogLevel asks the server to log what is at least as severe; see [Host.OnLog].
	// Empty leaves it to the server. MCP deprecates logging since 2026-07-28.
	LogLevel LogLevel
	// Sharing says whether conversations share one connection, which is the default, or
	// have their own.
	Sharing Sharing
	// MaxConnections bounds the connections of conversations if each has its own. Default
	// 8. One more takes the place of the one that was unused the longest.
	MaxConnections int
	// IdleTimeout ends the connection of a conversation that made no call for so long.
	// Default 10 min.
	IdleTimeout time.Duration
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
	// CallTimeout bounds one call, from when it is sent. Default 2 min. It is an upper
	// bound for a server that never answers; pass a ctx with a deadline for less.
	CallTimeout time.Duration
	// MaxCallTimeout lets a server have more time while it reports progress: each report
	// is worth another CallTimeout, up to MaxCallTimeout in all. Zero means that progress
	// changes nothing.
	MaxCallTimeout time.Duration
	// MaxConcurrency bounds the calls of one server at the same time. Default 32. Calls
	// over it wait, those of each conversation in turn.
	MaxConcurrency int
	// MaxResultBytes bounds the result of a call, as JSON. Default, and most, 64 MiB.
	MaxResultBytes int
	// StartupWait is how long [Connect] waits for servers that are still connecting
	// before it returns without them. Default 10 s; negative means until each is
	// ready or has failed.
	StartupWait time.Duration
	// OnChange is told each new state of a server, and when its tools have changed, with
	// its tools as they were last listed. It is called for different servers at the same
	// time, for one server in order, and before Connect counts the server as settled.
	// What is done with the server waits for it, so it must return soon, and must not
	// call the methods of [Client] that change or close anything. It is not called for
	// [Client.Close].
	OnChange func(Status, []Tool)
	// MinBackoff and MaxBackoff are how long to wait after the first attempt to connect
	// that failed, and at most; between them the time doubles. Up to a half is taken off
	// at random. Default 1 s and 5 min. A call does not wait so long: it asks for an
	// attempt at once, though no sooner than MinBackoff after the last one.
	MinBackoff, MaxBackoff time.Duration
	// HealthInterval is how long a server that is connected may be silent before it is
	// pinged. Default 1 min; negative means never. See the package's documentation.
	HealthInterval time.Duration
	// RelistInterval is how often the tools are listed again of a server that does not
	// announce changes, or cannot. Default 15 min; negative means never.
	RelistInterval time.Duration
	// Host answers what servers ask for: input from the user, completions by a
	// model. Its zero value refuses everything.
	Host Host
	// MaxTools bounds the tools of one server; a server that offers more has
	// failed. Default 5,000.
	MaxTools int
	// Logger gets what has no one to return to, such as a lost connection or a
	// dropped tool, and at the level Debug what servers write to their standard error.
	// Nil discards it.
	Logger *slog.Logger
	// ClientName and ClientVersion are told to servers. Default "conductor" and
	// [Version].
	ClientName, ClientVersion string
}

// State says whether a server can be called.
type State string

// The states of a server.
const (
	StateConnecting State = "connecting" // an attempt is under way
	StateReady      State = "ready"      // connected, its tools are known
	StateDegraded   State = "degraded"   // connected, and can be called, but something is wrong
	StateBackoff    State = "backoff"    // could not be connected, or the connection was lost; it will be tried again
	StateFailed     State = "failed"     // the same, but it will not be tried again unless the host asks
	StateDisabled   State = "disabled"   // by Server.Disabled or Client.Disable
	StateClosed     State = "closed"     // it was removed, or the client was closed
)

// Available reports whether a server in this state can be called.
func (s State) Available() bool { return s == StateReady || s == StateDegraded }

// Status describes one server at one moment.
type Status struct {
	// Name is the configured name.
	Name string
	// State says whether it can be called, and Since when it came to be so.
	State State
	Since time.Time
	// Err is the reason for [StateDegraded], [StateBackoff] and [StateFailed], and for
	// [StateConnecting] after a loss, written for people: what happened, to what, and
	// what to do.
	Err error
	// Failures counts the attempts in a row that came to nothing; NextAttempt is the
	// time of the next one in [StateBackoff].
	Failures    int
	NextAttempt time.Time
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
	// Capabilities are what the server offers; zero before it was ready.
	Capabilities Capabilities
	// Tools is the number of tools that were last listed.
	Tools int
	// Connections is the number of connections that conversations have of their own.
	Connections int
	// ConnectTime is how long the last attempt to connect took.
	ConnectTime time.Duration
}
