package conductor_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/mcpclient"
)

func TestReadConfigAuth(t *testing.T) {
	t.Setenv("CONFIG_TEST_SECRET", "s3cret")
	path := writeConfig(t, `{
		"mcpServers": {
			"mine": {"url": "https://example.org/mcp", "oauth": true},
			"open": {"url": "https://example.org/mcp", "oauth": false},
			"machine": {"url": "https://example.org/mcp", "oauth": {"client_id": "me", "client_secret": "${CONFIG_TEST_SECRET}",
				"client_credentials": true, "scopes": ["read"], "client_metadata_url": "https://example.com/me.json"},
				"tls": {"ca_file": "ca.pem", "cert_file": "me.pem", "key_file": "/me.key", "server_name": "x", "insecure_accept_any_certificate": true}},
			"files": {"command": "x", "roots": ["docs", "/a b"], "log_level": "warning"}
		},
		"conductor": {"tokens": "t.json"}
	}`)
	options, err := conductor.ReadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	want := []mcpclient.Server{
		{Name: "mine", URL: "https://example.org/mcp", OAuth: &mcpclient.OAuth{Store: &mcpclient.FileTokens{Path: filepath.Join(dir, "t.json")}}},
		{Name: "open", URL: "https://example.org/mcp"},
		{
			Name: "machine", URL: "https://example.org/mcp",
			OAuth: &mcpclient.OAuth{ClientID: "me", ClientSecret: "s3cret", ClientCredentials: true, Scopes: []string{"read"}, ClientMetadataURL: "https://example.com/me.json"},
			TLS:   &mcpclient.TLS{CAFile: filepath.Join(dir, "ca.pem"), CertFile: filepath.Join(dir, "me.pem"), KeyFile: "/me.key", ServerName: "x", InsecureAcceptAnyCertificate: true},
		},
		{Name: "files", Command: "x", LogLevel: mcpclient.LogWarning, Roots: []mcpclient.Root{{URI: "file://" + dir + "/docs", Name: "docs"}, {URI: "file:///a%20b", Name: "a b"}}},
	}
	if diff := cmp.Diff(want, options.Servers); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}

	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	options, err = conductor.ReadConfig(writeConfig(t, server(`{"url": "https://example.org/mcp", "oauth": {}}`)))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.UserConfigDir()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&mcpclient.FileTokens{Path: filepath.Join(config, "conductor", "tokens.json")}, options.Servers[0].OAuth.Store); diff != "" {
		t.Errorf("store (-want +got):\n%s", diff)
	}
}

func TestReadConfigAuthErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no url":            {`{"command": "x", "oauth": true}`, "mcpServers.github.oauth: needs a url"},
		"tls without url":   {`{"command": "x", "tls": {}}`, "mcpServers.github.tls: needs a url"},
		"tls without https": {`{"url": "http://x/", "tls": {}}`, "mcpServers.github.tls: needs a url with https://"},
		"half a pair":       {`{"url": "https://x/", "tls": {"cert_file": "a"}}`, "mcpServers.github.tls: cert_file and key_file need each other"},
		"two ways":          {`{"url": "https://x/", "oauth": true, "headers": {"authorization": "x"}}`, "mcpServers.github.oauth: is of no use beside the header Authorization; want one of them"},
		"wrong kind":        {`{"url": "https://x/", "oauth": "yes"}`, "mcpServers.github.oauth: is a string; want true, or an object"},
		"no client":         {`{"url": "https://x/", "oauth": {"client_credentials": true}}`, "mcpServers.github.oauth.client_credentials: needs client_id and client_secret"},
		"secret alone":      {`{"url": "https://x/", "oauth": {"client_secret": "x"}}`, "mcpServers.github.oauth.client_secret: needs client_id"},
		"level":             {`{"command": "x", "log_level": "loud"}`, `mcpServers.github.log_level: "loud" is not a level; want one of [debug info notice warning error critical alert emergency]`},
	} {
		t.Run(name, func(t *testing.T) {
			path := writeConfig(t, server(test.text))
			_, err := conductor.ReadConfig(path)
			if diff := cmp.Diff(path+": "+test.want, fmt.Sprint(err)); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
}
