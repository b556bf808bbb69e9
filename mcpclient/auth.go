package mcpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"
)

// Bearer returns an access token for the Authorization header. It is called before
// the first request, with rejected empty, and again when the server refuses a token
// with HTTP status 401, with that token; the request is then repeated once. Between
// these the token is kept. It is not called by two goroutines at a time. It must return
// when ctx is done.
type Bearer func(ctx context.Context, rejected string) (token string, err error)

// ErrLoginRequired is the reason why a server with [Server.OAuth] cannot be used
// when a user has to log in and [OAuth.Authorize] is nil.
var ErrLoginRequired = errors.New("a login is required")

// errNotAsked marks an authorization server that could not be reached.
var errNotAsked = errors.New("the authorization server could not be asked")

// maxRenewal bounds how long a renewal, most of all a login by the user, may take.
const maxRenewal = 10 * time.Minute

// A tokenSource knows how to get tokens for one server. Its methods may be called
// concurrently, but renew by one goroutine at a time.
type tokenSource interface {
	// token returns the token to send, "" for none.
	token(ctx context.Context) (string, error)
	// renew gets another token after the server answered req with resp to a
	// request with the token rejected.
	renew(ctx context.Context, rejected string, req *http.Request, resp *http.Response) error
	// secrets are what must not appear in a text.
	secrets() []string
	// close ends what goes on in the background; no token is wanted any more.
	close() error
}

// An authorizer adds tokens to the requests to one server, over all connections to
// it. However many requests are refused at the same time, one renewal is made.
type authorizer struct {
	tokenSource

	mu      sync.Mutex
	newest  string          // token that was sent last
	useless map[int]refusal // by the HTTP status that asked for a token
	flight  *renewal
	renewed int // how often a renewal succeeded
}

// A renewal is a renew under way.
type renewal struct {
	done chan struct{}
	err  error // valid after done
}

// newAuthorizer returns what s asks for; nil if that is nothing.
func newAuthorizer(s *Server, o *Options) *authorizer {
	switch {
	case s.Bearer != nil:
		return &authorizer{tokenSource: &bearerSource{get: s.Bearer, asking: make(chan struct{}, 1)}}
	case s.OAuth != nil:
		return &authorizer{tokenSource: newOAuthSource(s, o)}
	}
	return nil
}

// send is token, remembered.
func (a *authorizer) send(ctx context.Context) (string, error) {
	token, err := a.token(ctx)
	if err != nil {
		return "", err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.newest = token
	return token, nil
}

// again makes sure that there is another token than the rejected one. It waits for
// a renewal until ctx is done. The renewal itself ends with life: it may ask a user,
// and others may wait for it too.
func (a *authorizer) again(ctx, life context.Context, rejected string, req *http.Request, resp *http.Response) error {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorBody)) // what came is good enough
	_ = resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(body))

	a.mu.Lock()
	if a.newest != rejected {
		a.mu.Unlock()
		return nil
	}
	f := a.flight
	if f == nil {
		f = &renewal{done: make(chan struct{})}
		a.flight = f
		go a.renewFor(life, f, rejected, req, resp)
	}
	a.mu.Unlock()
	select {
	case <-f.done:
		return f.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *authorizer) renewFor(life context.Context, f *renewal, rejected string, req *http.Request, resp *http.Response) {
	ctx, cancel := context.WithTimeout(life, maxRenewal)
	defer cancel()
	f.err = a.renew(ctx, rejected, req.WithContext(ctx), resp)
	a.mu.Lock()
	a.flight = nil
	if f.err == nil {
		a.renewed++
	}
	a.mu.Unlock()
	close(f.done)
}

// another reports whether there is another token now than the one that was sent last. It
// asks Server.Bearer only; a login is something to be told of. It reports false for nil.
func (a *authorizer) another(ctx context.Context) bool {
	if a == nil {
		return false
	}
	b, ok := a.tokenSource.(*bearerSource)
	if !ok {
		return false
	}
	return b.ask(ctx, b.known()) == nil
}

// busy reports whether a renewal is under way, such as a login; false for nil.
func (a *authorizer) busy() bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.flight != nil
}

// settle waits for a renewal under way and reports whether one has succeeded since
// there were so many. It reports false for nil.
func (a *authorizer) settle(ctx context.Context, renewals int) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	f := a.flight
	a.mu.Unlock()
	if f != nil {
		select {
		case <-f.done:
		case <-ctx.Done():
		}
	}
	return a.renewals() > renewals
}

