package conductor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/mcpclient"
)

// maxConfig is how many bytes a configuration file may have.
const maxConfig = 1 << 20

// ReadConfig reads a configuration file: the JSON that users of MCP have already,
// with a section for Conductor. All of it but mcpServers is optional:
//
//	{
//	  "mcpServers": {
//	    "files":  {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "${HOME}/docs"],
//	               "env": {"DEBUG": "${DEBUG:-0}"}, "cwd": "."},
//	    "remote": {"url": "https://mcp.example.com/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"},
//	               "tls": {"ca_file": "ca.pem", "cert_file": "me.pem", "key_file": "me.key", "server_name": "mcp.example.com"}},
//	    "mine":   {"url": "https://mcp.example.org/mcp", "oauth": true}, // after "conductor login mine"
//	    "machine": {"url": "https://mcp.example.org/mcp", "oauth": {"client_id": "me", "client_secret": "${SECRET}",
//	               "client_credentials": true, "scopes": ["read"]}},
//	    "old":    {"url": "https://mcp.example.com/sse", "type": "sse", "disabled": true}
//	  },
//	  "conductor": {
//	    "deno": "/opt/deno",       // the deno executable
//	    "timeout": "30s",          // of a program, at most 5m
//	    "memory_mb": 256,          // of a program's heap
//	    "connect_timeout": "30s",  // of each server
//	    "call_timeout": "2m",      // of each tool call
//	    "max_output": 262144,      // bytes of stdout, and of stderr, of a program
//	    "max_value": 1048576,      // bytes of a program's value
//	    "isolation": "require",    // refuse to run without layers of the operating system
//	    "workspace": "work",       // a folder for programs to read and write, or else
//	    "workspaces": {"dir": "work", "max_mb": 100, "max_files": 1000}, // one for each conversation
//	    "permissions": {"net": ["api.example.com:443"], "read": [], "write": [], "env": [],
//	                    "run": [], "ffi": [], "sys": [], "import": []},
//	    "dependencies": ["npm:zod@^3"], // packages that programs may import
//	    "type_check": "enforce",   // or report, or off; enforced if TypeScript is to be had
//	    "store": "conversations",  // a folder, or a URL such as redis://localhost:6379/0
//	    "keep_conversations": "720h", // after the last change
//	    "policy": {"allow": ["github.*"], "deny": ["*.delete_*"]}, // tools, see [Policy]
//	    "audit": {"file": "calls.jsonl", "arguments": false},      // a line for each call
//	    "embedding": {"url": "https://api.openai.com/v1", "model": "text-embedding-3-small",
//	                  "key": "${OPENAI_API_KEY}"}, // a service for the search; see [catalog.Service]
//	    "learning": true,          // the search learns from successful calls
//	    "tokens": "tokens.json"    // of logins; else a file in the user's folder for configuration
//	  }
//	}
//
// (A real file has no comments.) Permissions are for every program; see
// [sandbox.Permissions], and think twice. The type of a server is stdio, http,
// streamable-http (the same as http), or sse; without it, it is stdio with a
// command and http with a url. A server may also have "roots", folders that it is told
// it may use, "log_level", and connect_timeout, call_timeout, max_call_timeout,
// max_concurrency, sharing ("shared" or "per-conversation"), max_connections and
// idle_timeout; see [mcpclient.Server]. Servers keep the file's order. A relative cwd,
// root, file of tls, workspace, store, dir, tokens or audit file, and a relative deno
// with a separator in it, start at the file's folder. A key "$schema" beside mcpServers
// is ignored.
//
// In command, args, cwd, url, roots, tls, the texts of oauth, tokens, deno, workspace,
// store, dir, the audit's file, the lists of
// permissions, policy and dependencies, and the values of env and headers, ${NAME} is
// the environment variable NAME, which must be set, and ${NAME:-default} has a
// default for one that is not set or empty. $${ stands for the characters ${; a $
// elsewhere stands for itself. In a disabled server nothing is replaced.
//
// The error names the file, and for each thing that is wrong (there may be
// several, joined) the key and what was expected. It never holds the value of a
// variable.
func ReadConfig(path string) (*Options, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("configuration: %w", err)
	}
	r := &configReader{file: path, dir: filepath.Dir(absolute)}
	options := r.root(bytes.TrimPrefix(data, []byte("\uFEFF")))
	if len(r.problems) > 0 {
		return nil, errors.Join(r.problems...)
	}
	return options, nil
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(data) > maxConfig {
		err = fmt.Errorf("%s: larger than %d bytes", path, maxConfig)
	}
	return data, err
}

