package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"golang.org/x/oauth2"
)

// OAuth obtains tokens as MCP, "Authorization", describes: the server says where its
// authorization server is, the user logs in there in a browser (authorization code
// with PKCE), and the token is renewed without the user as long as that goes.
//
// How this client introduces itself is, in this order, ClientMetadataURL where the
// authorization server takes it, ClientID, and dynamic registration.
type OAuth struct {
	// Authorize sends the user to authorizationURL, which is http or https, and
	// returns the URL that the browser was then redirected to: RedirectURL with
	// code and state. Its ctx ends after 10 minutes, and with the connection. Nil
	// means that nobody is there to log in: a server then needs a token in Store,
	// and without one has failed with [ErrLoginRequired].
	Authorize func(ctx context.Context, authorizationURL string) (redirected string, err error)
	// RedirectURL is where the authorization server sends the browser, usually
	// http://127.0.0.1:port/callback. It is required with Authorize.
	RedirectURL string

	// ClientID and ClientSecret are of a client that was registered beforehand.
	ClientID, ClientSecret string
	// ClientMetadataURL is an https URL with a client metadata document.
	ClientMetadataURL string
	// ClientCredentials uses ClientID and ClientSecret themselves to get a token,
	// without a user.
	ClientCredentials bool
	// Scopes are asked for instead of those that the server names. What the server
	// asks for later is added.
	Scopes []string

	// Store keeps tokens beyond the process. Nil means memory.
	Store TokenStore
}

// problems returns what is wrong with the configuration.
func (o *OAuth) problems() []string {
	var found []string
	add := func(text string) { found = append(found, "OAuth: "+text) }
	switch {
	case o.ClientCredentials && (o.ClientID == "" || o.ClientSecret == ""):
		add("ClientCredentials needs ClientID and ClientSecret")
	case o.ClientCredentials && o.Authorize != nil:
		add("ClientCredentials needs no Authorize; set one of them")
	case o.ClientSecret != "" && o.ClientID == "":
		add("ClientSecret needs ClientID")
	}
	if o.Authorize != nil {
		if u, err := url.Parse(o.RedirectURL); err != nil || u.Scheme == "" || u.Host == "" {
			add("Authorize needs RedirectURL, such as http://127.0.0.1:8976/callback")
		}
	}
	if u, err := url.Parse(o.ClientMetadataURL); o.ClientMetadataURL != "" && (err != nil || u.Scheme != "https" || len(u.Path) < 2) {
		add("ClientMetadataURL must be https://host/path")
	}
	return found
}

// oauthSource gets tokens by OAuth for one server.
type oauthSource struct {
	config OAuth
	server *Server
	opts   *Options
	key    string

	life    context.Context // of what goes on in the background
	end     context.CancelFunc
	running sync.WaitGroup
	saving  sync.Mutex // held while a token is stored
	known   latest     // tokens, of now and of before

	mu      sync.Mutex
	closed  bool
	loaded  bool
	saved   *Token // as in the store, unless unsaved; nil if there is none
	unsaved bool
	source  oauth2.TokenSource
	handle  auth.OAuthHandler // made on first use
	refused string            // token that the server refused last
	forced  time.Time         // last refresh that the clock did not ask for
	stepUp  bool              // the renewal is about scopes
}

func newOAuthSource(s *Server, o *Options) *oauthSource {
	life, end := context.WithCancel(context.Background())
	return &oauthSource{config: *s.OAuth, server: s, opts: o, key: tokenKey(s), life: life, end: end}
}

// tokenKey names a server in a [TokenStore]. It has the URL, so that a token does
// not go elsewhere when the configuration changes.
func tokenKey(s *Server) string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return s.Name
	}
	return s.Name + " " + bare(u).String()
}

// token returns the token to send, refreshed if its time is over.
func (s *oauthSource) token(ctx context.Context) (string, error) {
	source, err := s.current(ctx)
	if err != nil || source == nil {
		return "", err
	}
	token, err := s.fetch(ctx, source)
	switch {
	case err == nil:
		return token.AccessToken, nil
	case refusedGrant(err):
		return "", nil // the server will ask for another one
	}
	return "", s.readable("refreshing the token", err)
}

