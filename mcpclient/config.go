package mcpclient

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The defaults of Options.
const (
	defaultConnectTimeout = 30 * time.Second
	defaultStartupWait    = 10 * time.Second
	defaultCallTimeout    = 2 * time.Minute
	defaultMaxTools       = 5000
	defaultMinBackoff     = time.Second
	defaultMaxBackoff     = 5 * time.Minute
	defaultHealth         = time.Minute
	defaultRelist         = 15 * time.Minute
	defaultConcurrency    = 32
)

// withDefaults returns a copy of o with every field set.
func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	out.ConnectTimeout = cmp.Or(out.ConnectTimeout, defaultConnectTimeout)
	out.CallTimeout = cmp.Or(out.CallTimeout, defaultCallTimeout)
	out.StartupWait = cmp.Or(out.StartupWait, defaultStartupWait)
	out.MaxTools = cmp.Or(out.MaxTools, defaultMaxTools)
	out.MinBackoff = cmp.Or(out.MinBackoff, defaultMinBackoff)
	out.MaxBackoff = max(cmp.Or(out.MaxBackoff, defaultMaxBackoff), out.MinBackoff)
	out.HealthInterval = cmp.Or(out.HealthInterval, defaultHealth)
	out.RelistInterval = cmp.Or(out.RelistInterval, defaultRelist)
	out.MaxConcurrency = cmp.Or(out.MaxConcurrency, defaultConcurrency)
	out.MaxResultBytes = min(cmp.Or(out.MaxResultBytes, maxMessage), maxMessage)
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	out.ClientName = cmp.Or(out.ClientName, "conductor")
	out.ClientVersion = cmp.Or(out.ClientVersion, Version)
	return out
}

// validate returns all that is wrong with the configuration.
func validate(servers []Server, opts *Options) error {
	var problems []error
	if opts != nil && min(opts.ConnectTimeout, opts.CallTimeout, opts.MaxCallTimeout, opts.MinBackoff, opts.MaxBackoff) < 0 {
		problems = append(problems, errors.New("options: ConnectTimeout, CallTimeout, MaxCallTimeout, MinBackoff and MaxBackoff must not be negative"))
	}
	if opts != nil && min(opts.MaxTools, opts.MaxConcurrency, opts.MaxResultBytes) < 0 {
		problems = append(problems, errors.New("options: MaxTools, MaxConcurrency and MaxResultBytes must not be negative"))
	}
	seen := map[string]bool{}
	for i := range servers {
		s := &servers[i]
		label := fmt.Sprintf("server %q", s.Name)
		switch {
		case s.Name == "":
			label = fmt.Sprintf("server number %d", i+1)
			problems = append(problems, fmt.Errorf("%s: Name is empty", label))
		case seen[s.Name]:
			problems = append(problems, fmt.Errorf("%s: Name is used twice", label))
		}
		seen[s.Name] = true
		for _, problem := range s.problems() {
			problems = append(problems, fmt.Errorf("%s: %s", label, problem))
		}
	}
	return errors.Join(problems...)
}

