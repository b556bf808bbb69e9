package mcpclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/conductor/conductor/internal/filelock"
)

// Token is what is kept of a login: enough to use it and to renew it. It prints
// without its secrets; its JSON has them.
type Token struct {
	AccessToken  string    `json:"access_token"`
	TokenType    string    `json:"token_type,omitempty"`
	RefreshToken string    `json:"refresh_token,omitempty"`
	Expiry       time.Time `json:"expiry,omitzero"` // zero: it is not known to expire

	// The client that the token was given to, and where to renew it.
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret,omitempty"`
	TokenURL     string   `json:"token_url"`
	AuthStyle    int      `json:"auth_style,omitempty"` // as in golang.org/x/oauth2
	Scopes       []string `json:"scopes,omitempty"`
}

func (t *Token) set(token *oauth2.Token) {
	t.AccessToken, t.TokenType, t.Expiry = token.AccessToken, token.TokenType, token.Expiry
	if token.RefreshToken != "" {
		t.RefreshToken = token.RefreshToken
	}
}

func (t *Token) oauth2() *oauth2.Token {
	return &oauth2.Token{AccessToken: t.AccessToken, TokenType: t.TokenType, RefreshToken: t.RefreshToken, Expiry: t.Expiry}
}

func (t *Token) config() *oauth2.Config {
	return &oauth2.Config{
		ClientID: t.ClientID, ClientSecret: t.ClientSecret, Scopes: t.Scopes,
		Endpoint: oauth2.Endpoint{TokenURL: t.TokenURL, AuthStyle: oauth2.AuthStyle(t.AuthStyle)},
	}
}

// TokenStore keeps tokens. It is used by many goroutines, and by several processes
// if they share one. What it holds are credentials.
type TokenStore interface {
	// Load returns the token with this key, and nil without an error if there is
	// none. The token is the caller's.
	Load(ctx context.Context, key string) (*Token, error)
	// Save stores a token in place of the one with this key. Keys are printable
	// texts that name a server.
	Save(ctx context.Context, key string, t *Token) error
	// Delete forgets the token with this key; that there is none is no error.
	Delete(ctx context.Context, key string) error
}

// Logout forgets the token that [OAuth.Store] has for the server. It is no error if
// there is none.
func (s *Server) Logout(ctx context.Context) error {
	if s.OAuth == nil || s.OAuth.Store == nil {
		return nil
	}
	return s.OAuth.Store.Delete(ctx, tokenKey(s))
}

// MemoryTokens keeps tokens until the process ends. The zero value is empty.
type MemoryTokens struct {
	mu     sync.Mutex
	tokens map[string]Token
}

// Load implements [TokenStore].
func (m *MemoryTokens) Load(_ context.Context, key string) (*Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.tokens[key]; ok {
		return &t, nil
	}
	return nil, nil
}

// Save implements [TokenStore].
func (m *MemoryTokens) Save(_ context.Context, key string, t *Token) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tokens == nil {
		m.tokens = map[string]Token{}
	}
	m.tokens[key] = *t
	return nil
}

// Delete implements [TokenStore].
func (m *MemoryTokens) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.tokens, key)
	return nil
}

// FileTokens keeps tokens in a file that only its owner can read. It is safe for
// several processes. Whoever can read the file, or a backup of it, has the tokens.
type FileTokens struct {
	// Path is the file; it and its folder are made when they are needed.
	Path string
}

// maxTokenFile bounds the file.
const maxTokenFile = 4 << 20

// Load implements [TokenStore].
func (f *FileTokens) Load(_ context.Context, key string) (*Token, error) {
	tokens, err := f.read()
	if err != nil {
		return nil, err
	}
	if t, ok := tokens[key]; ok {
		return &t, nil
	}
	return nil, nil
}

// Save implements [TokenStore].
func (f *FileTokens) Save(ctx context.Context, key string, t *Token) error {
	return f.change(ctx, func(tokens map[string]Token) { tokens[key] = *t })
}

// Delete implements [TokenStore].
func (f *FileTokens) Delete(ctx context.Context, key string) error {
	return f.change(ctx, func(tokens map[string]Token) { delete(tokens, key) })
}

func (f *FileTokens) read() (map[string]Token, error) {
	info, err := os.Stat(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return map[string]Token{}, nil
	case err != nil:
		return nil, fmt.Errorf("token file: %w", err)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("token file %s can be read by others (mode %04o): run chmod 600 on it, and log in anew if it was", f.Path, info.Mode().Perm())
	case info.Size() > maxTokenFile:
		return nil, fmt.Errorf("token file %s is larger than %d bytes", f.Path, maxTokenFile)
	}
	data, err := os.ReadFile(f.Path)
	if err != nil {
		return nil, fmt.Errorf("token file: %w", err)
	}
	tokens := map[string]Token{}
	if err := json.Unmarshal(data, &tokens); err != nil {
		return nil, fmt.Errorf("token file %s is damaged (%w): remove it, and log in anew", f.Path, err)
	}
	return tokens, nil
}

// change replaces the file, so that nobody reads half of it.
func (f *FileTokens) change(ctx context.Context, change func(map[string]Token)) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	unlock, err := filelock.Lock(ctx, f.Path+".lock")
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	defer unlock()
	tokens, err := f.read()
	if err != nil {
		return err
	}
	changed := maps.Clone(tokens)
	change(changed)
	data, err := json.MarshalIndent(changed, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(f.Path), ".tokens-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("token file: %w", err)
	}
	_, err = temp.Write(append(data, '\n'))
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), f.Path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
		return fmt.Errorf("token file: %w", err)
	}
	return nil
}
