package mcpclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// inProcess returns a server in this process.
func inProcess(t *testing.T, name string) mcpclient.Server {
	t.Helper()
	near, far := mcp.NewInMemoryTransports()
	session, err := goodServer().Connect(context.Background(), far, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return mcpclient.Server{Name: name, Transport: near}
}

// listen serves h until the end of the test.
func listen(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

func streamable(t *testing.T, opts *mcp.StreamableHTTPOptions) http.Handler {
	s := goodServer()
	t.Cleanup(func() {
		for session := range s.Sessions() { // those that no client ended
			_ = session.Close()
		}
	})
	return mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, opts)
}

func overHTTP(t *testing.T, name string) mcpclient.Server {
	return mcpclient.Server{Name: name, URL: listen(t, streamable(t, nil))}
}

func overSSE(t *testing.T, name string) mcpclient.Server {
	s := goodServer()
	return mcpclient.Server{Name: name, Type: mcpclient.TypeSSE,
		URL: listen(t, mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s }, nil))}
}

// Every transport has to give the same results, byte by byte.
func TestTransports(t *testing.T) {
	tests := []struct {
		name   string
		server func(*testing.T, string) mcpclient.Server
	}{
		{"stdio", func(_ *testing.T, name string) mcpclient.Server { s := self("good"); s.Name = name; return s }},
		{"custom", inProcess},
		{"http", overHTTP},
		{"http", func(t *testing.T, name string) mcpclient.Server {
			return mcpclient.Server{Name: name, Type: mcpclient.TypeHTTP, URL: listen(t, streamable(t, &mcp.StreamableHTTPOptions{JSONResponse: true}))}
		}},
		{"http", func(t *testing.T, name string) mcpclient.Server {
			return mcpclient.Server{Name: name, URL: listen(t, streamable(t, &mcp.StreamableHTTPOptions{Stateless: true}))}
		}},
		{"custom", func(t *testing.T, name string) mcpclient.Server {
			return mcpclient.Server{Name: name, Transport: &mcp.StreamableClientTransport{Endpoint: listen(t, streamable(t, nil)), DisableStandaloneSSE: true}}
		}},
		{"sse", overSSE},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaktest.Check(t)
			c := ready(t, tt.server(t, "x"))
			if s := c.Status()[0]; s.Transport != tt.name || s.ServerName != "good-server" || s.Tools != 7 {
				t.Errorf("status %+v", s)
			}
			if got := string(c.Tools("x")[1].InputSchema); !strings.Contains(got, `"zebra":{"type":"integer"},"apple"`) {
				t.Errorf("the order of the schema's properties is lost: %s", got)
			}
			r := call(t, c, "x", "rich", "")
			if got, want := string(r.Structured), `{"id":9007199254740993,"price":1.10,"z":1,"a":2}`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if len(r.Content) != 6 || r.Content[4].Data[1] != 255 {
				t.Errorf("content %+v", r.Content)
			}
			if r := call(t, c, "x", "fail", ""); !r.IsError {
				t.Error("not an error")
			}
			var pe *mcpclient.ProtocolError
			if ce := callError(t, testContext(t), c, "x", "refuse", ""); !errors.As(ce, &pe) || ce.OutcomeUnknown || pe.Message != "bad mood" {
				t.Errorf("error %+v", ce)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
			defer cancel()
			ce := callError(t, ctx, c, "x", "slow", "")
			if !errors.Is(ce, context.DeadlineExceeded) || !ce.OutcomeUnknown {
				t.Errorf("error %+v", ce)
			}
			call(t, c, "x", "echo", "{}") // a cancelled call costs nothing but itself
		})
	}
}

