package mcpclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/auth/extauth"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"golang.org/x/oauth2"
)

// handler returns the SDK's handler.
func (s *oauthSource) handler() (auth.OAuthHandler, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handle != nil {
		return s.handle, nil
	}
	client, err := newOAuthClient(s.server.TLS)
	if err != nil {
		return nil, err
	}
	var registered *oauthex.ClientCredentials
	if s.config.ClientID != "" {
		registered = &oauthex.ClientCredentials{ClientID: s.config.ClientID}
		if s.config.ClientSecret != "" {
			registered.ClientSecretAuth = &oauthex.ClientSecretAuth{ClientSecret: s.config.ClientSecret}
		}
	}
	if s.config.ClientCredentials {
		handler, err := extauth.NewClientCredentialsHandler(&extauth.ClientCredentialsHandlerConfig{Credentials: registered, HTTPClient: client})
		if err != nil {
			return nil, fmt.Errorf("OAuth: %w", err)
		}
		s.handle = detached{handler, s.life}
		return s.handle, nil
	}
	config := &auth.AuthorizationCodeHandlerConfig{
		Client:                   client,
		PreregisteredClient:      registered,
		RedirectURL:              s.config.RedirectURL,
		AuthorizationCodeFetcher: s.login,
		ScopeFilter:              s.scopes,
		RequestRefreshToken:      true,
		NewTokenSource:           s.tokenSource,
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName:    s.opts.ClientName,
			RedirectURIs:  []string{s.config.RedirectURL},
			GrantTypes:    []string{"authorization_code", "refresh_token"},
			ResponseTypes: []string{"code"},
		}},
	}
	if s.config.ClientMetadataURL != "" {
		config.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: s.config.ClientMetadataURL}
	}
	handler, err := auth.NewAuthorizationCodeHandler(config)
	if err != nil {
		return nil, fmt.Errorf("OAuth: %w", err)
	}
	s.handle = handler
	return handler, nil
}

// detached keeps the SDK from tying later refreshes to the context of the request
// that needed the first token.
type detached struct {
	auth.OAuthHandler
	life context.Context
}

func (d detached) Authorize(_ context.Context, req *http.Request, resp *http.Response) error {
	return d.OAuthHandler.Authorize(d.life, req, resp)
}

// scopes decides what is asked for.
func (s *oauthSource) scopes(named []string) []string {
	if len(s.config.Scopes) == 0 {
		return named
	}
	scopes := slices.Clone(s.config.Scopes)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stepUp {
		for _, scope := range named {
			if !slices.Contains(scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	return scopes
}

// tokenSource is told by the SDK of the token after a login.
func (s *oauthSource) tokenSource(_ context.Context, config *oauth2.Config, token *oauth2.Token) (oauth2.TokenSource, error) {
	t := &Token{
		ClientID: config.ClientID, ClientSecret: config.ClientSecret, TokenURL: config.Endpoint.TokenURL,
		AuthStyle: int(config.Endpoint.AuthStyle), Scopes: config.Scopes,
	}
	t.set(token)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unsaved = true
	err := s.use(t)
	return s.source, err
}

// login lets the host send the user to the authorization server.
func (s *oauthSource) login(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	if err := checkBrowsable(args.URL); err != nil {
		return nil, fmt.Errorf("authorization server: %w", err)
	}
	redirected, err := s.config.Authorize(ctx, args.URL)
	if err != nil {
		return nil, fmt.Errorf("OAuth.Authorize: %w", err)
	}
	u, err := url.Parse(redirected)
	if err != nil {
		return nil, errors.New("OAuth.Authorize returned what is not the URL of a redirect")
	}
	query := u.Query()
	if reason := query.Get("error"); reason != "" {
		return nil, fmt.Errorf("the authorization server refused the login: %s %s", clean(reason, 80), clean(query.Get("error_description"), 300))
	}
	if query.Get("code") == "" {
		return nil, errors.New("OAuth.Authorize returned a URL without a code")
	}
	return &auth.AuthorizationResult{Code: query.Get("code"), State: query.Get("state"), Iss: query.Get("iss")}, nil
}
