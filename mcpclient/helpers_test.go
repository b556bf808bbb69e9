package mcpclient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/conductor/conductor/mcpclient"
)

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// testContext is generous: it only keeps a broken test from hanging.
func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// connect connects and closes at the end of the test.
func connect(t *testing.T, opts *mcpclient.Options, servers ...mcpclient.Server) *mcpclient.Client {
	t.Helper()
	c, err := mcpclient.Connect(testContext(t), servers, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

// ready is connect for servers that must all get ready.
func ready(t *testing.T, servers ...mcpclient.Server) *mcpclient.Client {
	t.Helper()
	c := connect(t, nil, servers...)
	for _, s := range c.Status() {
		if s.State != mcpclient.StateReady {
			t.Fatalf("%s is %s: %v", s.Name, s.State, s.Err)
		}
	}
	return c
}

// failure returns the reason of the only server.
func failure(t *testing.T, c *mcpclient.Client) string {
	t.Helper()
	s := c.Status()[0]
	if s.State != mcpclient.StateFailed && s.State != mcpclient.StateBackoff || s.Err == nil {
		t.Fatalf("state %s, error %v; want a failure with a reason", s.State, s.Err)
	}
	return s.Err.Error()
}

func call(t *testing.T, c *mcpclient.Client, server, tool, args string) *mcpclient.Result {
	t.Helper()
	r, err := c.Call(testContext(t), server, tool, json.RawMessage(args), nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// callError calls and returns the *CallError.
func callError(t *testing.T, ctx context.Context, c *mcpclient.Client, server, tool, args string) *mcpclient.CallError {
	t.Helper()
	r, err := c.Call(ctx, server, tool, json.RawMessage(args), nil)
	var ce *mcpclient.CallError
	if !errors.As(err, &ce) {
		t.Fatalf("got result %v, error %v (%T); want a CallError", r, err, err)
	}
	return ce
}

func wantText(t *testing.T, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("got %q\nwant it to contain %q", got, want)
		}
	}
}

func wantNoText(t *testing.T, got string, unwanted ...string) {
	t.Helper()
	for _, u := range unwanted {
		if strings.Contains(got, u) {
			t.Errorf("%q appears in %q", u, got)
		}
	}
}

// hasty makes what takes seconds in earnest take milliseconds.
func hasty(t *testing.T) *mcpclient.Options {
	t.Helper()
	t.Cleanup(mcpclient.SetGraces(100*time.Millisecond, 100*time.Millisecond))
	t.Cleanup(mcpclient.SetPingPatience(100 * time.Millisecond))
	return &mcpclient.Options{MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond}
}

func reaches(t *testing.T, c *mcpclient.Client, server string, states ...mcpclient.State) mcpclient.Status {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		for _, s := range c.Status() {
			for _, state := range states {
				if s.Name == server && s.State == state {
					return s
				}
			}
			if s.Name == server && time.Now().After(deadline) {
				t.Fatalf("%s is %s: %v; want %s", server, s.State, s.Err, states)
			}
		}
	}
}
