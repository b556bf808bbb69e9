package mcpclient_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// A streamer is a server of 2025-11-25 that has a script for its standalone stream.
type streamer struct {
	stream     func(n int, w http.ResponseWriter, r *http.Request)
	initialize func(params json.RawMessage) // may be nil

	mu    sync.Mutex
	opens int
	last  []string // Last-Event-ID of each
}

func (s *streamer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		s.mu.Lock()
		s.opens++
		n := s.opens
		s.last = append(s.last, r.Header.Get("Last-Event-ID"))
		s.mu.Unlock()
		s.stream(n, w, r)
		return
	}
	data, _ := io.ReadAll(r.Body)
	var l line
	if json.Unmarshal(data, &l) != nil || l.ID == nil {
		w.WriteHeader(http.StatusAccepted)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Mcp-Session-Id", "session")
	if l.Method == "initialize" && s.initialize != nil {
		s.initialize(l.Params)
	}
	result := map[string]string{"initialize": hello, "tools/list": `{"tools":[{"name":"only"}]}`, "tools/call": `{"content":[]}`}[l.Method]
	if result == "" {
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown"}}`, l.ID)
		return
	}
	fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, l.ID, result)
}

func (s *streamer) opened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opens
}

func events(w http.ResponseWriter) *http.ResponseController {
	w.Header().Set("Content-Type", "text/event-stream")
	return http.NewResponseController(w)
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not happen: %s", what)
		}
	}
}

// However the stream is served, the session goes on.
func TestStandaloneStream(t *testing.T) {
	t.Cleanup(mcpclient.SetStreamPauses(time.Millisecond, 2*time.Millisecond))
	tests := map[string]struct {
		stream func(n int, w http.ResponseWriter, r *http.Request)
		opens  int // at least
	}{
		"headers held back": {func(_ int, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 1},
		"ends at once":      {func(_ int, w http.ResponseWriter, _ *http.Request) { _ = events(w).Flush() }, 10},
		"breaks":            {func(int, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 10},
		"server error":      {func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, 10},
		"not offered":       {func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }, 1},
		"something else":    {func(_ int, w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			s := &streamer{stream: test.stream}
			c := ready(t, mcpclient.Server{Name: "x", URL: listen(t, s)})
			eventually(t, "streams are opened", func() bool { return s.opened() >= test.opens })
			call(t, c, "x", "only", "")
			if state := c.Status()[0].State; state != mcpclient.StateReady {
				t.Errorf("the server is %s", state)
			}
			if n := s.opened(); test.opens == 1 && n > 1 {
				t.Errorf("the stream was opened %d times", n)
			}
		})
	}
}

// A server that does not announce changes is not asked for its tools with every stream.
func TestStandaloneStreamWithoutAnnouncements(t *testing.T) {
	t.Cleanup(mcpclient.SetStreamPauses(time.Millisecond, 2*time.Millisecond))
	leaktest.Check(t)
	s := &streamer{stream: func(_ int, w http.ResponseWriter, _ *http.Request) { _ = events(w).Flush() }}
	var lists atomic.Int64
	ready(t, mcpclient.Server{Name: "x", URL: listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		if bytes.Contains(data, []byte(`"tools/list"`)) {
			lists.Add(1)
		}
		r.Body = io.NopCloser(bytes.NewReader(data))
		s.ServeHTTP(w, r)
	}))})
	eventually(t, "streams are opened", func() bool { return s.opened() >= 200 })
	if n := lists.Load(); n != 1 {
		t.Errorf("%d listings", n)
	}
}

// Only whole events come through, and a new stream goes on after the last of them.
func TestStandaloneStreamEvents(t *testing.T) {
	t.Cleanup(mcpclient.SetStreamPauses(time.Millisecond, 2*time.Millisecond))
	leaktest.Check(t)
	log := func(text string) string {
		return fmt.Sprintf(`{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"error","data":%q}}`, text)
	}
	s := &streamer{stream: func(n int, w http.ResponseWriter, r *http.Request) {
		flush := events(w)
		switch n {
		case 1:
			fmt.Fprintf(w, "id: 7\r\ndata: %s\r\n\r\nid: 8\ndata: {\"jsonrpc\":\"2.0\",", log("first"))
		case 2:
			fmt.Fprintf(w, ": nothing\n\ndata: %s\n\n", log("second"))
		case 3:
			_ = flush.Flush()
			<-r.Context().Done()
		}
	}}
	messages := make(chan mcpclient.LogMessage, 10)
	connect(t, &mcpclient.Options{Host: mcpclient.Host{OnLog: func(m mcpclient.LogMessage) { messages <- m }}}, mcpclient.Server{Name: "x", URL: listen(t, s)})
	var texts []string
	for range 2 {
		select {
		case m := <-messages:
			texts = append(texts, m.Text)
		case <-time.After(20 * time.Second):
			t.Fatalf("only %q came", texts)
		}
	}
	if !slices.Equal(texts, []string{"first", "second"}) {
		t.Errorf("got %q", texts)
	}
	eventually(t, "the third stream", func() bool { return s.opened() == 3 })
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.last, []string{"", "7", "7"}) {
		t.Errorf("went on after %q", s.last)
	}
}

// Whatever a server sends, whole events come through, in order and without a change,
// and nothing else.
func FuzzStandaloneEvents(f *testing.F) {
	for _, seed := range []string{"", "data: x\n\n", "id: 1\ndata: a\r\n\r\ndata: b", "\n\n\n", "id:\x00\n\n", ": c\n\nid: 2\ndata: " + strings.Repeat("x", 9000) + "\n\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		passed, id := mcpclient.PassEvents(data)
		rest, whole := bytes.CutPrefix(data, passed)
		if !whole {
			t.Fatalf("%q came through of %q", passed, data)
		}
		for line := range bytes.Lines(rest) {
			if len(bytes.TrimRight(line, "\r\n")) == 0 && bytes.HasSuffix(line, []byte("\n")) {
				t.Fatalf("a whole event was kept back: %q of %q", rest, data)
			}
		}
		if len(passed) > 0 && !bytes.HasSuffix(passed, []byte("\n")) {
			t.Fatalf("half an event came through: %q", passed)
		}
		if id != strings.TrimSpace(id) || len(id) > 1024 {
			t.Fatalf("id %q", id)
		}
	})
}
