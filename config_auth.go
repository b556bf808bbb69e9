package conductor

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/conductor/conductor/mcpclient"
)

var (
	oauthKeys = []string{"client_id", "client_secret", "client_metadata_url", "client_credentials", "scopes"}
	tlsKeys   = []string{"ca_file", "cert_file", "key_file", "server_name", "insecure_accept_any_certificate"}
)

// oauth reads how to get tokens: true for a login with nothing set, or an object.
func (r *configReader) oauth(path string, raw json.RawMessage) *mcpclient.OAuth {
	if kindOf(raw) == "a boolean" {
		if r.boolean(path, raw) {
			return &mcpclient.OAuth{}
		}
		return nil
	}
	if kindOf(raw) != "an object" {
		r.wrongKind(path, raw, "true, or an object")
		return nil
	}
	o := &mcpclient.OAuth{}
	fields, _ := r.object(path, raw, oauthKeys)
	for _, f := range fields {
		at := join(path, f.key)
		switch f.key {
		case "client_id":
			o.ClientID = r.expanded(at, f.value)
		case "client_secret":
			o.ClientSecret = r.expanded(at, f.value)
		case "client_metadata_url":
			o.ClientMetadataURL = r.expanded(at, f.value)
		case "client_credentials":
			o.ClientCredentials = r.boolean(at, f.value)
		case "scopes":
			o.Scopes = r.list(at, f.value)
		}
	}
	switch {
	case r.verbatim:
	case o.ClientCredentials && (o.ClientID == "" || o.ClientSecret == ""):
		r.problem(join(path, "client_credentials"), "needs client_id and client_secret")
	case o.ClientSecret != "" && o.ClientID == "":
		r.problem(join(path, "client_secret"), "needs client_id")
	}
	return o
}

func (r *configReader) tls(path string, raw json.RawMessage) *mcpclient.TLS {
	t := &mcpclient.TLS{}
	fields, _ := r.object(path, raw, tlsKeys)
	for _, f := range fields {
		at := join(path, f.key)
		switch f.key {
		case "ca_file":
			t.CAFile = r.fromDir(r.expanded(at, f.value))
		case "cert_file":
			t.CertFile = r.fromDir(r.expanded(at, f.value))
		case "key_file":
			t.KeyFile = r.fromDir(r.expanded(at, f.value))
		case "server_name":
			t.ServerName = r.expanded(at, f.value)
		case "insecure_accept_any_certificate":
			t.InsecureAcceptAnyCertificate = r.boolean(at, f.value)
		}
	}
	if (t.CertFile == "") != (t.KeyFile == "") {
		r.problem(path, "cert_file and key_file need each other")
	}
	return t
}

// roots reads folders, and makes the URIs of them that MCP wants.
func (r *configReader) roots(path string, raw json.RawMessage) []mcpclient.Root {
	var roots []mcpclient.Root
	for _, folder := range r.list(path, raw) {
		slashed := filepath.ToSlash(r.fromDir(folder))
		if filepath.VolumeName(folder) != "" { // file:///C:/docs
			slashed = "/" + slashed
		}
		u := url.URL{Scheme: "file", Path: slashed}
		roots = append(roots, mcpclient.Root{URI: u.String(), Name: filepath.Base(folder)})
	}
	return roots
}

func (r *configReader) logLevel(path string, raw json.RawMessage) mcpclient.LogLevel {
	text, ok := r.text(path, raw)
	level := mcpclient.LogLevel(text)
	if ok && !slices.Contains(mcpclient.LogLevels, level) {
		r.problem(path, "%q is not a level; want one of %s", text, mcpclient.LogLevels)
	}
	return level
}

// keepTokens gives the servers that need a login the file where the tokens are.
func (r *configReader) keepTokens(options *Options) {
	file := r.tokens
	if file == "" {
		if dir, err := os.UserConfigDir(); err == nil {
			file = filepath.Join(dir, "conductor", "tokens.json")
		}
	}
	for _, s := range options.Servers {
		switch {
		case s.OAuth == nil || s.Disabled || s.OAuth.ClientCredentials:
		case file == "":
			r.problem("conductor.tokens", "is not there, and the system has no folder for it; want the path of a file for the tokens of logins")
			return
		default:
			s.OAuth.Store = &mcpclient.FileTokens{Path: file}
		}
	}
}
