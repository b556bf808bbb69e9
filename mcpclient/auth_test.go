package mcpclient_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/internal/oauthtest"
	"github.com/conductor/conductor/mcpclient"
)

// A guarded server asks for a token.
type guarded struct{ *oauthtest.Server }

const clientSecret = oauthtest.ClientSecret

func newGuarded(t *testing.T, opts *mcp.StreamableHTTPOptions) *guarded {
	return &guarded{oauthtest.New(t, streamable(t, opts))}
}

func (g *guarded) server(o mcpclient.OAuth) mcpclient.Server {
	return mcpclient.Server{Name: "guarded", URL: g.URL + "/mcp", OAuth: &o}
}

const redirect = "http://127.0.0.1:9/callback"

func TestOAuth(t *testing.T) {
	leaktest.Check(t)
	g := newGuarded(t, nil)
	store := &mcpclient.FileTokens{Path: filepath.Join(t.TempDir(), "new", "tokens.json")}
	log, logged := logger()
	var seen []string // everything that somebody could read
	look := func(c *mcpclient.Client, values ...any) {
		for _, v := range append(values, c.Status()) {
			seen = append(seen, fmt.Sprintf("%v %+v %#v %s", v, v, v, v))
		}
	}

	login := g.server(mcpclient.OAuth{Authorize: oauthtest.Agree, RedirectURL: redirect, Store: store})
	c := connect(t, &mcpclient.Options{Logger: log}, login)
	if s := c.Status()[0]; s.State != mcpclient.StateReady {
		t.Fatalf("%s: %v", s.State, s.Err)
	}
	call(t, c, "guarded", "echo", `{"a":1}`)
	if logins, _ := g.Counts(); logins != 1 {
		t.Errorf("%d logins", logins)
	}
	info, err := os.Stat(store.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token file: %v, %v", info, err)
	}
	look(c, login, &login, *login.OAuth, login.OAuth)

	// Without a user, in another process: the stored token does, and is refreshed, once,
	// when the server takes it no more.
	quiet := g.server(mcpclient.OAuth{Store: store})
	c2 := connect(t, &mcpclient.Options{Logger: log}, quiet)
	g.Revoke(false)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := c2.Call(testContext(t), "guarded", "echo", json.RawMessage(`{}`), nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if logins, refreshed := g.Counts(); logins != 1 || refreshed != 1 {
		t.Errorf("%d logins, %d refreshes", logins, refreshed)
	}
	// The first client finds what the second one has stored.
	call(t, c, "guarded", "echo", `{}`)
	if logins, refreshed := g.Counts(); logins != 1 || refreshed != 1 {
		t.Errorf("%d logins, %d refreshes", logins, refreshed)
	}

	// When nothing helps, the reason says what to do.
	g.Revoke(true)
	ce := callError(t, testContext(t), c2, "guarded", "echo", `{}`)
	if !errors.Is(ce, mcpclient.ErrLoginRequired) || ce.OutcomeUnknown {
		t.Errorf("error %+v", ce)
	}
	c3 := connect(t, &mcpclient.Options{Logger: log}, quiet)
	s := c3.Status()[0]
	if s.State != mcpclient.StateFailed || !errors.Is(s.Err, mcpclient.ErrLoginRequired) {
		t.Errorf("%s: %v", s.State, s.Err)
	}
	token, err := store.Load(t.Context(), "guarded "+g.URL+"/mcp")
	if err != nil || token == nil {
		t.Fatal(err)
	}
	look(c2, ce, ce.Error(), token, *token, mcpclient.Options{})
	look(c3)
	wantNoText(t, strings.Join(seen, "\n")+logged.String(), "access-token", "refresh-token", clientSecret)
}

// Tokens that are over by the clock are refreshed before they are sent.
func TestOAuthExpiry(t *testing.T) {
	leaktest.Check(t)
	g := newGuarded(t, nil)
	g.Lifetime = 5 // less than the clock is trusted
	c := ready(t, g.server(mcpclient.OAuth{Authorize: oauthtest.Agree, RedirectURL: redirect}))
	call(t, c, "guarded", "echo", `{}`)
	if logins, refreshed := g.Counts(); logins != 1 || refreshed == 0 {
		t.Errorf("%d logins, %d refreshes", logins, refreshed)
	}
}

// A user takes longer than a server may take to start, and is asked once.
func TestOAuthSlowLogin(t *testing.T) {
	for name, o := range map[string]*mcp.StreamableHTTPOptions{"2025-11-25": nil, "2026-07-28": {Stateless: true}} {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			g := newGuarded(t, o)
			s := g.server(mcpclient.OAuth{RedirectURL: redirect, Authorize: func(ctx context.Context, address string) (string, error) {
				time.Sleep(1500 * time.Millisecond)
				return oauthtest.Agree(ctx, address)
			}})
			s.ConnectTimeout = time.Second
			c := ready(t, s)
			if logins, _ := g.Counts(); logins != 1 || c.Status()[0].ProtocolVersion != name {
				t.Errorf("%d logins, protocol %s", logins, c.Status()[0].ProtocolVersion)
			}
		})
	}
}

