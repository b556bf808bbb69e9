package mcpclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// A site is a server over HTTP that can be told to misbehave.
type site struct {
	t       *testing.T
	server  *mcp.Server
	address string

	mu       sync.Mutex
	http     *httptest.Server // nil while it is down
	handler  http.Handler
	mode     string
	requests atomic.Int64
}

func newSite(t *testing.T) *site {
	s := &site{t: t, server: goodServer()}
	s.restart()
	t.Cleanup(s.stop)
	return s
}

// restart starts the server, without the sessions of before.
func (s *site) restart() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s.server }, nil)
	if s.http != nil {
		return
	}
	address := s.address
	if address == "" {
		address = "127.0.0.1:0"
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		s.t.Fatal(err)
	}
	s.address = l.Addr().String()
	s.http = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	_ = s.http.Listener.Close()
	s.http.Listener = l
	s.http.Start()
}

func (s *site) stop() {
	s.mu.Lock()
	server := s.http
	s.http = nil
	s.mu.Unlock()
	if server == nil {
		return
	}
	for session := range s.server.Sessions() {
		_ = session.Close()
	}
	server.CloseClientConnections()
	server.Close()
}

func (s *site) be(mode string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
}

func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	s.requests.Add(1)
	s.mu.Lock()
	mode, handler := s.mode, s.handler
	s.mu.Unlock()
	switch mode {
	case "401":
		http.Error(w, "who are you?", http.StatusUnauthorized)
	case "500":
		http.Error(w, "out of order", http.StatusInternalServerError)
	case "429":
		if r.Method == http.MethodPost { // and not the stream
			s.be("")
		}
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	case "hang":
		_, _ = io.Copy(io.Discard, r.Body) // only then the end of the client is seen
		<-r.Context().Done()
	case "drop":
		panic(http.ErrAbortHandler)
	default:
		handler.ServeHTTP(w, r)
	}
}

func (s *site) config() mcpclient.Server {
	return mcpclient.Server{Name: "site", URL: "http://" + s.address, ConnectTimeout: 300 * time.Millisecond}
}

func TestFaultsOfHTTP(t *testing.T) {
	run := func(name string, test func(t *testing.T, s *site, c *mcpclient.Client)) {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			s := newSite(t)
			opts := hasty(t)
			opts.CallTimeout = 10 * time.Second
			c := connect(t, opts, s.config(), inProcess(t, "other"))
			reaches(t, c, "site", mcpclient.StateReady)
			test(t, s, c)
			call(t, c, "other", "echo", "{}")
			s.be("")
			reaches(t, c, "site", mcpclient.StateReady)
			call(t, c, "site", "echo", "{}")
		})
	}
	run("restart", func(t *testing.T, s *site, c *mcpclient.Client) {
		s.stop()
		_, err := c.Call(testContext(t), "site", "echo", nil, nil)
		if err == nil {
			t.Fatal("a server that is down has answered")
		}
		wantText(t, reaches(t, c, "site", mcpclient.StateBackoff).Err.Error(), "nothing accepts connections")
		s.restart()
	})
	run("sessions are lost", func(t *testing.T, s *site, c *mcpclient.Client) {
		s.restart()
		call(t, c, "site", "echo", "{}") // the server did not know the call, so it was made again
	})
	run("401", func(t *testing.T, s *site, c *mcpclient.Client) {
		s.be("401")
		ce := callError(t, testContext(t), c, "site", "echo", "")
		if ce.OutcomeUnknown || ce.Tries != 1 {
			t.Errorf("error %+v", ce)
		}
		if err := c.Reconnect("site"); err != nil {
			t.Fatal(err)
		}
		wantText(t, reaches(t, c, "site", mcpclient.StateFailed).Err.Error(), "401")
		time.Sleep(10 * time.Millisecond)
		before := s.requests.Load()
		for range 5 {
			if _, err := c.Call(testContext(t), "site", "echo", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
		}
		if after := s.requests.Load(); after != before {
			t.Errorf("%d requests with credentials that were refused", after-before)
		}
		s.be("")
		if err := c.Reconnect("site"); err != nil {
			t.Fatal(err)
		}
	})
	run("429", func(t *testing.T, s *site, c *mcpclient.Client) {
		s.be("429")
		begun := time.Now()
		call(t, c, "site", "echo", "{}")
		if took := time.Since(begun); took < 900*time.Millisecond {
			t.Errorf("tried again after %v, where the server asked for a second", took)
		}
	})
	run("500", func(t *testing.T, s *site, c *mcpclient.Client) {
		s.be("500")
		for range 5 {
			if ce := callError(t, testContext(t), c, "site", "echo", ""); !ce.OutcomeUnknown {
				t.Errorf("error %v", ce)
			}
		}
		wantText(t, reaches(t, c, "site", mcpclient.StateBackoff).Err.Error(), "500")
	})
	run("hang", func(t *testing.T, s *site, c *mcpclient.Client) {
		s.be("hang")
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		callError(t, ctx, c, "site", "echo", "")
		mcpclient.Suspect(c, "site")
		eventually(t, "it hangs while connecting too", func() bool {
			s := c.Status()[0]
			return s.State == mcpclient.StateBackoff && strings.Contains(s.Err.Error(), "within 300ms")
		})
	})
	run("drop", func(t *testing.T, s *site, c *mcpclient.Client) {
		s.be("drop")
		if ce := callError(t, testContext(t), c, "site", "echo", ""); !ce.OutcomeUnknown || ce.Tries != 1 {
			t.Errorf("error %+v", ce)
		}
	})
	run("the stream ends", func(t *testing.T, s *site, c *mcpclient.Client) {
		s.mu.Lock()
		s.http.CloseClientConnections()
		s.mu.Unlock()
		text(s.server, "new", func() string { return "" }) // nobody may hear of it
		eventually(t, "the new tool is there", func() bool { return len(c.Tools("site")) == 8 })
	})
}

