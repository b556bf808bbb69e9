package mcpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/mcpclient"
)

// A stage is a server in this process that can be connected again and again, and whose
// connections a test can disturb. It works under a fake clock.
type stage struct {
	server *mcp.Server

	mu     sync.Mutex
	dials  []time.Time
	refuse error           // the next attempts fail with it
	deaf   map[string]bool // methods of requests that get no answer
	lacks  map[string]bool // methods that are answered as unknown
	asked  map[string]int  // requests by method
	last   mcp.Connection
}

func newStage() *stage {
	s := &stage{
		server: mcp.NewServer(&mcp.Implementation{Name: "stage", Version: "1"}, nil),
		deaf:   map[string]bool{}, asked: map[string]int{},
		lacks: map[string]bool{"server/discover": true}, // so it is of before 2026-07-28
	}
	text(s.server, "ping", func() string { return "pong" })
	return s
}

func (s *stage) config() mcpclient.Server { return mcpclient.Server{Name: "stage", Dial: s.dial} }

func (s *stage) dial(context.Context) (mcp.Transport, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, time.Now())
	if s.refuse != nil {
		return nil, s.refuse
	}
	near, far := mcp.NewInMemoryTransports()
	if _, err := s.server.Connect(context.Background(), far, nil); err != nil {
		return nil, err
	}
	return &staged{Transport: near, stage: s}, nil
}

// set changes the stage.
func (s *stage) set(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *stage) count(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked[method]
}

func (s *stage) attempts() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.dials...)
}

// hangUp ends the connection of the moment, as a server does that crashes.
func (s *stage) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.last.Close()
}

type staged struct {
	mcp.Transport
	stage *stage
}

func (t *staged) Connect(ctx context.Context) (mcp.Connection, error) {
	conn, err := t.Transport.Connect(ctx)
	if err != nil {
		return nil, err
	}
	t.stage.set(func() { t.stage.last = conn })
	c := &stagedConn{Connection: conn, stage: t.stage, in: make(chan read), end: make(chan struct{})}
	go c.pump(ctx)
	return c, nil
}

type read struct {
	msg jsonrpc.Message
	err error
}

// stagedConn passes on what the stage lets through.
type stagedConn struct {
	mcp.Connection
	stage *stage
	in    chan read
	end   chan struct{}
	once  sync.Once
}

func (c *stagedConn) pump(ctx context.Context) {
	for {
		msg, err := c.Connection.Read(ctx)
		if !c.put(read{msg, err}) || err != nil {
			return
		}
	}
}

func (c *stagedConn) put(r read) bool {
	select {
	case c.in <- r:
		return true
	case <-c.end:
		return false
	}
}

func (c *stagedConn) Read(ctx context.Context) (jsonrpc.Message, error) {
	select {
	case r := <-c.in:
		return r.msg, r.err
	case <-c.end:
		return nil, errors.New("closed")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *stagedConn) Write(ctx context.Context, msg jsonrpc.Message) error {
	req, ok := msg.(*jsonrpc.Request)
	if !ok {
		return c.Connection.Write(ctx, msg)
	}
	c.stage.mu.Lock()
	c.stage.asked[req.Method]++
	deaf, lacks := c.stage.deaf[req.Method], c.stage.lacks[req.Method]
	c.stage.mu.Unlock()
	switch {
	case deaf:
		return nil
	case lacks:
		go c.put(read{msg: &jsonrpc.Response{ID: req.ID, Error: &jsonrpc.Error{Code: jsonrpc.CodeMethodNotFound, Message: "no " + req.Method}}})
		return nil
	}
	return c.Connection.Write(ctx, msg)
}

func (c *stagedConn) Close() error {
	c.once.Do(func() { close(c.end) })
	return c.Connection.Close()
}

// history records what a host is told.
type history struct {
	mu     sync.Mutex
	states []string
}

func (h *history) add(s mcpclient.Status, _ []mcpclient.Tool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.states = append(h.states, string(s.State))
}

func (h *history) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Sprint(h.states)
}

// bubble runs a test under a fake clock, with a client of one staged server.
func bubble(t *testing.T, s *stage, opts *mcpclient.Options, test func(t *testing.T, c *mcpclient.Client)) {
	bubbleOf(t, s.config(), opts, test)
}

func bubbleOf(t *testing.T, server mcpclient.Server, opts *mcpclient.Options, test func(t *testing.T, c *mcpclient.Client)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, err := mcpclient.Connect(context.Background(), []mcpclient.Server{server}, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := c.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}()
		test(t, c)
	})
}

func wantState(t *testing.T, c *mcpclient.Client, state mcpclient.State, reason ...string) mcpclient.Status {
	t.Helper()
	synctest.Wait()
	s := c.Status()[0]
	if s.State != state {
		t.Fatalf("%s since %v: %v; want %s", s.State, time.Since(s.Since), s.Err, state)
	}
	if len(reason) > 0 {
		if s.Err == nil {
			t.Fatalf("%s without a reason", s.State)
		}
		wantText(t, s.Err.Error(), reason...)
	}
	return s
}

// slowTool adds a tool that takes a time and reports its progress each second.
func slowTool(s *mcp.Server, takes time.Duration) {
	s.AddTool(&mcp.Tool{Name: "slow", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		total := int(takes / time.Second)
		for i := range total {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
			if token := r.Params.GetProgressToken(); token != nil {
				_ = r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: float64(i + 1), Total: float64(total), Message: "step"})
			}
		}
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil
	})
}
