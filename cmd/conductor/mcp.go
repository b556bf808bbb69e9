package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/mcpserver"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

func mcpStartCommand() *command {
	return &command{
		name:  "mcp start",
		usage: "--config FILE",
		short: "serve the configured servers to an MCP client, through three tools",
		long: `
Is an MCP server on standard input and output, with the tools find_tools,
load_tool_spec and execute_code. It answers at once and connects to the configured
servers meanwhile. One process is one conversation, unless --conversation names one to
go on with. It ends with its input.

Example, in the configuration of an MCP client:
  {"mcpServers": {"conductor": {"command": "conductor",
    "args": ["mcp", "start", "--config", "/home/me/mcp.json"]}}}`,
		define: func(flags *flag.FlagSet) action {
			config, id := configFlag(flags), conversationFlag(flags)
			return func(ctx context.Context, s *streams, args []string) error {
				if len(args) > 0 {
					return usagef("takes no argument, but there is %q", args[0])
				}
				options, err := readConfig(*config, s)
				if err != nil {
					return err
				}
				if err := checkConversation(*id, options); err != nil {
					return err
				}
				return serve(ctx, s, options, *id)
			}
		},
	}
}

func serve(ctx context.Context, s *streams, options *conductor.Options, id string) error {
	names := []string{}
	for _, server := range options.Servers {
		if !server.Disabled {
			names = append(names, server.Name)
		}
	}
	fmt.Fprintf(s.stderr, "conductor %s: an MCP server for %s; waiting for a client on standard input\n", conductor.Version, plural(len(names), "server"))

	options.Client.StartupWait = 0 // a client should not wait for the slowest
	options.Client.OnChange = newReporter(s.stderr).report
	// Tools can be found and loaded while Deno is being fetched, or if there is none.
	options.LazySandbox = true
	denoCtx, cancel := context.WithCancel(ctx)
	looked := make(chan struct{})
	go func() {
		defer close(looked)
		if _, err := sandbox.InstallDeno(denoCtx, &options.Sandbox); err != nil && denoCtx.Err() == nil {
			fmt.Fprintf(s.stderr, "conductor: programs cannot run: %s\n", indentRest(printable(err.Error())))
		}
	}()
	defer func() { cancel(); <-looked }()

	open := func(ctx context.Context) (*conductor.Conductor, error) {
		c, err := conductor.New(ctx, options)
		if err != nil {
			if ctx.Err() == nil {
				fmt.Fprintf(s.stderr, "conductor: %s\n", indentRest(printable(err.Error())))
			}
			return nil, err
		}
		return c, nil
	}
	transport := &mcp.IOTransport{Reader: io.NopCloser(s.stdin), Writer: unclosed{s.stdout}}
	err := mcpserver.Serve(ctx, transport, open, &mcpserver.Options{Servers: names, Conversation: id, Workspaces: options.Workspaces.Dir != "", Logger: options.Logger})
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Errorf("standard input has something else than an MCP client's messages: %w", err)
	}
	return err
}

// A reporter tells people what becomes of the servers, and each thing once: a server
// that is tried again and again fails for the same reason.
type reporter struct {
	mu   sync.Mutex
	w    io.Writer
	last map[string]string // what was told of each server
}

func newReporter(w io.Writer) *reporter { return &reporter{w: w, last: map[string]string{}} }

func (r *reporter) report(s mcpclient.Status, _ []mcpclient.Tool) {
	line := ""
	switch s.State {
	case mcpclient.StateReady:
		line = "is ready: " + plural(s.Tools, "tool")
	case mcpclient.StateDegraded:
		line = "is in trouble: " + indentRest(printable(s.Err.Error()))
	case mcpclient.StateFailed, mcpclient.StateBackoff:
		line = "is not available: " + indentRest(printable(s.Err.Error()))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if line == "" || line == r.last[s.Name] {
		return
	}
	r.last[s.Name] = line
	fmt.Fprintf(r.w, "conductor: server %s %s\n", s.Name, line)
}

// unclosed is a writer that is not ours to close.
type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }
