package mcpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

// A forgetter has sessions that it forgets: by a call of "forget", and when somebody asks
// for the rest of an answer. It begins to answer the first call of "act" with an event.
type forgetter struct {
	drops bool // that first answer, at once

	mu       sync.Mutex
	sessions int
	gone     map[string]bool
	acts     int
	acting   chan struct{} // closed when it has begun
}

func (f *forgetter) forget(r *http.Request, w http.ResponseWriter) {
	f.gone[r.Header.Get("Mcp-Session-Id")] = true
	http.Error(w, "no such session", http.StatusNotFound)
}

func (f *forgetter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	data, _ := io.ReadAll(r.Body)
	var l line
	var p struct{ Name string }
	_ = json.Unmarshal(data, &l)
	_ = json.Unmarshal(l.Params, &p)
	answer := func(result string) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"result":%s}`, l.ID, result)
	}
	switch {
	case r.Method == http.MethodDelete:
	case r.Method == http.MethodGet && r.Header.Get("Last-Event-ID") == "":
		http.Error(w, "no stream", http.StatusMethodNotAllowed)
	case r.Method == http.MethodGet, f.gone[r.Header.Get("Mcp-Session-Id")], p.Name == "forget":
		f.forget(r, w)
	case l.ID == nil:
		w.WriteHeader(http.StatusAccepted)
	case l.Method == "initialize":
		f.sessions++
		w.Header().Set("Mcp-Session-Id", fmt.Sprint(f.sessions))
		answer(hello)
	case l.Method == "tools/list":
		answer(`{"tools":[{"name":"act"},{"name":"forget"}]}`)
	case p.Name == "act" && f.acts == 0:
		f.acts++
		flush := events(w)
		fmt.Fprint(w, "id: 1\ndata: \n\n")
		_ = flush.Flush()
		close(f.acting)
		if !f.drops {
			f.mu.Unlock()
			<-r.Context().Done()
			f.mu.Lock()
		}
	case l.Method == "tools/call":
		f.acts++
		answer(`{"content":[]}`)
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"jsonrpc":"2.0","id":%s,"error":{"code":-32601,"message":"unknown"}}`, l.ID)
	}
}

// A call that the server has taken is not made again because the session is lost after
// that, however the client learns of it.
func TestSessionLostDuringACall(t *testing.T) {
	for _, drops := range []bool{true, false} {
		t.Run(fmt.Sprintf("answer is dropped: %v", drops), func(t *testing.T) {
			leaktest.Check(t)
			f := &forgetter{drops: drops, gone: map[string]bool{}, acting: make(chan struct{})}
			c := ready(t, mcpclient.Server{Name: "x", URL: listen(t, f)})
			done := make(chan error, 1)
			go func() {
				_, err := c.Call(testContext(t), "x", "act", nil, nil)
				done <- err
			}()
			if !drops {
				<-f.acting
				_, _ = c.Call(testContext(t), "x", "forget", nil, nil) // repeated in vain
			}
			var ce *mcpclient.CallError
			if err := <-done; !errors.As(err, &ce) || ce.Tries != 1 || !ce.OutcomeUnknown {
				t.Errorf("error %v", err)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.acts != 1 {
				t.Errorf("carried out %d times", f.acts)
			}
		})
	}
}

// A call that is refused for its token was not carried out, also if its time is over
// before there is another token.
func TestRefusedWhileTheTokenIsRenewed(t *testing.T) {
	leaktest.Check(t)
	var refuses atomic.Bool
	inner := streamable(t, nil)
	base := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses.Load() {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	c := ready(t, mcpclient.Server{Name: "x", URL: base, Bearer: func(ctx context.Context, rejected string) (string, error) {
		if rejected != "" {
			<-ctx.Done()
		}
		return "token", ctx.Err()
	}})
	refuses.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if ce := callError(t, ctx, c, "x", "echo", "{}"); ce.OutcomeUnknown {
		t.Errorf("error %v", ce)
	}
}
