// Package oauthtest is an MCP server behind OAuth, for tests.
package oauthtest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A Server asks for a token, and is its own authorization server.
type Server struct {
	*httptest.Server

	Lifetime int  // seconds that tokens say they live; an hour
	Deny     bool // whether users say no

	mu        sync.Mutex
	good      map[string]bool   // access tokens
	refreshes map[string]bool   // refresh tokens
	verifiers map[string]string // challenges by code
	issued    int
	logins    int
	refreshed int
}

// ClientSecret is the secret of the clients that register.
const ClientSecret = "s3cret-of-the-client"

// New serves an MCP server at /mcp until the end of the test.
func New(t testing.TB, tools http.Handler) *Server {
	g := &Server{Lifetime: 3600, good: map[string]bool{}, refreshes: map[string]bool{}, verifiers: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		g.mu.Lock()
		ok := g.good[token]
		g.mu.Unlock()
		if !ok {
			w.Header().Set("WWW-Authenticate", `Bearer resource_metadata="`+g.URL+`/.well-known/oauth-protected-resource/mcp"`)
			http.Error(w, "no good: "+token, http.StatusUnauthorized)
			return
		}
		tools.ServeHTTP(w, r)
	})
	answer := func(path string, value func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(value())
		})
	}
	answer("/.well-known/oauth-protected-resource/mcp", func() any {
		return map[string]any{"resource": g.URL + "/mcp", "authorization_servers": []string{g.URL}}
	})
	answer("/.well-known/oauth-authorization-server", func() any {
		return map[string]any{
			"issuer": g.URL, "authorization_endpoint": g.URL + "/authorize", "token_endpoint": g.URL + "/token",
			"registration_endpoint": g.URL + "/register", "response_types_supported": []string{"code"},
			"code_challenge_methods_supported":      []string{"S256"},
			"token_endpoint_auth_methods_supported": []string{"client_secret_post"},
		}
	})
	mux.HandleFunc("/register", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(map[string]any{"client_id": "registered", "client_secret": ClientSecret, "token_endpoint_auth_method": "client_secret_post"})
	})
	mux.HandleFunc("/authorize", g.authorize)
	mux.HandleFunc("/token", g.token)
	g.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		g.CloseClientConnections()
		g.Close()
	})
	return g
}

func (g *Server) authorize(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.logins++
	q := r.URL.Query()
	back := url.Values{"state": {q.Get("state")}}
	if g.Deny {
		back.Set("error", "access_denied")
		back.Set("error_description", "the user\x1b[31m said no")
	} else {
		code := fmt.Sprintf("code-%d", g.logins)
		g.verifiers[code] = q.Get("code_challenge")
		back.Set("code", code)
	}
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
}

func (g *Server) token(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	refuse := func() {
		w.WriteHeader(http.StatusBadRequest)
		// Some servers send back what they were sent.
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": "no good: " + r.FormValue("refresh_token") + r.FormValue("client_secret")})
	}
	switch r.FormValue("grant_type") {
	case "authorization_code":
		sum := sha256.Sum256([]byte(r.FormValue("code_verifier")))
		if g.verifiers[r.FormValue("code")] != base64.RawURLEncoding.EncodeToString(sum[:]) || r.FormValue("client_secret") != ClientSecret {
			refuse()
			return
		}
	case "refresh_token":
		if !g.refreshes[r.FormValue("refresh_token")] {
			refuse()
			return
		}
		delete(g.refreshes, r.FormValue("refresh_token")) // good for one use
		g.refreshed++
	case "client_credentials":
		if r.FormValue("client_id") != "machine" || r.FormValue("client_secret") != ClientSecret {
			refuse()
			return
		}
	}
	g.issued++
	access, refresh := fmt.Sprintf("access-token-%d", g.issued), fmt.Sprintf("refresh-token-%d", g.issued)
	g.good[access], g.refreshes[refresh] = true, true
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": g.Lifetime})
}

// Revoke makes all access tokens bad, and the refresh tokens too.
func (g *Server) Revoke(refreshes bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.good)
	if refreshes {
		clear(g.refreshes)
	}
}

// Counts returns how often a user was asked, and a token refreshed.
func (g *Server) Counts() (logins, refreshed int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.logins, g.refreshed
}

// Issued returns how many tokens were given out.
func (g *Server) Issued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.issued
}

// Accept makes a token good.
func (g *Server) Accept(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.good[token] = true
}

// Agree is the browser of a user who agrees: it returns where it is sent, and does not
// go there.
func Agree(ctx context.Context, address string) (string, error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	return resp.Header.Get("Location"), nil
}