func TestOAuthFailures(t *testing.T) {
	tests := []struct {
		name   string
		deny   bool
		config mcpclient.OAuth
		want   string
	}{
		{"denied", true, mcpclient.OAuth{Authorize: oauthtest.Agree}, "the authorization server refused the login: access_denied the user said no"},
		{"no code", false, mcpclient.OAuth{Authorize: func(context.Context, string) (string, error) { return redirect, nil }}, "returned a URL without a code"},
		{"wrong state", false, mcpclient.OAuth{Authorize: func(context.Context, string) (string, error) { return redirect + "?code=x&state=y", nil }}, "state mismatch"},
		{"host fails", false, mcpclient.OAuth{Authorize: func(context.Context, string) (string, error) { return "", errors.New("no browser") }}, "OAuth.Authorize: no browser"},
		{"wrong secret", false, mcpclient.OAuth{Authorize: oauthtest.Agree, ClientID: "mine", ClientSecret: "another-secret"}, "the authorization server answered with HTTP status 400 Bad Request invalid_grant no good: [redacted]"},
		{"nobody", false, mcpclient.OAuth{}, `a login is required: log in to server "guarded"`},
		{"wrong machine", false, mcpclient.OAuth{ClientCredentials: true, ClientID: "other", ClientSecret: clientSecret}, "invalid_grant no good: [redacted]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			leaktest.Check(t)
			g := newGuarded(t, nil)
			g.Deny = test.deny
			test.config.RedirectURL = redirect
			c := connect(t, nil, g.server(test.config))
			s := c.Status()[0]
			if s.State != mcpclient.StateFailed || s.Err == nil || !strings.Contains(s.Err.Error(), test.want) {
				t.Errorf("%s: %v\nwant %s", s.State, s.Err, test.want)
			}
			time.Sleep(50 * time.Millisecond)
			if logins, _ := g.Counts(); logins > 1 {
				t.Errorf("%d logins", logins)
			}
		})
	}
}

// The older transport has no authorization of its own in the SDK.
func TestOAuthOverSSE(t *testing.T) {
	leaktest.Check(t)
	tools := goodServer()
	g := &guarded{oauthtest.New(t, mcp.NewSSEHandler(func(*http.Request) *mcp.Server { return tools }, nil))}
	s := g.server(mcpclient.OAuth{Authorize: oauthtest.Agree, RedirectURL: redirect})
	s.Type = mcpclient.TypeSSE
	c := ready(t, s)
	call(t, c, "guarded", "echo", `{}`)
	if logins, _ := g.Counts(); logins != 1 {
		t.Errorf("%d logins", logins)
	}
}

func TestClientCredentials(t *testing.T) {
	leaktest.Check(t)
	g := newGuarded(t, nil)
	c := ready(t, g.server(mcpclient.OAuth{ClientCredentials: true, ClientID: "machine", ClientSecret: clientSecret}))
	call(t, c, "guarded", "echo", `{}`)
	g.Revoke(true)
	call(t, c, "guarded", "echo", `{}`)
	if issued := g.Issued(); issued != 2 {
		t.Errorf("%d tokens", issued)
	}
}

