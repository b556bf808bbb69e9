package mcpclient

import (
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
)

// withDefaults returns a copy of o with every field set.
func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.ConnectTimeout == 0 {
		out.ConnectTimeout = defaultConnectTimeout
	}
	if out.CallTimeout == 0 {
		out.CallTimeout = defaultCallTimeout
	}
	if out.StartupWait == 0 {
		out.StartupWait = defaultStartupWait
	}
	if out.MaxTools == 0 {
		out.MaxTools = defaultMaxTools
	}
	if out.Logger == nil {
		out.Logger = slog.New(slog.DiscardHandler)
	}
	if out.ClientName == "" {
		out.ClientName = "conductor"
	}
	if out.ClientVersion == "" {
		out.ClientVersion = Version
	}
	return out
}

// validate returns all that is wrong with the configuration.
func validate(servers []Server, opts *Options) error {
	var problems []error
	if opts != nil && (opts.ConnectTimeout < 0 || opts.CallTimeout < 0 || opts.MaxTools < 0) {
		problems = append(problems, errors.New("options: ConnectTimeout, CallTimeout and MaxTools must not be negative"))
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
	switch len(ways) {
	case 0:
		add("none of Command, URL and Transport is set; set one")
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
	if s.ConnectTimeout < 0 || s.CallTimeout < 0 {
		add("ConnectTimeout and CallTimeout must not be negative")
	}
	return found
}

// resolved returns a copy of s that shares nothing with the caller, with the
// type and the timeouts set.
func (s Server) resolved(o *Options) Server {
	s.Args = slices.Clone(s.Args)
	s.Env = maps.Clone(s.Env)
	s.Header = s.Header.Clone()
	switch {
	case s.Transport != nil:
		s.Type = "custom"
	case s.Command != "":
		s.Type = TypeStdio
	case s.Type == "":
		s.Type = TypeHTTP
	}
	if s.ConnectTimeout == 0 {
		s.ConnectTimeout = o.ConnectTimeout
	}
	if s.CallTimeout == 0 {
		s.CallTimeout = o.CallTimeout
	}
	return s
}
