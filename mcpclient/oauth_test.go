package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"github.com/conductor/conductor/internal/leaktest"
)

// rotating is an authorization server whose refresh tokens are good for one use.
type rotating struct {
	lifetime int           // seconds; what lives for less than 10 is over at once
	hold     chan struct{} // if not nil, answers wait for it
	asked    chan struct{} // gets something for each request

	mu sync.Mutex
	n  int
}

func (a *rotating) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm() // the end of the client is seen once the body is read
	a.asked <- struct{}{}
	if a.hold != nil {
		select {
		case <-a.hold:
		case <-r.Context().Done():
			return
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.FormValue("refresh_token") != fmt.Sprint("r", a.n) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
		return
	}
	a.n++
	fmt.Fprintf(w, `{"access_token":"a%d","token_type":"Bearer","refresh_token":"r%d","expires_in":%d}`, a.n, a.n, a.lifetime)
}

// A failing store fails so many times before it works.
type failing struct {
	MemoryTokens
	left int
}

func (f *failing) Save(ctx context.Context, key string, t *Token) error {
	if f.left--; f.left >= 0 {
		return errors.New("disk full")
	}
	return f.MemoryTokens.Save(ctx, key, t)
}

// newRotating returns a source with an expired token, a server that renews it, and what
// the store has.
func newRotating(t *testing.T, a *rotating, store TokenStore) (*oauthSource, func() string) {
	leaktest.Check(t)
	a.asked = make(chan struct{}, 10)
	h := httptest.NewServer(a)
	t.Cleanup(func() {
		h.CloseClientConnections()
		h.Close()
	})
	o := (*Options)(nil).withDefaults()
	s := Server{Name: "x", URL: "http://x.invalid/mcp", OAuth: &OAuth{Store: store}}.resolved(&o)
	source := newOAuthSource(&s, &o)
	t.Cleanup(func() {
		if err := source.close(); err != nil {
			t.Error(err)
		}
	})
	first := &Token{AccessToken: "a0", RefreshToken: "r0", TokenURL: h.URL, ClientID: "c", Expiry: time.Now().Add(-time.Hour)}
	memory, ok := store.(*MemoryTokens)
	if !ok {
		memory = &store.(*failing).MemoryTokens
	}
	if err := memory.Save(t.Context(), source.key, first); err != nil {
		t.Fatal(err)
	}
	return source, func() string {
		token, err := store.Load(t.Context(), source.key)
		if err != nil || token == nil {
			t.Fatal(token, err)
		}
		return token.RefreshToken
	}
}

func wantToken(t *testing.T, s *oauthSource, want string) {
	t.Helper()
	if got, err := s.token(t.Context()); got != want || err != nil {
		t.Fatalf("got token %q, error %v; want %s", got, err, want)
	}
}

// What could not be stored is not lost, and is not replaced by what is older.
func TestTokenThatCannotBeStored(t *testing.T) {
	s, stored := newRotating(t, &rotating{lifetime: 5}, &failing{left: 2})
	for i := range 3 {
		wantToken(t, s, fmt.Sprint("a", i+1))
	}
	if got := stored(); got != "r3" {
		t.Errorf("the store has %s", got)
	}
}

// It is stored as soon as that goes, and not only when it is renewed.
func TestTokenIsStoredLater(t *testing.T) {
	s, stored := newRotating(t, &rotating{lifetime: 3600}, &failing{left: 1})
	wantToken(t, s, "a1")
	wantToken(t, s, "a1")
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if got := stored(); got != "r1" {
		t.Errorf("the store has %s", got)
	}
}

// A caller who gives up takes nothing with them.
func TestTokenThatNobodyWaitsFor(t *testing.T) {
	a := &rotating{lifetime: 3600, hold: make(chan struct{})}
	s, stored := newRotating(t, a, &MemoryTokens{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-a.asked
		cancel()
	}()
	if _, err := s.token(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(a.hold)
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if got := stored(); got != "r1" {
		t.Errorf("the store has %s", got)
	}
	if _, err := s.token(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("after close: %v", err)
	}
}

// A token that comes late does not take the place of the one after it.
func TestTokenThatComesLate(t *testing.T) {
	s, stored := newRotating(t, &rotating{lifetime: 3600}, &MemoryTokens{})
	wantToken(t, s, "a1")
	s.keep(&oauth2.Token{AccessToken: "a0", RefreshToken: "r0"})
	wantToken(t, s, "a1")
	if got := stored(); got != "r1" {
		t.Errorf("the store has %s", got)
	}
}

// An authorization server that does not answer does not outlive the client.
func TestCloseWhileATokenIsFetched(t *testing.T) {
	a := &rotating{hold: make(chan struct{})}
	s, _ := newRotating(t, a, &MemoryTokens{})
	c, err := Connect(t.Context(), []Server{{Name: s.server.Name, URL: s.server.URL, OAuth: &s.config}}, &Options{StartupWait: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	<-a.asked
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