func TestBearer(t *testing.T) {
	leaktest.Check(t)
	g := newGuarded(t, nil)
	g.Accept("first-token")
	var mu sync.Mutex
	var rejected []string
	s := mcpclient.Server{Name: "guarded", URL: g.URL + "/mcp", Bearer: func(_ context.Context, old string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		rejected = append(rejected, old)
		return map[string]string{"": "first-token", "first-token": "second-token", "second-token": "second-token"}[old], nil
	}}
	c := ready(t, s)
	call(t, c, "guarded", "echo", `{}`)
	g.Revoke(false)
	g.Accept("second-token")
	for range 3 {
		call(t, c, "guarded", "echo", `{}`)
	}
	if !slices.Equal(rejected, []string{"", "first-token"}) {
		t.Errorf("asked after %q", rejected)
	}
	g.Revoke(true)
	ce := callError(t, testContext(t), c, "guarded", "echo", `{}`)
	wantText(t, ce.Error(), "the server asks for credentials (HTTP status 401): Server.Bearer returned the refused token again")
	wantNoText(t, ce.Error()+fmt.Sprintf("%v %+v", s, c.Status()), "first-token", "second-token")

	failing := mcpclient.Server{Name: "guarded", URL: g.URL + "/mcp", Bearer: func(context.Context, string) (string, error) { return "", errors.New("the vault is closed") }}
	wantText(t, fmt.Sprint(connect(t, nil, failing).Status()[0].Err), "Server.Bearer: the vault is closed")
}

// A token is for the configured host only.
func TestTokenStaysHome(t *testing.T) {
	leaktest.Check(t)
	var stolen atomic.Value
	other := listen(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { stolen.Store(r.Header.Get("Authorization")) }))
	home := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other, http.StatusTemporaryRedirect)
	}))
	connect(t, nil, mcpclient.Server{Name: "x", URL: home, Bearer: func(context.Context, string) (string, error) { return "the-token", nil }})
	if got, _ := stolen.Load().(string); got != "" {
		t.Errorf("the other host got %q", got)
	}
}