func TestHTTPFailures(t *testing.T) {
	refused := httptest.NewServer(nil)
	refused.Close()
	status := func(code int, contentType, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(code)
			_, _ = w.Write([]byte(strings.ReplaceAll(body, "$AUTH", r.Header.Get("Authorization"))))
		})
	}
	tests := []struct {
		name    string
		handler http.Handler // nil: nothing listens
		want    []string
	}{
		{"401", status(401, "text/plain", "bad token $AUTH"), []string{"401 Unauthorized", "check Server.Header", "bad token [redacted]"}},
		{"401 with JSON-RPC", status(401, "application/json", `{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"who?"}}`), []string{"401 Unauthorized"}},
		{"403", status(403, "text/plain", ""), []string{"403 Forbidden", "do not allow"}},
		{"404", status(404, "text/html", "<html>secret page"), []string{"404 Not Found", "check the path"}},
		{"500", status(500, "text/plain", "boom"), []string{"500 Internal Server Error (boom)"}},
		{"not MCP", status(200, "text/html", "<html>"), []string{"unsupported content type"}},
		{"refused", nil, []string{"nothing accepts connections", "connection refused"}},
	}
	for _, tt := range tests {
		for _, kind := range []mcpclient.Type{mcpclient.TypeHTTP, mcpclient.TypeSSE} {
			t.Run(tt.name+" "+string(kind), func(t *testing.T) {
				if kind == mcpclient.TypeSSE && tt.name == "not MCP" {
					t.Skip("an event stream without events; the SDK has its own words for it")
				}
				leaktest.Check(t)
				base := refused.URL
				if tt.handler != nil {
					base = listen(t, tt.handler)
				}
				u, err := url.Parse(base)
				if err != nil {
					t.Fatal(err)
				}
				u.User, u.Path, u.RawQuery = url.UserPassword("joe", "hunter2"), "/mcp", "key=querysecret"
				c := connect(t, nil, mcpclient.Server{Name: "x", URL: u.String(), Type: kind,
					Header: http.Header{"Authorization": {"Bearer headersecret"}}})
				msg := failure(t, c)
				wantText(t, msg, tt.want...)
				wantNoText(t, msg, "hunter2", "querysecret", "headersecret", "<html>")
			})
		}
	}
}

func TestHTTPHeaderUserAndQuery(t *testing.T) {
	for _, kind := range []mcpclient.Type{mcpclient.TypeHTTP, mcpclient.TypeSSE} {
		t.Run(string(kind), func(t *testing.T) {
			leaktest.Check(t)
			var seen, wrong atomic.Int64
			s := goodServer()
			var inner http.Handler = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil)
			if kind == mcpclient.TypeSSE {
				inner = mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s }, nil)
			}
			base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				seen.Add(1)
				user, password, _ := r.BasicAuth()
				if r.Header.Get("X-Token") != "t0ken" || user != "joe" || password != "hunter2" ||
					(r.Method == http.MethodGet || kind == mcpclient.TypeHTTP) && r.URL.RawQuery != "key=v%20w" {
					wrong.Add(1)
				}
				inner.ServeHTTP(w, r)
			}))
			c := ready(t, mcpclient.Server{Name: "x", Type: kind,
				URL:    strings.Replace(base, "://", "://joe:hunter2@", 1) + "/mcp?key=v%20w",
				Header: http.Header{"x-token": {"t0ken"}}})
			call(t, c, "x", "echo", "{}")
			if seen.Load() == 0 || wrong.Load() > 0 {
				t.Errorf("%d of %d requests lack something", wrong.Load(), seen.Load())
			}
		})
	}
}

func TestSecretsStayWithTheirHost(t *testing.T) {
	leaktest.Check(t)
	var leaked atomic.Bool
	inner := streamable(t, nil)
	other := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") != "" || r.Header.Get("Authorization") != "" || strings.Contains(r.URL.String(), "secret") {
			leaked.Store(true)
		}
		inner.ServeHTTP(w, r)
	}))
	base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other+"/mcp", http.StatusTemporaryRedirect)
	}))
	c := ready(t, mcpclient.Server{Name: "x", URL: strings.Replace(base, "://", "://joe:hunter2@", 1) + "/mcp?key=secret",
		Header: http.Header{"X-Token": {"t0ken"}}})
	call(t, c, "x", "echo", "{}")
	if leaked.Load() {
		t.Error("the redirect's target got the secrets")
	}
}