// The keys, as they are listed in errors.
var (
	rootKeys   = []string{"mcpServers", "conductor"}
	serverKeys = []string{
		"command", "args", "env", "cwd", "url", "headers", "oauth", "tls", "type", "roots", "log_level", "disabled",
	}
	conductorKeys = []string{
		"deno", "timeout", "memory_mb", "connect_timeout", "call_timeout", "max_output", "max_value",
		"isolation", "workspace", "permissions", "dependencies", "type_check", "store", "keep_conversations",
		"policy", "audit", "workspaces", "tokens", "embedding", "learning",
	}
	permissionKeys = []string{"net", "read", "write", "env", "run", "ffi", "sys", "import"}
)

// otherNames are keys of other clients' files, by what they are called here.
var otherNames = map[string]string{
	"servers": "mcpServers", "mcp_servers": "mcpServers", "serverUrl": "url", "httpUrl": "url", "endpoint": "url",
	"transport": "type", "transportType": "type", "environment": "env", "workingDirectory": "cwd", "workdir": "cwd",
	"dir": "cwd", "httpHeaders": "headers", "arguments": "args", "enabled": "disabled", "memory": "memory_mb",
}

// A configReader collects everything that is wrong with a file.
type configReader struct {
	file, dir string
	verbatim  bool // leave ${…} alone
	tokens    string
	problems  []error
}

// problem notes what is wrong with the value at a path of keys.
func (r *configReader) problem(path, format string, args ...any) {
	if path != "" {
		path += ": "
	}
	r.problems = append(r.problems, fmt.Errorf("%s: %s%s", r.file, path, fmt.Sprintf(format, args...)))
}

func (r *configReader) root(data []byte) *Options {
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		r.syntax(data, err)
		return nil
	}
	options := &Options{}
	fields, ok := r.object("", whole, append([]string{"$schema"}, rootKeys...))
	if !ok {
		return nil
	}
	if !slices.ContainsFunc(fields, func(f field) bool { return f.key == "mcpServers" }) {
		r.problem("mcpServers", `is not there; want an object of servers, such as {"mcpServers": {"files": {"command": "npx", "args": […]}}}`)
	}
	for _, f := range fields {
		switch f.key {
		case "mcpServers":
			r.servers(f.key, f.value, options)
		case "conductor":
			r.conductor(f.key, f.value, options)
		}
	}
	r.keepTokens(options)
	return options
}