func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens.json")
	store := &mcpclient.FileTokens{Path: path}
	ctx := t.Context()
	if token, err := store.Load(ctx, "a"); token != nil || err != nil {
		t.Errorf("no file: %v, %v", token, err)
	}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			if err := (&mcpclient.FileTokens{Path: path}).Save(ctx, fmt.Sprint(i), &mcpclient.Token{AccessToken: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	for i := range 8 {
		if token, err := store.Load(ctx, fmt.Sprint(i)); err != nil || token == nil || token.AccessToken != fmt.Sprint(i) {
			t.Errorf("token %d: %v, %v", i, token, err)
		}
	}
	if err := store.Delete(ctx, "3"); err != nil {
		t.Error(err)
	}
	if token, err := store.Load(ctx, "3"); token != nil || err != nil {
		t.Errorf("a deleted token: %v, %v", token, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Load(ctx, "1"); err == nil || !strings.Contains(err.Error(), "can be read by others (mode 0644): run chmod 600") {
		t.Errorf("a file for all to read: %v", err)
	}
	if err := os.WriteFile(path, []byte("{half"), 0o600); err != nil || os.Chmod(path, 0o600) != nil {
		t.Fatal(err)
	}
	if err := store.Save(ctx, "1", &mcpclient.Token{}); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestAuthConfiguration(t *testing.T) {
	bearer := func(context.Context, string) (string, error) { return "", nil }
	tests := []struct {
		server mcpclient.Server
		want   string
	}{
		{mcpclient.Server{Command: "x", Bearer: bearer}, "Bearer, OAuth and TLS need URL"},
		{mcpclient.Server{URL: "https://x/", Bearer: bearer, OAuth: &mcpclient.OAuth{}}, "Bearer and OAuth are set"},
		{mcpclient.Server{URL: "https://x/", Bearer: bearer, Header: http.Header{"Authorization": {"x"}}}, "Header has Authorization"},
		{mcpclient.Server{URL: "https://x/", OAuth: &mcpclient.OAuth{Authorize: oauthtest.Agree}}, "OAuth: Authorize needs RedirectURL"},
		{mcpclient.Server{URL: "https://x/", OAuth: &mcpclient.OAuth{ClientCredentials: true}}, "OAuth: ClientCredentials needs ClientID and ClientSecret"},
		{mcpclient.Server{URL: "https://x/", OAuth: &mcpclient.OAuth{ClientMetadataURL: "http://x/y"}}, "OAuth: ClientMetadataURL must be https://host/path"},
		{mcpclient.Server{URL: "http://x/", TLS: &mcpclient.TLS{}}, "TLS needs a URL with https://"},
		{mcpclient.Server{URL: "https://x/", TLS: &mcpclient.TLS{CertFile: "x"}}, "TLS: CertFile and KeyFile need each other"},
		{mcpclient.Server{Command: "x", Roots: []mcpclient.Root{{URI: "/tmp"}}}, `Roots: "/tmp" is not file:///path`},
		{mcpclient.Server{Command: "x", LogLevel: "loud"}, `LogLevel "loud" is unknown`},
	}
	for _, test := range tests {
		test.server.Name = "x"
		_, err := mcpclient.Connect(t.Context(), []mcpclient.Server{test.server}, nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v\nwant %s", err, test.want)
		}
	}
}

// No verb, and no logger, shows what the options hold.
func TestOptionsPrintWithoutSecrets(t *testing.T) {
	s := mcpclient.Server{
		Name: "x", URL: "https://user:pass-word@example.com/mcp?key=query-key", Args: []string{"--token=arg-token"},
		Env: map[string]string{"API_KEY": "env-key"}, Header: http.Header{"Authorization": {"Bearer header-token"}},
		OAuth: &mcpclient.OAuth{ClientID: "id", ClientSecret: clientSecret},
	}
	token := mcpclient.Token{AccessToken: "access-token", RefreshToken: "refresh-token", ClientSecret: clientSecret}
	log, logged := logger()
	log.Info("options", "server", s, "pointer", &s, "oauth", s.OAuth, "token", token, "list", []mcpclient.Server{s})
	text := logged.String()
	for _, v := range []any{s, &s, []mcpclient.Server{s}, *s.OAuth, s.OAuth, token, &token, struct{ S mcpclient.Server }{s}} {
		text += fmt.Sprintf("%v %+v %#v %s %q %d", v, v, v, v, v, v)
	}
	wantNoText(t, text, "pass-word", "query-key", "arg-token", "env-key", "header-token", clientSecret, "access-token", "refresh-token")
	wantText(t, text, "API_KEY", "Authorization", "https://example.com/mcp")
}

// Connections of conversations share a login.
func TestOAuthPerConversation(t *testing.T) {
	leaktest.Check(t)
	g := newGuarded(t, nil)
	s := g.server(mcpclient.OAuth{Authorize: oauthtest.Agree, RedirectURL: redirect})
	s.Sharing = mcpclient.SharingPerConversation
	c := ready(t, s)
	g.Revoke(true)
	var group sync.WaitGroup
	for i := range 5 {
		group.Go(func() {
			if _, err := c.Call(testContext(t), "guarded", "echo", json.RawMessage(`{}`), &mcpclient.CallOptions{Conversation: fmt.Sprint(i)}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if logins, _ := g.Counts(); logins != 2 {
		t.Errorf("%d logins, want the first one and one more", logins)
	}
}

// A server that no token is good enough for does not open a browser with every call, and
// tokens are renewed all the same.
func TestTokenThatIsNeverEnough(t *testing.T) {
	for _, sharing := range []mcpclient.Sharing{mcpclient.SharingShared, mcpclient.SharingPerConversation} {
		t.Run(string(sharing), func(t *testing.T) {
			leaktest.Check(t)
			inner := streamable(t, nil)
			g := &guarded{oauthtest.New(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				if bytes.Contains(body, []byte(`"admin"`)) {
					w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_scope", scope="admin"`)
					w.WriteHeader(http.StatusForbidden)
					return
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				inner.ServeHTTP(w, r)
			}))}
			s := g.server(mcpclient.OAuth{Authorize: oauthtest.Agree, RedirectURL: redirect})
			s.Sharing = sharing
			c := ready(t, s)
			calls := func(logins, refreshes int) {
				t.Helper()
				for i := range 4 {
					_, err := c.Call(testContext(t), "guarded", "echo", json.RawMessage(`{"apple":"admin"}`), &mcpclient.CallOptions{Conversation: fmt.Sprint(i % 2)})
					wantText(t, fmt.Sprint(err), "HTTP status 403")
					call(t, c, "guarded", "echo", `{}`)
				}
				if l, r := g.Counts(); l != logins || r != refreshes {
					t.Errorf("%d logins and %d refreshes, want %d and %d", l, r, logins, refreshes)
				}
			}
			calls(2, 0)
			g.Revoke(false)
			calls(2, 1)
			if err := c.Reconnect("guarded"); err != nil {
				t.Fatal(err)
			}
			reaches(t, c, "guarded", mcpclient.StateReady)
			calls(3, 1)
		})
	}
}
