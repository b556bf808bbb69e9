package mcpclient_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// Without sessions, since 2026-07-28, changes are told on a stream of another kind; it is
// opened again as well.
func TestListChangedWithoutSessions(t *testing.T) {
	leaktest.Check(t)
	server := goodServer()
	site := httptest.NewServer(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true}))
	t.Cleanup(func() {
		site.CloseClientConnections()
		site.Close()
	})
	c := connect(t, hasty(t), mcpclient.Server{Name: "site", URL: site.URL})
	if s := reaches(t, c, "site", mcpclient.StateReady); s.ProtocolVersion != "2026-07-28" {
		t.Fatalf("protocol %s", s.ProtocolVersion)
	}
	text(server, "new", func() string { return "" })
	eventually(t, "a change is heard of", func() bool { return len(c.Tools("site")) == 8 })
	site.CloseClientConnections()
	text(server, "newer", func() string { return "" }) // nobody may hear of it
	eventually(t, "what was missed is there", func() bool { return len(c.Tools("site")) == 9 })
	call(t, c, "site", "echo", "{}")
}

// A server that announces changes, but has no stream to tell of them, is asked.
func TestListWithoutStream(t *testing.T) {
	leaktest.Check(t)
	server := goodServer()
	inner := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)
	t.Cleanup(func() {
		for session := range server.Sessions() {
			_ = session.Close()
		}
	})
	opts := hasty(t)
	opts.RelistInterval = 20 * time.Millisecond
	c := connect(t, opts, mcpclient.Server{Name: "site", URL: listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			http.Error(w, "no stream here", http.StatusMethodNotAllowed)
			return
		}
		inner.ServeHTTP(w, r)
	}))})
	text(server, "new", func() string { return "" })
	eventually(t, "the new tool is there", func() bool { return len(c.Tools("site")) == 8 })
}