// fetch gets a token from a source, which may have to ask the authorization server, and
// stores it. That goes on without this caller: others want the token too, and what it
// was got with may be spent.
func (s *oauthSource) fetch(ctx context.Context, source oauth2.TokenSource) (*oauth2.Token, error) {
	type result struct {
		token *oauth2.Token
		err   error
	}
	fetched := make(chan result, 1)
	started := s.start(func() {
		token, err := source.Token()
		if err == nil {
			s.keep(token)
		}
		fetched <- result{token, err}
		if s.saving.TryLock() { // what could not be stored before, of which keep has told
			_ = s.saveLocked()
			s.saving.Unlock()
		}
	})
	if !started {
		return nil, ErrClosed
	}
	select {
	case r := <-fetched:
		return r.token, r.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// start runs f in the background, and reports false after close.
func (s *oauthSource) start(f func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.running.Go(f)
	return true
}

// close ends what goes on in the background. A token that is on its way gets a moment to
// arrive and to be stored.
func (s *oauthSource) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	defer s.end()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.running.Wait()
	}()
	if within(done, closeGrace) {
		return nil
	}
	s.end()
	if within(done, closeGrace) {
		return nil
	}
	return errors.New("OAuth.Store does not return")
}

// refusedGrant reports whether a refresh token is no longer good for anything.
func refusedGrant(err error) bool {
	var refused *oauth2.RetrieveError
	return errors.As(err, &refused) && refused.ErrorCode == "invalid_grant"
}