// problems returns what is wrong with one server, each starting with the field.
func (s *Server) problems() []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }

	var ways []string
	if s.Command != "" {
		ways = append(ways, "Command")
	}
	if s.URL != "" {
		ways = append(ways, "URL")
	}
	if s.Transport != nil {
		ways = append(ways, "Transport")
	}
	if s.Dial != nil {
		ways = append(ways, "Dial")
	}
	switch len(ways) {
	case 0:
		add("none of Command, URL, Transport and Dial is set; set one")
	case 1:
	default:
		add("%s are set; set one of them", strings.Join(ways, " and "))
	}
	if s.Command == "" && (len(s.Args) > 0 || len(s.Env) > 0 || s.Dir != "") {
		add("Args, Env and Dir need Command")
	}
	if s.URL == "" && len(s.Header) > 0 {
		add("Header needs URL")
	}
	for _, problem := range s.authProblems() {
		add("%s", problem)
	}
	if s.URL != "" {
		// The text of the URL and of the parser's error may hold a password.
		switch u, err := url.Parse(s.URL); {
		case err != nil:
			add("URL cannot be parsed")
		case u.Scheme != "http" && u.Scheme != "https":
			add("URL must start with http:// or https://")
		case u.Hostname() == "":
			add("URL has no host")
		}
	}
	switch s.Type {
	case "":
	case TypeStdio:
		if s.Command == "" {
			add("Type %q needs Command", s.Type)
		}
	case TypeHTTP, TypeSSE:
		if s.URL == "" {
			add("Type %q needs URL", s.Type)
		}
	default:
		add("Type %q is unknown; use %q, %q, %q or leave it empty", s.Type, TypeStdio, TypeHTTP, TypeSSE)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(s.Env[name], 0) {
			add("Env has the invalid variable %q", name)
		}
	}
	if min(s.ConnectTimeout, s.CallTimeout, s.MaxCallTimeout) < 0 || s.MaxConcurrency < 0 {
		add("ConnectTimeout, CallTimeout, MaxCallTimeout and MaxConcurrency must not be negative")
	}
	switch s.Sharing {
	case "", SharingShared:
		if s.MaxConnections != 0 || s.IdleTimeout != 0 {
			add("MaxConnections and IdleTimeout need Sharing %q", SharingPerConversation)
		}
	case SharingPerConversation:
		if s.once() {
			add("Sharing %q needs a Transport for each connection; set Dial", s.Sharing)
		}
		if s.MaxConnections < 0 || s.IdleTimeout < 0 {
			add("MaxConnections and IdleTimeout must not be negative")
		}
	default:
		add("Sharing %q is unknown; use %q, %q or leave it empty", s.Sharing, SharingShared, SharingPerConversation)
	}
	return found
}

// authProblems returns what is wrong with the credentials, TLS, roots and the level
// of logs.
func (s *Server) authProblems() []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if s.URL == "" && (s.Bearer != nil || s.OAuth != nil || s.TLS != nil) {
		add("Bearer, OAuth and TLS need URL")
	}
	switch {
	case s.Bearer != nil && s.OAuth != nil:
		add("Bearer and OAuth are set; set one of them")
	case (s.Bearer != nil || s.OAuth != nil) && len(s.Header.Values("Authorization")) > 0:
		add("Header has Authorization, which Bearer and OAuth are for; set one of them")
	}
	if s.OAuth != nil {
		found = append(found, s.OAuth.problems()...)
	}
	if s.TLS != nil {
		if problem := s.TLS.problem(); problem != "" {
			add("TLS: %s", problem)
		}
		if strings.HasPrefix(s.URL, "http://") {
			add("TLS needs a URL with https://")
		}
	}
	for _, root := range s.Roots {
		if u, err := url.Parse(root.URI); err != nil || u.Scheme != "file" || !strings.HasPrefix(u.Path, "/") {
			add("Roots: %q is not file:///path", root.URI)
		}
	}
	if _, known := slogLevels[s.LogLevel]; !known && s.LogLevel != "" {
		add("LogLevel %q is unknown; use debug, info, notice, warning, error, critical, alert or emergency", s.LogLevel)
	}
	return found
}

// resolved returns a copy of s that shares nothing with the caller, with the
// type and the timeouts set.
func (s Server) resolved(o *Options) Server {
	s.Args = slices.Clone(s.Args)
	s.Env = maps.Clone(s.Env)
	s.Header = s.Header.Clone()
	s.Roots = slices.Clone(s.Roots)
	if s.TLS != nil {
		own := *s.TLS
		s.TLS = &own
	}
	if s.OAuth != nil {
		own := *s.OAuth
		own.Scopes = slices.Clone(own.Scopes)
		if own.Store == nil {
			own.Store = &MemoryTokens{}
		}
		s.OAuth = &own
	}
	switch {
	case s.Transport != nil, s.Dial != nil:
		s.Type = "custom"
	case s.Command != "":
		s.Type = TypeStdio
	case s.Type == "":
		s.Type = TypeHTTP
	}
	s.ConnectTimeout = cmp.Or(s.ConnectTimeout, o.ConnectTimeout)
	s.CallTimeout = cmp.Or(s.CallTimeout, o.CallTimeout)
	s.MaxCallTimeout = cmp.Or(s.MaxCallTimeout, o.MaxCallTimeout)
	s.MaxConcurrency = cmp.Or(s.MaxConcurrency, o.MaxConcurrency)
	s.MaxConnections = cmp.Or(s.MaxConnections, defaultMaxConnections)
	s.IdleTimeout = cmp.Or(s.IdleTimeout, defaultIdleTimeout)
	return s
}
