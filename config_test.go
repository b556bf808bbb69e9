package conductor_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// writeConfig returns the path of a file with this text.
func writeConfig(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "mcp.json")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadConfig(t *testing.T) {
	t.Setenv("CONFIG_TEST_TOKEN", "s3cret}$")
	t.Setenv("CONFIG_TEST_EMPTY", "")
	path := writeConfig(t, "\uFEFF"+`{
		"$schema": "https://example.com/schema.json",
		"mcpServers": {
			"zebra": {
				"command": "${CONFIG_TEST_UNSET:-npx}",
				"args": ["-y", "server", "--token=${CONFIG_TEST_TOKEN}", "$HOME $5 $${CONFIG_TEST_UNSET}", "${CONFIG_TEST_EMPTY:-e}${CONFIG_TEST_EMPTY}"],
				"env": {"A": "${CONFIG_TEST_TOKEN}", "B": ""},
				"cwd": "sub/folder"
			},
			"apple.pie": {"url": "https://example.com/${CONFIG_TEST_UNSET:-mcp}", "headers": {"authorization": "Bearer ${CONFIG_TEST_TOKEN}"}, "type": "streamable-http"},
			"old": {"url": "http://localhost:1/sse", "type": "sse", "disabled": false},
			"off": {"command": "run", "args": ["${CONFIG_TEST_UNSET}"], "type": "stdio", "disabled": true},
			"far": {"url": "${CONFIG_TEST_UNSET}/mcp", "disabled": true}
		},
		"conductor": {"deno": "bin/deno", "timeout": "1m30s", "memory_mb": 64, "connect_timeout": "5s",
			"call_timeout": "250ms", "max_output": 1000, "max_value": 2000, "isolation": "require", "workspace": "work", "dependencies": ["npm:zod@^3"], "type_check": "report",
			"store": "${CONFIG_TEST_UNSET:-conversations}", "keep_conversations": "1h",
			"policy": {"allow": ["zebra.*", "old.*"], "deny": ["*.delete_*"]}, "audit": {"file": "log/calls.jsonl", "arguments": true}, "workspaces": {"dir": "ws", "max_mb": 7, "max_files": 8},
			"permissions": {"net": ["${CONFIG_TEST_UNSET:-api.example.com}:443"], "env": ["LANG"]}}
	}`)
	got, err := conductor.ReadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	want := &conductor.Options{
		Servers: []mcpclient.Server{
			{
				Name: "zebra", Command: "npx",
				Args: []string{"-y", "server", "--token=s3cret}$", "$HOME $5 ${CONFIG_TEST_UNSET}", "e"},
				Env:  map[string]string{"A": "s3cret}$", "B": ""},
				Dir:  filepath.Join(dir, "sub", "folder"),
			},
			{Name: "apple.pie", URL: "https://example.com/mcp", Header: http.Header{"Authorization": {"Bearer s3cret}$"}}, Type: mcpclient.TypeHTTP},
			{Name: "old", URL: "http://localhost:1/sse", Type: mcpclient.TypeSSE},
			{Name: "off", Command: "run", Args: []string{"${CONFIG_TEST_UNSET}"}, Type: mcpclient.TypeStdio, Disabled: true},
			{Name: "far", URL: "http://disabled.invalid", Disabled: true},
		},
		Client: mcpclient.Options{ConnectTimeout: 5 * time.Second, CallTimeout: 250 * time.Millisecond},
		Sandbox: sandbox.Options{Deno: filepath.Join(dir, "bin", "deno"), Timeout: 90 * time.Second, Isolation: sandbox.IsolationRequire, TypeCheck: sandbox.TypeCheckReport, MaxOutput: 1000, MaxValue: 2000, Profile: sandbox.Profile{
			MemoryMB: 64, Workspace: filepath.Join(dir, "work"), Dependencies: sandbox.Dependencies{Allow: []string{"npm:zod@^3"}}, Permissions: sandbox.Permissions{Net: []string{"api.example.com:443"}, Env: []string{"LANG"}},
		}},
	}
	if diff := cmp.Diff(want.Servers, got.Servers); diff != "" {
		t.Errorf("servers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want.Client, got.Client); diff != "" {
		t.Errorf("client (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(conductor.Policy{Allow: []string{"zebra.*", "old.*"}, Deny: []string{"*.delete_*"}}, got.Policy); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(conductor.Workspaces{Dir: filepath.Join(dir, "ws"), MaxBytes: 7_000_000, MaxFiles: 8}, got.Workspaces); diff != "" {
		t.Errorf("workspaces (-want +got):\n%s", diff)
	}
	if want := filepath.Join(dir, "conversations"); got.StoreURL != want || got.KeepConversations != time.Hour {
		t.Errorf("store %q, kept %v; want %q, 1h", got.StoreURL, got.KeepConversations, want)
	}
	if want := filepath.Join(dir, "log", "calls.jsonl"); got.AuditFile != want || !got.AuditArgs {
		t.Errorf("audit %q, %v; want %q", got.AuditFile, got.AuditArgs, want)
	}
	if diff := cmp.Diff(want.Sandbox, got.Sandbox); diff != "" {
		t.Errorf("sandbox (-want +got):\n%s", diff)
	}
}

func TestReadConfigStoreURL(t *testing.T) {
	const url = "redis://:secret@localhost:6379/0"
	options, err := conductor.ReadConfig(writeConfig(t, `{"mcpServers": {}, "conductor": {"store": "`+url+`"}}`))
	if err != nil || options.StoreURL != url {
		t.Errorf("store %q (%v), want the URL as it is", options.StoreURL, err)
	}
}

func TestReadConfigDenoByName(t *testing.T) {
	options, err := conductor.ReadConfig(writeConfig(t, `{"mcpServers": {}, "conductor": {"deno": "deno"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if options.Sandbox.Deno != "deno" {
		t.Errorf("Deno = %q, want the name as it is, to be looked up in PATH", options.Sandbox.Deno)
	}
}

// server wraps the JSON of one server into a whole file.
func server(text string) string { return `{"mcpServers": {"github": ` + text + `}}` }

// section does so for the section of Conductor.
func section(text string) string { return `{"mcpServers": {}, "conductor": ` + text + `}` }

func TestReadConfigErrors(t *testing.T) {
	t.Setenv("CONFIG_TEST_TOKEN", "s3cret\n")
	const limits = ", connect_timeout, call_timeout, max_call_timeout, max_concurrency, sharing, max_connections, idle_timeout"
	const keys = " (the keys here are command, args, env, cwd, url, headers, oauth, tls, type, roots, log_level, disabled" + limits + ")"
	for _, test := range []struct {
		name, text string
		want       []string // each line after the name of the file
	}{
		{"empty", " \n", []string{`the file is empty; want at least {"mcpServers": {}}`}},
		{"no JSON", "{\n  \"mcpServers\": {\n    oops\n", []string{"line 3, column 5: invalid character 'o' looking for beginning of object key string"}},
		{"column in characters", "{\n \"ä\": oops", []string{"line 2, column 7: invalid character 'o' looking for beginning of value"}},
		{"comment", "{\n  // servers\n}", []string{"line 2, column 3: invalid character '/' looking for beginning of object key string; JSON has no comments"}},
		{"trailing comma", "{\"mcpServers\": {},\n}", []string{"line 2, column 1: invalid character '}' looking for beginning of object key string; is there a comma after the last entry?"}},
		{"cut off", `{"mcpServers": {`, []string{"line 1, column 16: unexpected end of JSON input"}},
		{"two values", "{}{}", []string{"line 1, column 3: invalid character '{' after top-level value"}},
		{"not an object", `[]`, []string{"is an array; want an object"}},
		{"no servers", `{}`, []string{`mcpServers: is not there; want an object of servers, such as {"mcpServers": {"files": {"command": "npx", "args": […]}}}`}},
		{"other client", `{"servers": {}}`, []string{
			"servers: is not a key that Conductor knows; did you mean mcpServers? (the keys here are $schema, mcpServers, conductor)",
			`mcpServers: is not there; want an object of servers, such as {"mcpServers": {"files": {"command": "npx", "args": […]}}}`,
		}},
		{"servers is a list", `{"mcpServers": []}`, []string{"mcpServers: is an array; want an object"}},
		{"server is null", server("null"), []string{"mcpServers.github: is null; want an object"}},
		{"no name", `{"mcpServers": {"": {"command": "x"}}}`, []string{`mcpServers[""]: a server needs a name of printable characters`}},
		{"same name", `{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}`, []string{"mcpServers.a: is there twice"}},
		{"same module", `{"mcpServers": {"a b": {"command": "x"}, "a_b": {"command": "y"}}}`, []string{`mcpServers.a_b: programs would import this server and "a b" as the same module ./mcp/a_b; rename one`}},
		{"wrong key", server(`{"comand": "x"}`), []string{"mcpServers.github.comand: is not a key that Conductor knows; did you mean command?" + keys}},
		{"key of another client", server(`{"serverUrl": "x"}`), []string{"mcpServers.github.serverUrl: is not a key that Conductor knows; did you mean url?" + keys}},
		{"same key", server(`{"command": "x", "command": "y"}`), []string{"mcpServers.github.command: is there twice"}},
		{"wrong types", server(`{"command": ["x"], "args": "-y", "env": [], "cwd": 1, "disabled": "no"}`), []string{
			"mcpServers.github.disabled: is a string; want true or false",
			"mcpServers.github.command: is an array; want a string",
			"mcpServers.github.args: is a string; want an array of strings",
			"mcpServers.github.env: is an array; want an object",
			`mcpServers.github.cwd: is a number; want a string: "1"`,
		}},
		{"wrong elements", server(`{"command": "x", "args": ["-p", 8080], "env": {"PORT": 8080, "my var": null}}`), []string{
			`mcpServers.github.args[1]: is a number; want a string: "8080"`,
			`mcpServers.github.env.PORT: is a number; want a string: "8080"`,
			`mcpServers.github.env["my var"]: is null; want a string`,
		}},
		{"unset variables", server(`{"command": "x", "args": ["${CONFIG_TEST_UNSET}"], "env": {"TOKEN": "a ${CONFIG_TEST_UNSET} b ${CONFIG_TEST_OTHER}"}}`), []string{
			"mcpServers.github.args[0]: the environment variable CONFIG_TEST_UNSET is not set; set it, or write ${CONFIG_TEST_UNSET:-default}",
			"mcpServers.github.env.TOKEN: the environment variable CONFIG_TEST_UNSET is not set; set it, or write ${CONFIG_TEST_UNSET:-default}",
			"mcpServers.github.env.TOKEN: the environment variable CONFIG_TEST_OTHER is not set; set it, or write ${CONFIG_TEST_OTHER:-default}",
		}},
		{"not closed", server(`{"command": "${HOME"}`), []string{"mcpServers.github.command: there is a ${ without its }; write $${ for the characters ${"}},
		{"other syntax", server(`{"command": "${env:TOKEN}", "args": ["${input:token}"]}`), []string{
			"mcpServers.github.command: ${env:TOKEN} names no variable; did you mean ${TOKEN}? (write ${NAME} or ${NAME:-default}, and $${ for the characters ${)",
			"mcpServers.github.args[0]: ${input:token} names no variable (write ${NAME} or ${NAME:-default}, and $${ for the characters ${)",
		}},
		{"neither", server(`{"args": [], "headers": {}}`), []string{
			"mcpServers.github: has neither command nor url; want one of them",
			"mcpServers.github.args: needs a command",
			"mcpServers.github.headers: needs a url",
		}},
		{"both", server(`{"command": "x", "url": "http://x"}`), []string{"mcpServers.github: has a command and a url; want one of them"}},
		{"empty command", server(`{"command": ""}`), []string{"mcpServers.github.command: is empty"}},
		{"type unknown", server(`{"command": "x", "type": "pipe"}`), []string{`mcpServers.github.type: "pipe" is not a type; want stdio, http, streamable-http or sse`}},
		{"type of a command", server(`{"command": "x", "type": "sse"}`), []string{"mcpServers.github.type: a server with a command has the type stdio"}},
		{"type of a url", server(`{"url": "http://x", "type": "stdio"}`), []string{"mcpServers.github.type: stdio needs a command; a server with a url has the type http or sse"}},
		{"url", server(`{"url": "user:s3cret@example.com"}`), []string{"mcpServers.github.url: want http://host/path or https://host/path"}},
		{"header", server(`{"url": "http://x", "headers": {"Authorization": "Bearer ${CONFIG_TEST_TOKEN}"}}`), []string{
			`mcpServers.github.headers: "Authorization" is not a header that can be sent; is there a line break in it?`}},
		{"variable name", server(`{"command": "x", "env": {"A=B": "x"}}`), []string{`mcpServers.github.env: "A=B" is not a variable that can be set`}},
		{"section", section(`{"timout": "30s", "timeout": 30, "memory_mb": "1", "connect_timeout": "30", "call_timeout": "-1s", "max_output": 1.5, "max_value": 0, "deno": true}`), []string{
			"conductor.timout: is not a key that Conductor knows; did you mean timeout? (the keys here are deno, timeout, memory_mb, connect_timeout, call_timeout, max_output, max_value, isolation, workspace, permissions, dependencies, type_check, store, keep_conversations, policy, audit, workspaces, tokens, embedding, learning)",
			`conductor.timeout: is a number; want a duration such as "30s", "2m" or "1m30s"`,
			`conductor.memory_mb: is a string; want a whole number`,
			`conductor.connect_timeout: "30" is not a duration; want a duration such as "30s", "2m" or "1m30s"`,
			`conductor.call_timeout: "-1s" is not more than nothing; want a duration such as "30s", "2m" or "1m30s"`,
			`conductor.max_output: is 1.5; want a whole number from 1 to 1073741824`,
			`conductor.max_value: is 0; want a whole number from 1 to 1073741824`,
			`conductor.deno: is a boolean; want a string: "true"`,
		}},
		{"section too long", section(`{"timeout": "10m"}`), []string{`conductor.timeout: "10m" is too long; the most is 5m0s`}},
		{"isolation", section(`{"isolation": "maximal"}`), []string{`conductor.isolation: "maximal" is not a choice; want require or off, or leave it out for what the machine offers`}},
		{"type check", section(`{"type_check": "lenient"}`), []string{`conductor.type_check: "lenient" is not a choice; want enforce, report or off`}},
		{"permissions", section(`{"permissions": {"network": ["*"], "read": "all"}}`), []string{
			"conductor.permissions.network: is not a key that Conductor knows (the keys here are net, read, write, env, run, ffi, sys, import)",
			"conductor.permissions.read: is a string; want an array of strings",
		}},
		{"policy", section(`{"policy": {"allow": [], "deny": ["git[hub", "github"], "ask": true}}`), []string{
			"conductor.policy.ask: is not a key that Conductor knows (the keys here are allow, deny)",
			`conductor.policy.allow: is empty, which would allow everything; leave it out, or deny "*"`,
			`conductor.policy.deny[0]: is no pattern: is there a [ without its ], or a \ at the end?`,
			`conductor.policy.deny[1]: matches no tool: want "server.tool", such as "github.*" for all tools of a server`,
		}},
		{"workspaces", section(`{"workspaces": {"max_mb": 0, "folder": "x"}}`), []string{
			"conductor.workspaces.folder: is not a key that Conductor knows (the keys here are dir, max_mb, max_files)",
			"conductor.workspaces.max_mb: is 0; want a whole number from 1 to 1048576",
			`conductor.workspaces.dir: is not there; want the path of a folder such as "workspaces"`,
		}},
		{"no store", section(`{"store": ""}`), []string{`conductor.store: is empty; want a folder, or a URL such as "redis://localhost:6379/0"`}},
		{"audit", section(`{"audit": {"arguments": "yes"}}`), []string{
			"conductor.audit.arguments: is a string; want true or false",
			`conductor.audit.file: is not there; want the path of a file such as "calls.jsonl"`,
		}},
		{"section is a list", section(`[]`), []string{"conductor: is an array; want an object"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := writeConfig(t, test.text)
			options, err := conductor.ReadConfig(path)
			if err == nil || options != nil {
				t.Fatalf("got %v, %v; want an error", options, err)
			}
			var want []string
			for _, line := range test.want {
				want = append(want, path+": "+line)
			}
			if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Error("the error tells a secret")
			}
		})
	}
}

func TestReadConfigFile(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "nowhere.json")
	if _, err := conductor.ReadConfig(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing file: %v", err)
	}
	if runtime.GOOS != "windows" {
		if _, err := conductor.ReadConfig(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a directory") {
			t.Errorf("folder: %v", err)
		}
	}
	huge := writeConfig(t, `{"mcpServers": {`+strings.Repeat(" ", 1<<20)+`}}`)
	if _, err := conductor.ReadConfig(huge); err == nil || !strings.Contains(err.Error(), huge+": larger than 1048576 bytes") {
		t.Errorf("huge file: %v", err)
	}
}

// FuzzReadConfig checks that no file makes ReadConfig panic, that an error names
// the file, and that what is accepted can be given to a client.
func FuzzReadConfig(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"mcpServers": {"a": {"command": "x", "args": ["${HOME:-x}"], "env": {"A": "$${"}, "cwd": "."}}}`,
		`{"mcpServers": {"a": {"url": "http://x/${", "headers": {"A": "b"}, "type": "sse", "disabled": true}}}`,
		`{"mcpServers": {}, "conductor": {"deno": "x/y", "timeout": "30s", "memory_mb": 256}}`,
		`{"mcpServers": {"a": 1, "a": [], "\u0000": null}}`, `{"mcpServers": {`, "\uFEFF[", strings.Repeat("[", 100),
	} {
		f.Add(seed)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		file, err := os.CreateTemp(dir, "*.json")
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(file.Name())
		_, werr := file.WriteString(text)
		if err := errors.Join(werr, file.Close()); err != nil {
			t.Fatal(err)
		}
		options, err := conductor.ReadConfig(file.Name())
		if err != nil {
			if options != nil || !strings.Contains(err.Error(), file.Name()) {
				t.Fatalf("options %v, error %v", options, err)
			}
			return
		}
		for i := range options.Servers {
			options.Servers[i].Disabled = true // so that none is started
		}
		c, err := mcpclient.Connect(t.Context(), options.Servers, &options.Client)
		if err != nil {
			t.Fatalf("the client refuses what was accepted: %v", err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