// current returns the source of tokens; nil if there is none yet. A token whose time
// is over may have been renewed by another process, and a refresh token may be good
// for one use only.
func (s *oauthSource) current(ctx context.Context) (oauth2.TokenSource, error) {
	s.mu.Lock()
	look := !s.loaded || s.saved != nil && !s.saved.oauth2().Valid()
	s.mu.Unlock()
	if look && !s.config.ClientCredentials {
		if err := s.reload(ctx, func(t *Token) bool { return s.saved == nil || t.AccessToken != s.saved.AccessToken }); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.source, nil
}

// reload takes over what another process may have stored, if it fits. What could not be
// stored here is newer than what is there. The lock is held for fits.
func (s *oauthSource) reload(ctx context.Context, fits func(*Token) bool) error {
	s.mu.Lock()
	before, unsaved := s.saved, s.unsaved
	s.mu.Unlock()
	if unsaved {
		return nil
	}
	stored, err := s.config.Store.Load(ctx, s.key)
	if err != nil {
		return fmt.Errorf("OAuth.Store: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.loaded = true
	if stored == nil || s.saved != before || !fits(stored) {
		return nil
	}
	return s.use(stored)
}

// use makes a token the current one. The caller holds the lock.
func (s *oauthSource) use(t *Token) error {
	client, err := newOAuthClient(s.server.TLS)
	if err != nil {
		return err
	}
	s.saved = t
	s.known.add(t.RefreshToken)
	s.known.add(t.AccessToken)
	s.source = t.config().TokenSource(context.WithValue(s.life, oauth2.HTTPClient, client), t.oauth2())
	return nil
}

// keep stores a token that is new. An older one may come late, from a caller that got it
// before it was replaced.
func (s *oauthSource) keep(token *oauth2.Token) {
	s.known.add(token.RefreshToken)
	isNew := s.known.add(token.AccessToken)
	s.mu.Lock()
	if s.saved == nil || !isNew {
		s.mu.Unlock()
		return
	}
	renewed := *s.saved
	renewed.set(token)
	s.saved, s.unsaved = &renewed, true
	s.mu.Unlock()
	if err := s.save(); err != nil {
		s.opts.Logger.Warn("a refreshed token could not be stored; it will be tried again, and without success the next start may need a login", "server", s.server.Name, "reason", err)
	}
}

// savePatience bounds how long storing a token may take.
const savePatience = 10 * time.Second

// save stores what has not been stored.
func (s *oauthSource) save() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	return s.saveLocked()
}

func (s *oauthSource) saveLocked() error {
	ctx, cancel := context.WithTimeout(s.life, savePatience)
	defer cancel()
	for {
		s.mu.Lock()
		t, unsaved := s.saved, s.unsaved
		s.mu.Unlock()
		if !unsaved {
			return nil
		}
		if err := s.config.Store.Save(ctx, s.key, t); err != nil {
			return err
		}
		s.mu.Lock()
		s.unsaved = s.saved != t
		s.mu.Unlock()
	}
}

// renew gets another token: what another process has stored, else with the refresh
// token, else from the user.
func (s *oauthSource) renew(ctx context.Context, rejected string, req *http.Request, resp *http.Response) error {
	s.mu.Lock()
	s.stepUp = resp.StatusCode == http.StatusForbidden
	if rejected != "" {
		s.refused = rejected
	}
	s.mu.Unlock()
	if resp.StatusCode == http.StatusUnauthorized && !s.config.ClientCredentials {
		if found, err := s.refresh(ctx); found || err != nil {
			return err
		}
	}
	if s.config.Authorize == nil && !s.config.ClientCredentials {
		return fmt.Errorf("%w: log in to server %q and keep the token in OAuth.Store, or set OAuth.Authorize", ErrLoginRequired, s.server.Name)
	}
	handler, err := s.handler()
	if err != nil {
		return err
	}
	if err := handler.Authorize(ctx, req, resp); err != nil {
		return s.readable("OAuth", err)
	}
	if s.config.ClientCredentials {
		return s.adopt(ctx, handler)
	}
	s.mu.Lock()
	none := s.saved == nil
	s.mu.Unlock()
	if none {
		return errors.New("OAuth: there is no token after the login")
	}
	if err := s.save(); err != nil {
		return fmt.Errorf("OAuth.Store: the token could not be stored: %w", err)
	}
	return nil
}

// refresh looks for another token without a user, and reports whether there is one.
func (s *oauthSource) refresh(ctx context.Context) (bool, error) {
	fit := func(t *Token) bool { return t.AccessToken != s.refused && t.oauth2().Valid() }
	if err := s.reload(ctx, fit); err != nil {
		return false, err
	}
	s.mu.Lock()
	if s.saved != nil && fit(s.saved) {
		s.mu.Unlock()
		return true, nil
	}
	// A server that refuses refreshed tokens too wants something else.
	if s.saved == nil || s.saved.RefreshToken == "" || time.Since(s.forced) < time.Minute {
		s.mu.Unlock()
		return false, nil
	}
	s.forced = time.Now()
	expired := *s.saved
	expired.Expiry = time.Unix(1, 0)
	err := s.use(&expired)
	source := s.source
	s.mu.Unlock()
	if err != nil {
		return false, err
	}
	_, err = s.fetch(ctx, source)
	switch {
	case err == nil:
		return true, nil
	case refusedGrant(err):
		return false, nil
	}
	return false, s.readable("refreshing the token", err)
}

// adopt takes over the token of a handler that stores none.
func (s *oauthSource) adopt(ctx context.Context, handler auth.OAuthHandler) error {
	source, err := handler.TokenSource(ctx)
	if err != nil {
		return s.readable("OAuth", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.source = source
	return nil
}

// readable makes an error of OAuth fit for people. What an authorization server
// answered may hold what it was sent.
func (s *oauthSource) readable(what string, err error) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		status := "an answer that is no token"
		if refused.Response != nil {
			status = "HTTP status " + refused.Response.Status
		}
		return &plain{redact(fmt.Sprintf("%s: the authorization server answered with %s %s %s", what, status,
			clean(refused.ErrorCode, 80), clean(refused.ErrorDescription, 300)), s.secrets()), err}
	}
	out := &plain{clean(redact(what+": "+withoutQuery(err), s.secrets()), 1024), err}
	var unreached *url.Error
	if errors.As(err, &unreached) {
		return fmt.Errorf("%w: %w", errNotAsked, out)
	}
	return out
}

func (s *oauthSource) secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := append(s.known.all(), s.config.ClientSecret)
	if s.saved != nil {
		found = append(found, s.saved.ClientSecret)
	}
	return found
}
