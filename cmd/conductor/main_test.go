package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/sandbox"
)

// role names the variable that turns the test binary into something else.
const role = "CONDUCTOR_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(role) {
	case "":
		if slices.Equal(os.Args[1:], []string{"bench", echoServer}) { // bench starts itself
			os.Exit(runProcess())
		}
		os.Exit(m.Run())
	case "conductor":
		os.Exit(runProcess())
	case "notes":
		notesServer()
	case "exits":
		fmt.Fprintln(os.Stderr, "FATAL: API_KEY is not set")
		os.Exit(3)
	case "silent":
		fmt.Fprintln(os.Stderr, "warming up")
		_, _ = io.Copy(io.Discard, os.Stdin)
	}
}

// notesServer is an MCP server that keeps notes.
func notesServer() {
	s := mcp.NewServer(&mcp.Implementation{Name: "notes-server", Version: "1.0.0"}, nil)
	type note struct {
		Text string `json:"text" jsonschema:"the text of the note"`
	}
	type count struct {
		Count int `json:"count"`
	}
	notes := 0
	mcp.AddTool(s, &mcp.Tool{Name: "add_note", Description: "Writes down a note"},
		func(_ context.Context, _ *mcp.CallToolRequest, n note) (*mcp.CallToolResult, count, error) {
			notes++
			return nil, count{notes}, nil
		})
	type pid struct {
		PID int `json:"pid"`
	}
	mcp.AddTool(s, &mcp.Tool{Name: "server_process", Description: "Tells the process id of this server"},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, pid, error) {
			return nil, pid{os.Getpid()}, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "refuse", Description: "Always fails"},
		func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
			return nil, nil, fmt.Errorf("the notebook is full")
		})
	type file struct {
		Path string `json:"path"`
	}
	mcp.AddTool(s, &mcp.Tool{Name: "wait", Description: "Creates a file and waits for ever"},
		func(ctx context.Context, _ *mcp.CallToolRequest, f file) (*mcp.CallToolResult, any, error) {
			if err := os.WriteFile(f.Path, nil, 0o600); err != nil {
				return nil, nil, err
			}
			<-ctx.Done()
			return nil, nil, ctx.Err()
		})
	if err := s.Run(context.Background(), &mcp.StdioTransport{}); err != nil && err != io.EOF {
		fmt.Fprintln(os.Stderr, err)
	}
}

// as returns the JSON of a server that is this binary in a role.
func as(t *testing.T, name string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return encode(t, map[string]any{"command": exe, "env": map[string]string{
		role:     name,
		"GORACE": "atexit_sleep_ms=0", // a race build else takes a second to exit
	}})
}

func encode(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// writeFile returns the path of a new file with this text.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeConfig returns the path of a configuration. Servers are pairs of a name and
// its JSON.
func writeConfig(t *testing.T, section string, servers ...string) string {
	t.Helper()
	var entries []string
	for i := 0; i < len(servers); i += 2 {
		entries = append(entries, fmt.Sprintf("%q: %s", servers[i], servers[i+1]))
	}
	return writeFile(t, "mcp.json", fmt.Sprintf(`{"mcpServers": {%s}, "conductor": %s}`, strings.Join(entries, ", "), section))
}

func notesConfig(t *testing.T) string { return writeConfig(t, "{}", "notes", as(t, "notes")) }

// An outcome is what a command did.
type outcome struct {
	code           int
	stdout, stderr string
}

func cli(t *testing.T, stdin string, args ...string) outcome {
	t.Helper()
	return cliContext(t.Context(), stdin, args...)
}

func cliContext(ctx context.Context, stdin string, args ...string) outcome {
	var stdout, stderr bytes.Buffer
	code := run(ctx, args, strings.NewReader(stdin), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

// check compares an outcome. Of stdout and stderr it wants parts; where there are
// none, nothing may be written.
func (o outcome) check(t *testing.T, code int, stdout, stderr []string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
	for _, stream := range []struct {
		name, got string
		want      []string
	}{{"stdout", o.stdout, stdout}, {"stderr", o.stderr, stderr}} {
		for _, part := range stream.want {
			if !strings.Contains(stream.got, part) {
				t.Errorf("%s lacks %q", stream.name, part)
			}
		}
		if len(stream.want) == 0 && stream.got != "" {
			t.Errorf("%s is not empty", stream.name)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
	}
}

// decode reads the one JSON document on stdout.
func (o outcome) decode(t *testing.T) map[string]any {
	t.Helper()
	var document map[string]any
	if err := json.Unmarshal([]byte(o.stdout), &document); err != nil {
		t.Fatalf("stdout is no JSON document: %v\n%s", err, o.stdout)
	}
	return document
}

// requireDeno skips a test where there is no Deno, which in CI is a failure.
func requireDeno(t *testing.T) {
	t.Helper()
	if _, err := sandbox.FindDeno(t.Context(), nil); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs Deno: %v", err)
	}
}
