package mcpclient_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

func TestConfiguration(t *testing.T) {
	transport, _ := mcp.NewInMemoryTransports()
	tests := []struct {
		name   string
		server mcpclient.Server
		want   string
	}{
		{"no name", mcpclient.Server{Command: "x"}, "server number 1: Name is empty"},
		{"nothing", mcpclient.Server{Name: "a"}, `server "a": none of Command, URL, Transport and Dial is set`},
		{"two", mcpclient.Server{Name: "a", Command: "x", URL: "http://h/"}, "Command and URL are set"},
		{"three", mcpclient.Server{Name: "a", Command: "x", URL: "http://h/", Transport: transport}, "Command and URL and Transport are set"},
		{"args", mcpclient.Server{Name: "a", URL: "http://h/", Args: []string{"x"}}, "Args, Env and Dir need Command"},
		{"header", mcpclient.Server{Name: "a", Command: "x", Header: http.Header{"A": {"b"}}}, "Header needs URL"},
		{"scheme", mcpclient.Server{Name: "a", URL: "ftp://u:hunter2@h/"}, "URL must start with http:// or https://"},
		{"host", mcpclient.Server{Name: "a", URL: "http:///x"}, "URL has no host"},
		{"syntax", mcpclient.Server{Name: "a", URL: "http://u:hunter2@h:hunter2/%zz"}, "URL cannot be parsed"},
		{"type", mcpclient.Server{Name: "a", URL: "http://h/", Type: "grpc"}, `Type "grpc" is unknown`},
		{"stdio with URL", mcpclient.Server{Name: "a", URL: "http://h/", Type: mcpclient.TypeStdio}, `Type "stdio" needs Command`},
		{"sse with command", mcpclient.Server{Name: "a", Command: "x", Type: mcpclient.TypeSSE}, `Type "sse" needs URL`},
		{"env", mcpclient.Server{Name: "a", Command: "x", Env: map[string]string{"A=B": ""}}, `invalid variable "A=B"`},
		{"timeout", mcpclient.Server{Name: "a", Command: "x", CallTimeout: -1}, "must not be negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaktest.Check(t)
			tt.server.Disabled = true // is checked all the same
			c, err := mcpclient.Connect(testContext(t), []mcpclient.Server{tt.server}, nil)
			if err == nil || c != nil {
				t.Fatalf("client %v, error %v", c, err)
			}
			wantText(t, err.Error(), tt.want)
			wantNoText(t, err.Error(), "hunter2")
		})
	}
	_, err := mcpclient.Connect(testContext(t), []mcpclient.Server{
		{Name: "a", Command: "x"}, {Name: "a", Command: "x", Type: "b"}, {},
	}, &mcpclient.Options{MaxTools: -1})
	if err == nil {
		t.Fatal("no error")
	}
	wantText(t, err.Error(), `server "a": Name is used twice`, `Type "b"`, "server number 3", "options: ")
}

func TestNoServers(t *testing.T) {
	leaktest.Check(t)
	c := connect(t, nil)
	if len(c.Status()) != 0 {
		t.Error("status of nothing")
	}
}

func TestConnectIsConcurrent(t *testing.T) {
	leaktest.Check(t)
	t.Cleanup(mcpclient.SetGraces(50*time.Millisecond, 50*time.Millisecond))
	// Each of the servers takes all its time; in sequence they would take more
	// than ctx allows.
	var servers []mcpclient.Server
	for _, name := range strings.Fields("a b c d e f g h i j") {
		s := self("silent")
		s.Name, s.ConnectTimeout = name, 3*time.Second
		servers = append(servers, s)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := mcpclient.Connect(ctx, servers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestConnectIsAborted(t *testing.T) {
	leaktest.Check(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	time.AfterFunc(100*time.Millisecond, func() { cancel(why) })
	c, err := mcpclient.Connect(ctx, []mcpclient.Server{self("silent"), self("good")}, nil)
	if c != nil || !errors.Is(err, why) {
		t.Errorf("client %v, error %v", c, err)
	}
}

// The ctx of Connect is about connecting; sessions outlive it. That needs care
// with every transport.
func TestSessionsOutliveConnectContext(t *testing.T) {
	leaktest.Check(t)
	servers := []mcpclient.Server{self("good"), inProcess(t, "local"), overHTTP(t, "http"), overSSE(t, "sse")}
	ctx, cancel := context.WithCancel(context.Background())
	c, err := mcpclient.Connect(ctx, servers, nil)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		for _, s := range servers {
			call(t, c, s.Name, "echo", "{}")
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, s := range c.Status() {
		if s.State != mcpclient.StateReady {
			t.Errorf("%s is %s: %v", s.Name, s.State, s.Err)
		}
	}
}

func TestClose(t *testing.T) {
	leaktest.Check(t)
	servers := []mcpclient.Server{self("good"), inProcess(t, "local"), overHTTP(t, "http"), overSSE(t, "sse")}
	c := ready(t, servers...)
	ended := make(chan error)
	for _, s := range servers {
		go func() {
			_, err := c.Call(context.Background(), s.Name, "slow", nil, nil)
			ended <- err
		}()
	}
	time.Sleep(50 * time.Millisecond) // no matter if some have not begun
	closed := make(chan error)
	for range 3 {
		go func() { closed <- c.Close() }()
	}
	for range servers {
		if err := <-ended; !errors.Is(err, mcpclient.ErrClosed) {
			t.Errorf("a running call returned %v", err)
		}
	}
	for range 3 {
		if err := <-closed; err != nil {
			t.Error(err)
		}
	}
	for _, s := range c.Status() {
		if s.State != mcpclient.StateClosed || s.Tools != 0 {
			t.Errorf("status %+v", s)
		}
		if _, err := c.Call(context.Background(), s.Name, "echo", nil, nil); !errors.Is(err, mcpclient.ErrClosed) {
			t.Errorf("a later call returned %v", err)
		}
	}
}

func TestInputIsCopied(t *testing.T) {
	leaktest.Check(t)
	s := self("good")
	servers := []mcpclient.Server{s}
	opts := &mcpclient.Options{ClientName: "n"}
	c := connect(t, opts, servers...)
	servers[0].Name, s.Env["X"], opts.MaxTools = "other", "y", 1
	tools := c.Tools("good")
	tools[0].Name = "changed"
	if c.Tools("good")[0].Name == "changed" || c.Status()[0].Name != "good" {
		t.Error("the client shares memory with its caller")
	}
}
