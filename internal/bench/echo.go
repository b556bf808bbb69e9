package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/mcpclient"
)

// echoName is what the echo server is called among the servers.
const echoName = "bench"

// A text is what the echo server takes and gives.
type text struct {
	Text string `json:"text" jsonschema:"what comes back"`
}

// ServeEcho is an MCP server on standard input and output with one tool, which
// answers with what it is given. It returns when its client is gone.
func ServeEcho(ctx context.Context) error {
	s := mcp.NewServer(&mcp.Implementation{Name: "echo", Version: conductor.Version}, nil)
	mcp.AddTool(s, &mcp.Tool{Name: "echo", Description: "Answers with what it is given"},
		func(_ context.Context, _ *mcp.CallToolRequest, t text) (*mcp.CallToolResult, text, error) {
			return nil, t, nil
		})
	if err := s.Run(ctx, &mcp.StdioTransport{}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// conductor connects to servers. The programs of a row with a program run in a
// sandbox with the default pool.
func (e *Env) conductor(ctx context.Context, store conversation.Store, lazy bool, servers ...mcpclient.Server) (*conductor.Conductor, error) {
	c, err := conductor.New(ctx, &conductor.Options{Servers: servers, Sandbox: e.Sandbox, Store: store, LazySandbox: lazy})
	if err != nil {
		return nil, err
	}
	for _, status := range c.Status() {
		if status.State != mcpclient.StateReady {
			return nil, errors.Join(fmt.Errorf("server %s is %s: %w", status.Name, status.State, status.Err), c.Close())
		}
	}
	return c, nil
}

// echoServer is Env.Echo under its name.
func (e *Env) echoServer() mcpclient.Server {
	s := e.Echo
	s.Name = echoName
	return s
}

// withEcho opens a conductor with the echo server, and a conversation that has
// loaded its tool.
func (e *Env) withEcho(ctx context.Context) (*conductor.Conductor, *conductor.Conversation, error) {
	c, err := e.conductor(ctx, nil, false, e.echoServer())
	if err != nil {
		return nil, nil, err
	}
	conv, err := c.Conversation(ctx, "")
	if err == nil {
		_, err = conv.LoadToolSpec(ctx, echoName+".echo")
	}
	if err != nil {
		return nil, nil, errors.Join(err, c.Close())
	}
	return c, conv, nil
}

// direct connects to a server of its own with the SDK alone.
func (e *Env) direct(ctx context.Context) (*mcp.ClientSession, error) {
	cmd := exec.Command(e.Echo.Command, e.Echo.Args...)
	cmd.Env = os.Environ()
	for name, value := range e.Echo.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "bench", Version: conductor.Version}, nil)
	return client.Connect(ctx, &mcp.CommandTransport{Command: cmd}, nil)
}

// echoed is the argument of each call.
const echoed = "the quick brown fox jumps over the lazy dog"

// toolCall compares calls from inside a program with direct ones, in turns.
func toolCall(ctx context.Context, env *Env) (row Row, err error) {
	c, conv, err := env.withEcho(ctx)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	session, err := env.direct(ctx)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	var inside, outside []time.Duration
	// The first turn is not counted: both servers are new.
	for turn := range env.Sizes.CallBlocks + 1 {
		within, err := callsInProgram(ctx, conv, env.Sizes.Calls)
		if err != nil {
			return row, err
		}
		direct, err := callsDirect(ctx, session, env.Sizes.Calls)
		if err != nil {
			return row, err
		}
		if turn > 0 {
			inside, outside = append(inside, within...), append(outside, direct...)
		}
	}
	row.Measured = times(inside)
	row.Baseline = &Baseline{"a call with a go-sdk session", times(outside)}
	row.Notes = append(row.Notes, fmt.Sprintf("%d runs of %d calls, one after the other, in turns with as many direct ones", env.Sizes.CallBlocks, env.Sizes.Calls))
	return row, nil
}

// callsInProgram lets a program measure its calls by its own clock.
func callsInProgram(ctx context.Context, conv *conductor.Conversation, n int) ([]time.Duration, error) {
	result, err := conv.Execute(ctx, fmt.Sprintf(`
		import * as bench from "./mcp/bench";
		const took: number[] = [];
		for (let i = 0; i < %d; i++) {
			const start = performance.now();
			const { text } = await bench.echo({ text: %q });
			took.push(performance.now() - start);
			if (text !== %[2]q) throw new Error("the answer is " + text);
		}
		return took;`, n, echoed), nil)
	if err != nil {
		return nil, err
	}
	if result.Error != nil {
		return nil, fmt.Errorf("the program ended with %s: %s", result.Phase, result.Error.Message)
	}
	var milliseconds []float64
	if err := json.Unmarshal(result.Value, &milliseconds); err != nil {
		return nil, err
	}
	if len(milliseconds) != n {
		return nil, fmt.Errorf("the program measured %d calls, want %d", len(milliseconds), n)
	}
	took := make([]time.Duration, n)
	for i, ms := range milliseconds {
		took[i] = time.Duration(ms * float64(time.Millisecond))
	}
	return took, nil
}

func callsDirect(ctx context.Context, session *mcp.ClientSession, n int) ([]time.Duration, error) {
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		result, err := session.CallTool(ctx, &mcp.CallToolParams{Name: "echo", Arguments: text{echoed}})
		took[i] = time.Since(start)
		if err != nil {
			return nil, err
		}
		if answer, ok := result.StructuredContent.(map[string]any); !ok || answer["text"] != echoed {
			return nil, fmt.Errorf("the direct call answers %v", result.StructuredContent)
		}
	}
	return took, nil
}

// inProcess serves tools in this process, as a server that is called name. The
// returned function stops it.
func inProcess(name string, tools []mcpclient.Tool) (mcpclient.Server, func()) {
	s := mcp.NewServer(&mcp.Implementation{Name: name, Version: conductor.Version}, nil)
	for _, t := range tools {
		s.AddTool(&mcp.Tool{Name: t.Name, Title: t.Title, Description: t.Description, InputSchema: acceptable(t.InputSchema)},
			func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
				return &mcp.CallToolResult{Content: []mcp.Content{}}, nil
			})
	}
	near, far := mcp.NewInMemoryTransports()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx, far) // ends with its client, or with the context
	}()
	return mcpclient.Server{Name: name, Transport: near}, func() { cancel(); <-done }
}

// acceptable returns the schema if the SDK's server would take it, which panics
// over others, and else one that says nothing.
func acceptable(schema json.RawMessage) json.RawMessage {
	var object struct {
		Type any `json:"type"`
	}
	if err := json.Unmarshal(schema, &object); err != nil || object.Type != "object" || bytes.Contains(schema, []byte("x-mcp-header")) {
		return json.RawMessage(`{"type":"object"}`)
	}
	return schema
}
