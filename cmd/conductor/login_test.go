package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/internal/oauthtest"
)

func guardedServer(t *testing.T) *oauthtest.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "guarded", Version: "1"}, nil)
	s.AddTool(&mcp.Tool{Name: "whoami", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{}, nil
	})
	t.Cleanup(func() {
		for session := range s.Sessions() {
			_ = session.Close()
		}
	})
	return oauthtest.New(t, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, nil))
}

// visit is a user who opens the URL that the command prints, and whose browser goes
// where it is sent.
func visit(t *testing.T, stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "http") {
			continue
		}
		back, err := oauthtest.Agree(t.Context(), lines.Text())
		if err != nil {
			t.Error(err)
			return
		}
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		// Others knock on the port too.
		for _, address := range []string{strings.Replace(back, "/callback", "/favicon.ico", 1), back} {
			resp, err := client.Get(address)
			if err != nil {
				t.Error(err)
				return
			}
			page, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if want := address == back; want != strings.Contains(string(page), "You can close this window") {
				t.Errorf("%s shows %q", address, page)
			}
		}
	}
}

func TestLogin(t *testing.T) {
	noDeno(t)
	leaktest.Check(t)
	g := guardedServer(t)
	config := writeConfig(t, `{"tokens": "secret/tokens.json"}`, "guarded", fmt.Sprintf(`{"url": %q, "oauth": true}`, g.URL+"/mcp"))

	before := cli(t, "", "doctor", "--config", config)
	if !strings.Contains(before.stdout+before.stderr, `conductor login --config FILE guarded`) {
		t.Errorf("doctor does not say what to do:\n%s%s", before.stdout, before.stderr)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, w := io.Pipe()
	visited := make(chan struct{})
	go func() {
		defer close(visited)
		visit(t, r)
	}()
	var stdout strings.Builder
	code := run(ctx, []string{"login", "--config", config, "--no-browser", "guarded"}, strings.NewReader(""), &stdout, w)
	_ = w.Close()
	<-visited
	if code != exitOK || stdout.String() != "guarded: 1 tool\n" {
		t.Fatalf("exit %d, stdout %q", code, stdout.String())
	}
	tokens := filepath.Join(filepath.Dir(config), "secret", "tokens.json")
	if info, err := os.Stat(tokens); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the token file: %v, %v", info, err)
	}

	cli(t, "", "find", "--config", config, "whoami").check(t, exitOK, []string{"guarded.whoami"}, nil)
	if logins, _ := g.Counts(); logins != 1 {
		t.Errorf("%d logins", logins)
	}
	cli(t, "", "login", "--config", config, "--forget", "guarded").check(t, exitOK, nil, nil)
	cli(t, "", "find", "--config", config, "whoami").check(t, exitFailed, nil, []string{"a login is required"})
}

func TestLoginRefuses(t *testing.T) {
	config := writeConfig(t, `{}`, "plain", `{"url": "http://127.0.0.1:9/mcp"}`, "machine",
		`{"url": "http://127.0.0.1:9/mcp", "oauth": {"client_id": "a", "client_secret": "b", "client_credentials": true}}`, "mine", `{"url": "http://127.0.0.1:9/mcp", "oauth": true}`)
	cli(t, "", "login", "--config", config).check(t, exitUsage, nil, []string{"wants the name of one server"})
	cli(t, "", "login", "--config", config, "plain").check(t, exitUsage, nil, []string{"mcpServers.plain has no login", "Set mcpServers.plain.oauth to true"})
	cli(t, "", "login", "--config", config, "machine").check(t, exitUsage, nil, []string{"mcpServers.machine needs no login"})
	cli(t, "", "login", "--config", config, "mien").check(t, exitUsage, nil, []string{"mine"})
	cli(t, "", "login", "--config", config, "mine").check(t, exitMachinery, nil, []string{"server mine: ", "nothing accepts connections there"})
}
