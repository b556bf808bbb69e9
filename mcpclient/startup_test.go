package mcpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// A gate is a transport that connects when it is opened.
type gate struct {
	mcp.Transport
	open chan struct{}
}

func (g *gate) Connect(ctx context.Context) (mcp.Connection, error) {
	select {
	case <-g.open:
		return g.Transport.Connect(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// gated is a server in this process with one tool, behind a gate.
func gated(t *testing.T) (mcpclient.Server, *gate) {
	client, server := mcp.NewInMemoryTransports()
	s := mcp.NewServer(&mcp.Implementation{Name: "slow", Version: "1"}, nil)
	s.AddTool(&mcp.Tool{Name: "ping", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "pong"}}}, nil
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Run(ctx, server) // ends with the client or the test
	}()
	t.Cleanup(func() { cancel(); <-done })
	g := &gate{Transport: client, open: make(chan struct{})}
	return mcpclient.Server{Name: "slow", Transport: g}, g
}

func TestStartupDoesNotWaitForTheSlowest(t *testing.T) {
	leaktest.Check(t)
	var mu sync.Mutex
	var changes []string
	server, g := gated(t)
	c := connect(t, &mcpclient.Options{
		StartupWait: time.Millisecond,
		OnChange: func(s mcpclient.Status, tools []mcpclient.Tool) {
			mu.Lock()
			defer mu.Unlock()
			changes = append(changes, string(s.State))
			if len(tools) != s.Tools {
				t.Errorf("%d tools, the status says %d", len(tools), s.Tools)
			}
		},
	}, server)
	if s := c.Status()[0]; s.State != mcpclient.StateConnecting || c.Tools("slow") != nil {
		t.Errorf("status %+v", s)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := c.Settle(short, "slow"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Settle: %v", err)
	}
	if _, err := c.Call(short, "slow", "ping", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Call: %v", err)
	}
	close(g.open)
	result, err := c.Call(testContext(t), "slow", "ping", nil, nil) // waits until it is ready
	if err != nil || result.Content[0].Text != "pong" {
		t.Errorf("Call: %+v, %v", result, err)
	}
	if err := c.Settle(t.Context(), "slow"); err != nil {
		t.Errorf("Settle: %v", err)
	}
	if err := c.Settle(t.Context(), "unknown"); err != nil {
		t.Errorf("Settle of an unknown server: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(changes) != 1 || changes[0] != "ready" {
		t.Errorf("changes %q", changes)
	}
}

func TestCloseWhileConnecting(t *testing.T) {
	leaktest.Check(t)
	server, _ := gated(t)
	c := connect(t, &mcpclient.Options{StartupWait: time.Millisecond}, server)
	called := make(chan error, 1)
	go func() {
		_, err := c.Call(context.Background(), "slow", "ping", nil, nil)
		called <- err
	}()
	if err := c.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := <-called; !errors.Is(err, mcpclient.ErrClosed) && !errors.Is(err, mcpclient.ErrUnavailable) {
		t.Errorf("Call: %v", err)
	}
	if s := c.Status()[0]; s.State != mcpclient.StateClosed {
		t.Errorf("status %+v", s)
	}
}

func TestStartupWaitForAll(t *testing.T) {
	leaktest.Check(t)
	server, g := gated(t)
	time.AfterFunc(50*time.Millisecond, func() { close(g.open) })
	c := connect(t, &mcpclient.Options{StartupWait: -1}, server)
	if s := c.Status()[0]; s.State != mcpclient.StateReady {
		t.Errorf("status %+v", s)
	}
}