func TestHTTPCallFailures(t *testing.T) {
	leaktest.Check(t)
	var mode atomic.Value
	mode.Store("")
	inner := streamable(t, nil)
	base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch m := mode.Load().(string); m {
		case "":
			inner.ServeHTTP(w, r)
		case "drop":
			panic(http.ErrAbortHandler)
		case "503":
			w.Header().Set("Retry-After", "7")
			http.Error(w, "busy", http.StatusServiceUnavailable)
		case "429":
			w.Header().Set("Retry-After", "1")
			http.Error(w, "slow down", http.StatusTooManyRequests)
		case "413":
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		case "gone":
			http.Error(w, "session not found", http.StatusNotFound)
		}
	}))
	c := ready(t, mcpclient.Server{Name: "x", URL: base})
	for _, tt := range []struct {
		mode    string
		unknown bool
		want    string
	}{
		{"drop", true, "EOF"},
		{"503", true, "503 Service Unavailable (busy)"},
		{"429", false, "retry after 1"},
		{"413", false, "413"},
	} {
		mode.Store(tt.mode)
		ce := callError(t, testContext(t), c, "x", "echo", "")
		if ce.OutcomeUnknown != tt.unknown {
			t.Errorf("%s: outcome unknown is %v: %v", tt.mode, ce.OutcomeUnknown, ce)
		}
		wantText(t, ce.Error(), tt.want)
		mode.Store("")
		call(t, c, "x", "echo", "") // the connection is good for the next call
	}
	mode.Store("gone")
	ce := callError(t, testContext(t), c, "x", "echo", "")
	if !errors.Is(ce, mcpclient.ErrUnavailable) {
		t.Errorf("error %v", ce)
	}
	wantText(t, ce.Error(), "ended the session")
	wantText(t, failure(t, c), "404")
}

// A server that never answers must not hold Connect, a call or Close.
func TestHTTPHangs(t *testing.T) {
	for _, kind := range []mcpclient.Type{mcpclient.TypeHTTP, mcpclient.TypeSSE} {
		t.Run(string(kind), func(t *testing.T) {
			leaktest.Check(t)
			base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body) // only then the end of the client is seen
				<-r.Context().Done()
			}))
			c := connect(t, nil, mcpclient.Server{Name: "x", URL: base, Type: kind, ConnectTimeout: 100 * time.Millisecond})
			wantText(t, failure(t, c), "did not get ready within 100ms")
		})
	}
}

func TestSSEServerStops(t *testing.T) {
	leaktest.Check(t)
	s := goodServer()
	srv := httptest.NewServer(mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return s }, nil))
	c := ready(t, mcpclient.Server{Name: "x", URL: srv.URL, Type: mcpclient.TypeSSE})
	srv.CloseClientConnections()
	srv.Close()
	// The call notices itself, or comes after the state changed.
	if _, err := c.Call(testContext(t), "x", "echo", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	failure(t, c)
}

func TestInProcessServerEnds(t *testing.T) {
	leaktest.Check(t)
	near, far := mcp.NewInMemoryTransports()
	session, err := goodServer().Connect(context.Background(), far, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := ready(t, mcpclient.Server{Name: "x", Transport: near})
	go func() {
		time.Sleep(20 * time.Millisecond)
		_ = session.Close()
	}()
	ce := callError(t, testContext(t), c, "x", "slow", "")
	if !ce.OutcomeUnknown {
		t.Errorf("error %+v", ce)
	}
}

func TestInProcessNobodyThere(t *testing.T) {
	leaktest.Check(t)
	near, _ := mcp.NewInMemoryTransports()
	c := connect(t, nil, mcpclient.Server{Name: "x", Transport: near, ConnectTimeout: 50 * time.Millisecond})
	wantText(t, failure(t, c), "within 50ms")
}
