package mcpclient

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
)

// minSecret is the least length of what is taken for a secret, in bytes: what is shorter
// is a word like "1" or "json".
const minSecret = 6

// secrets are what must not appear in a text about one server. Servers echo what they
// were sent, and write what they were started with. Nil has none.
type secrets struct {
	configured []string
	auth       *authorizer // nil without tokens
}

func newSecrets(s *Server, auth *authorizer) *secrets {
	var found []string
	add := func(values ...string) { found = append(found, values...) }
	for _, value := range s.Env {
		add(value)
		add(strings.FieldsFunc(value, func(r rune) bool { return r == '\n' || r == '\r' })...) // stderr is logged line by line
	}
	for _, values := range s.Header {
		for _, value := range values {
			add(value)
			if _, token, ok := strings.Cut(value, " "); ok { // "Bearer x"
				add(token)
			}
		}
	}
	if u, err := url.Parse(s.URL); err == nil {
		for _, values := range u.Query() {
			add(values...)
		}
		for pair := range strings.SplitSeq(u.RawQuery, "&") {
			_, escaped, _ := strings.Cut(pair, "=")
			add(escaped)
		}
		name := u.User.Username()
		password, _ := u.User.Password()
		add(name, password, base64.StdEncoding.EncodeToString([]byte(name+":"+password)))
	}
	return &secrets{configured: found, auth: auth}
}

func (s *secrets) all() []string {
	switch {
	case s == nil:
		return nil
	case s.auth == nil:
		return s.configured
	}
	return slices.Concat(s.configured, s.auth.secrets())
}

// hide takes the secrets out of a text.
func (s *secrets) hide(text string) string { return redact(text, s.all()) }

// hideTail is hide for a text whose beginning was cut off, maybe within a secret.
func (s *secrets) hideTail(text string) string {
	all := s.all()
	longest := 0
	for _, secret := range all {
		for from := 1; from <= len(secret)-minSecret; from++ {
			if strings.HasPrefix(text, secret[from:]) {
				longest = max(longest, len(secret)-from)
				break
			}
		}
	}
	return redact(text[longest:], all)
}

// redact takes secrets out of a text, the longest first: one may be a part of another.
func redact(text string, secrets []string) string {
	secrets = slices.DeleteFunc(slices.Clone(secrets), func(secret string) bool { return len(secret) < minSecret })
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	pairs := make([]string, 0, 2*len(secrets))
	for _, secret := range secrets {
		pairs = append(pairs, secret, "[redacted]")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// readable makes err fit for people and logs: text that came from a server is
// bounded and stripped of control characters and secrets, URLs lose their query.
func (s *secrets) readable(err error) error {
	return &plain{clean(s.hide(withoutQuery(err)), 1024), err}
}

// unreachable explains a failure of HTTP.
func (s *secrets) unreachable(err error) error {
	if isRefused(err) {
		return fmt.Errorf("nothing accepts connections there; check Server.URL and whether the server runs: %w", s.readable(err))
	}
	return s.readable(err)
}

// protocolError makes a server's error fit to show.
func (s *secrets) protocolError(err *jsonrpc.Error) *ProtocolError {
	return &ProtocolError{Code: err.Code, Message: clean(s.hide(err.Message), 2000)}
}

// withoutQuery returns the text of err without the query and the user of its URL.
func withoutQuery(err error) string {
	msg := err.Error()
	var ue *url.Error
	if errors.As(err, &ue) {
		if u, perr := url.Parse(ue.URL); perr == nil && (u.RawQuery != "" || u.User != nil) {
			msg = strings.ReplaceAll(msg, ue.URL, bare(u).String())
		}
	}
	return msg
}

// latest keeps the last few of the secrets that come and go, such as tokens: what was
// sent a moment ago may come back now. It is safe for concurrent use.
type latest struct {
	mu     sync.Mutex
	values []string
}

// maxLatest is how many.
const maxLatest = 16

// add reports whether the value is new.
func (l *latest) add(value string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if value == "" || slices.Contains(l.values, value) {
		return false
	}
	l.values = append(l.values, value)
	if over := len(l.values) - maxLatest; over > 0 {
		l.values = slices.Delete(l.values, 0, over)
	}
	return true
}

func (l *latest) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.values)
}