// A server that refused a token is asked again when there is another one.
func TestTokenThatChanges(t *testing.T) {
	leaktest.Check(t)
	var token atomic.Value
	token.Store("old")
	inner := streamable(t, nil)
	base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer new" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	c := connect(t, hasty(t), mcpclient.Server{Name: "x", URL: base,
		Bearer: func(context.Context, string) (string, error) { return token.Load().(string), nil }})
	reaches(t, c, "x", mcpclient.StateFailed)
	for range 3 {
		if _, err := c.Call(testContext(t), "x", "echo", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	reaches(t, c, "x", mcpclient.StateFailed)
	token.Store("new")
	eventually(t, "the new token is noticed", func() bool {
		_, err := c.Call(testContext(t), "x", "echo", nil, nil)
		return err == nil
	})
}

// A callback for tokens is asked when the server has refused one, and does not keep the
// host from having the server tried.
func TestTokenOfAFailedServer(t *testing.T) {
	for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		t.Run(http.StatusText(code), func(t *testing.T) {
			leaktest.Check(t)
			var fine, hangs atomic.Bool
			asked := make(chan struct{}, 1)
			inner := streamable(t, nil)
			base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !fine.Load() {
					http.Error(w, "no", code)
					return
				}
				inner.ServeHTTP(w, r)
			}))
			c := connect(t, hasty(t), mcpclient.Server{Name: "x", URL: base, Bearer: func(ctx context.Context, _ string) (string, error) {
				if hangs.Load() {
					asked <- struct{}{}
					<-ctx.Done()
				}
				return "token", ctx.Err()
			}})
			reaches(t, c, "x", mcpclient.StateFailed)
			hangs.Store(true)
			if _, err := c.Call(testContext(t), "x", "echo", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) {
				t.Fatal(err)
			}
			if code == http.StatusUnauthorized {
				<-asked
			}
			fine.Store(true)
			if err := c.Reconnect("x"); err != nil {
				t.Fatal(err)
			}
			reaches(t, c, "x", mcpclient.StateReady)
			if len(asked) > 0 {
				t.Error("asked for another token though it was not refused")
			}
		})
	}
}