// syntax reports what is not JSON, where people can find it.
func (r *configReader) syntax(data []byte, err error) {
	var syntax *json.SyntaxError
	if !errors.As(err, &syntax) {
		r.problem("", "%v", err)
		return
	}
	// The offset counts the bytes read, the last of which is the wrong one.
	before := data[:min(max(syntax.Offset-1, 0), int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len([]rune(string(before[bytes.LastIndexByte(before, '\n')+1:]))) + 1
	if len(bytes.TrimSpace(data)) == 0 {
		r.problem("", `the file is empty; want at least {"mcpServers": {}}`)
		return
	}
	hint := ""
	switch rest := data[len(before):]; {
	case bytes.HasPrefix(rest, []byte("//")), bytes.HasPrefix(rest, []byte("/*")):
		hint = "; JSON has no comments"
	case len(rest) > 0 && (rest[0] == '}' || rest[0] == ']'):
		hint = "; is there a comma after the last entry?"
	}
	r.problem(fmt.Sprintf("line %d, column %d", line, column), "%v%s", err, hint)
}

func (r *configReader) servers(path string, raw json.RawMessage, options *Options) {
	fields, ok := r.object(path, raw, nil)
	if !ok {
		return
	}
	modules := map[string]string{}
	for _, f := range fields {
		at := join(path, f.key)
		switch module := codegen.ModulePath(f.key); {
		case f.key == "" || strings.ContainsFunc(f.key, func(c rune) bool { return !unicode.IsPrint(c) }):
			r.problem(at, "a server needs a name of printable characters")
		case modules[module] != "":
			r.problem(at, "programs would import this server and %q as the same module %s; rename one", modules[module], module)
		default:
			modules[module] = f.key
		}
		options.Servers = append(options.Servers, r.server(at, f.key, f.value))
	}
}

func (r *configReader) server(path, name string, raw json.RawMessage) mcpclient.Server {
	s := mcpclient.Server{Name: name}
	before := len(r.problems)
	fields, ok := r.object(path, raw, append(serverKeys[:len(serverKeys):len(serverKeys)], limitKeys...))
	if !ok {
		return s
	}
	// First, since the variables of a disabled server need not be set.
	for _, f := range fields {
		if f.key == "disabled" {
			s.Disabled = r.boolean(join(path, f.key), f.value)
		}
	}
	r.verbatim = s.Disabled
	defer func() { r.verbatim = false }()
	has := map[string]bool{}
	for _, f := range fields {
		at := join(path, f.key)
		has[f.key] = true
		switch f.key {
		case "command":
			s.Command = r.expanded(at, f.value)
		case "args":
			s.Args = r.list(at, f.value)
		case "env":
			s.Env = map[string]string{}
			r.texts(at, f.value, func(key, value string) { s.Env[key] = value })
		case "cwd":
			s.Dir = r.fromDir(r.expanded(at, f.value))
		case "url":
			s.URL = r.expanded(at, f.value)
		case "headers":
			s.Header = http.Header{}
			r.texts(at, f.value, s.Header.Add)
		case "type":
			s.Type = r.transport(at, f.value)
		case "oauth":
			s.OAuth = r.oauth(at, f.value)
		case "tls":
			s.TLS = r.tls(at, f.value)
		case "roots":
			s.Roots = r.roots(at, f.value)
		case "log_level":
			s.LogLevel = r.logLevel(at, f.value)
		default:
			r.limit(at, f.key, f.value, &s)
		}
	}
	if len(r.problems) == before {
		r.limited(path, &s)
		r.combination(path, &s, has)
	}
	return s
}

// combination checks what makes sense only together. The client checks most of it
// as well, but it does not know the file's keys.
func (r *configReader) combination(path string, s *mcpclient.Server, has map[string]bool) {
	switch {
	case has["command"] && has["url"]:
		r.problem(path, "has a command and a url; want one of them")
	case !has["command"] && !has["url"]:
		r.problem(path, "has neither command nor url; want one of them")
	case has["command"] && s.Command == "":
		r.problem(join(path, "command"), "is empty")
	case has["command"] && s.Type != "" && s.Type != mcpclient.TypeStdio:
		r.problem(join(path, "type"), "a server with a command has the type stdio")
	case has["url"] && s.Type == mcpclient.TypeStdio:
		r.problem(join(path, "type"), "stdio needs a command; a server with a url has the type http or sse")
	}
	for _, key := range []string{"args", "env", "cwd"} {
		if has[key] && !has["command"] {
			r.problem(join(path, key), "needs a command")
		}
	}
	for _, key := range []string{"headers", "oauth", "tls"} {
		if has[key] && !has["url"] {
			r.problem(join(path, key), "needs a url")
		}
	}
	if s.OAuth != nil && len(s.Header.Values("Authorization")) > 0 {
		r.problem(join(path, "oauth"), "is of no use beside the header Authorization; want one of them")
	}
	if s.TLS != nil && strings.HasPrefix(s.URL, "http://") {
		r.problem(join(path, "tls"), "needs a url with https://")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Env)) {
		value := s.Env[name]
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(value, 0) {
			r.problem(join(path, "env"), "%q is not a variable that can be set", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Header)) {
		if value := strings.Join(s.Header[name], ""); !headerName.MatchString(name) || strings.ContainsFunc(value, unicode.IsControl) {
			r.problem(join(path, "headers"), "%q is not a header that can be sent; is there a line break in it?", name)
		}
	}
	if !has["url"] {
		return
	}
	// The text of the URL, and of the parser's error, may hold a secret.
	u, err := url.Parse(s.URL)
	if err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" {
		return
	}
	if s.Disabled && strings.Contains(s.URL, "${") {
		s.URL = "http://disabled.invalid" // the client checks it, and never goes there
		return
	}
	r.problem(join(path, "url"), "want http://host/path or https://host/path")
}

var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func (r *configReader) transport(path string, raw json.RawMessage) mcpclient.Type {
	const want = "want stdio, http, streamable-http or sse"
	text, ok := r.text(path, raw)
	switch text {
	case "stdio", "http", "sse":
		return mcpclient.Type(text)
	case "streamable-http", "streamableHttp":
		return mcpclient.TypeHTTP
	}
	if ok {
		r.problem(path, "%q is not a type; %s", text, want)
	}
	return ""
}
