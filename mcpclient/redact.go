package mcpclient

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// What holds secrets prints without them, whatever the verb: options end up in logs.

// Format implements [fmt.Formatter]: of a server's environment, headers and
// credentials it prints the names only, and of arguments their number.
func (s Server) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.describe()) }

// LogValue implements [slog.LogValuer].
func (s Server) LogValue() slog.Value { return slog.StringValue(s.describe()) }

func (s Server) describe() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mcpclient.Server{Name: %q", s.Name)
	if s.Command != "" {
		fmt.Fprintf(&b, ", Command: %q, Args: %d", s.Command, len(s.Args))
	}
	if len(s.Env) > 0 {
		fmt.Fprintf(&b, ", Env: %s", strings.Join(slices.Sorted(maps.Keys(s.Env)), " "))
	}
	if u, err := url.Parse(s.URL); err == nil && s.URL != "" {
		fmt.Fprintf(&b, ", URL: %q", bare(u).String())
	}
	if len(s.Header) > 0 {
		fmt.Fprintf(&b, ", Header: %s", strings.Join(slices.Sorted(maps.Keys(s.Header)), " "))
	}
	if s.Bearer != nil {
		b.WriteString(", Bearer: set")
	}
	if s.OAuth != nil {
		b.WriteString(", OAuth: " + s.OAuth.describe())
	}
	if s.Type != "" {
		fmt.Fprintf(&b, ", Type: %q", s.Type)
	}
	if s.Disabled {
		b.WriteString(", Disabled: true")
	}
	b.WriteString("}")
	return b.String()
}

// Format implements [fmt.Formatter]; it prints no secret.
func (o OAuth) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, o.describe()) }

// LogValue implements [slog.LogValuer].
func (o OAuth) LogValue() slog.Value { return slog.StringValue(o.describe()) }

func (o OAuth) describe() string {
	secret := "not set"
	if o.ClientSecret != "" {
		secret = "set"
	}
	return fmt.Sprintf("mcpclient.OAuth{ClientID: %q, ClientSecret: %s, ClientCredentials: %t, Scopes: %q}",
		o.ClientID, secret, o.ClientCredentials, o.Scopes)
}

// Format implements [fmt.Formatter]; it prints no secret.
func (t Token) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.describe()) }

// LogValue implements [slog.LogValuer].
func (t Token) LogValue() slog.Value { return slog.StringValue(t.describe()) }

func (t Token) describe() string {
	return fmt.Sprintf("mcpclient.Token{ClientID: %q, Expiry: %s, Scopes: %q}", t.ClientID, t.Expiry.Format("2006-01-02T15:04:05Z07:00"), t.Scopes)
}