// renewals returns how often a renewal succeeded; zero for nil.
func (a *authorizer) renewals() int {
	if a == nil {
		return 0
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.renewed
}

// bearerSource gets tokens from a callback.
type bearerSource struct {
	get    Bearer
	asking chan struct{} // held by who calls it
	seen   latest        // tokens, of now and of before

	mu   sync.Mutex
	last string
}

func (b *bearerSource) token(ctx context.Context) (string, error) {
	if last := b.known(); last != "" {
		return last, nil
	}
	if err := b.ask(ctx, ""); err != nil {
		return "", err
	}
	return b.known(), nil
}

func (b *bearerSource) renew(ctx context.Context, rejected string, _ *http.Request, _ *http.Response) error {
	return b.ask(ctx, rejected)
}

// ask calls the callback, unless another goroutine has just got another token.
func (b *bearerSource) ask(ctx context.Context, rejected string) error {
	select {
	case b.asking <- struct{}{}:
		defer func() { <-b.asking }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if b.known() != rejected {
		return nil
	}
	token, err := b.get(ctx, rejected)
	switch {
	case err != nil:
		return fmt.Errorf("Server.Bearer: %w", err)
	case token == "" || strings.ContainsFunc(token, unicode.IsControl):
		return errors.New("Server.Bearer returned no token that can be sent")
	case token == rejected:
		return errors.New("Server.Bearer returned the refused token again")
	}
	b.seen.add(token)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = token
	return nil
}

func (b *bearerSource) known() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

func (b *bearerSource) secrets() []string { return b.seen.all() }

func (b *bearerSource) close() error { return nil }

// authorized sends a request with a token, and once more with another one if the
// server asks for that.
func (rt *roundTripper) authorized(asked, out *http.Request) (*http.Response, error) {
	if rt.auth == nil || !rt.ours(out.URL) {
		return rt.send(out)
	}
	token, err := rt.auth.send(out.Context())
	if err != nil {
		return nil, noToken(http.StatusUnauthorized, err)
	}
	bear(out, token)
	resp, err := rt.send(out)
	if err != nil || !asksForToken(resp, rt.auth) || out.Method == http.MethodDelete {
		return resp, err
	}
	second := out.Clone(out.Context())
	if out.Body != nil && out.Body != http.NoBody {
		if out.GetBody == nil {
			return resp, nil
		}
		if second.Body, err = out.GetBody(); err != nil {
			return nil, err
		}
	}
	status := resp.StatusCode
	if err := rt.auth.refused(status); err != nil {
		_ = resp.Body.Close()
		return nil, err
	}
	if err := rt.auth.again(out.Context(), rt.life, token, asked, resp); err != nil {
		err = noToken(status, err)
		rt.auth.note(status, err, refusalHolds)
		return nil, err
	}
	if token, err = rt.auth.send(out.Context()); err != nil {
		return nil, noToken(status, err)
	}
	bear(second, token)
	resp, err = rt.send(second)
	if err == nil && resp.StatusCode == status && asksForToken(resp, rt.auth) {
		rt.auth.note(status, noToken(status, errUseless), uselessHolds)
	}
	return resp, err
}

// A refusal keeps a user from being asked again, by the next request, for what came to
// nothing: they did not log in, or the server did not like the new token either.
type refusal struct {
	err   error
	until time.Time
}

// How long a refusal holds: of a user, whom the SDK would ask again at once when
// discovery fails, and of a new token by the server.
const (
	refusalHolds = time.Minute
	uselessHolds = 10 * time.Minute
)

var errUseless = errors.New("it has just refused a new token as well; reconnect to try another one")

// note keeps a refusal. An error that may pass by itself is none.
func (a *authorizer) note(status int, err error, holds time.Duration) {
	var refused *statusError
	if !errors.As(err, &refused) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.useless == nil {
		a.useless = map[int]refusal{}
	}
	a.useless[status] = refusal{err, time.Now().Add(holds)}
}

// refused returns the refusal that holds; nil if there is none.
func (a *authorizer) refused(status int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r := a.useless[status]; time.Now().Before(r.until) {
		return r.err
	}
	return nil
}

// forgive lets the user be asked anew, since the host wants another attempt. Nil is fine.
func (a *authorizer) forgive() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.useless = nil
}

// noToken is the error of a request for which there is no token. Another attempt helps
// only where the reason may pass by itself.
func noToken(status int, err error) error {
	if errors.Is(err, errNotAsked) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no token to send: %w", err)
	}
	return &statusError{code: status, cause: err}
}

func bear(req *http.Request, token string) {
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
}

// asksForToken reports whether a server could be content with another token. MCP,
// "Error Handling": 401 for a missing or invalid token; 403 with insufficient_scope
// when the token allows too little, which a callback knows nothing about.
func asksForToken(resp *http.Response, a *authorizer) bool {
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		return true
	case http.StatusForbidden:
		_, oauth := a.tokenSource.(*oauthSource)
		return oauth && strings.Contains(strings.Join(resp.Header.Values("WWW-Authenticate"), " "), "insufficient_scope")
	}
	return false
}

// checkBrowsable refuses what a browser should not be sent to at a server's word.
func checkBrowsable(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > maxElicitURL || strings.ContainsFunc(address, unicode.IsControl):
		return errors.New("the URL to visit cannot be parsed")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.User != nil:
		return errors.New("the URL to visit is not https://host/path or http://host/path")
	}
	return nil
}
