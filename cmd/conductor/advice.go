package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/conductor/conductor/mcpclient"
)

// comesWith tells where a command is from, for those that servers are usually
// started with.
var comesWith = map[string]string{
	"npx": "Node.js", "npm": "Node.js", "node": "Node.js", "uvx": "uv", "uv": "uv", "docker": "Docker", "deno": "Deno",
	"bunx": "Bun", "bun": "Bun", "python": "Python", "python3": "Python", "pipx": "pipx",
}

// advise says what to do about a server that failed, in the words of the
// configuration file. It is empty where nothing is known beyond the reason.
func advise(status mcpclient.Status, server *mcpclient.Server, connectTimeout time.Duration) string {
	key := "mcpServers." + status.Name + "."
	reason := status.Err.Error()
	says := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(reason, part) {
				return true
			}
		}
		return false
	}
	switch {
	case server.Dir != "" && says("is not a folder"):
		return fmt.Sprintf("%scwd is %s: make that folder, or correct the path (a relative one starts at the configuration file)", key, server.Dir)
	case errors.Is(status.Err, exec.ErrNotFound), errors.Is(status.Err, fs.ErrNotExist):
		return adviseMissing(key, server.Command)
	case errors.Is(status.Err, fs.ErrPermission), says("exec format error"):
		return fmt.Sprintf("make %s executable, or start it with its interpreter: %scommand is the interpreter and %sargs begin with the file", server.Command, key, key)
	case errors.Is(status.Err, context.DeadlineExceeded):
		return adviseSilent(key, server, connectTimeout)
	case says("process exited", "closed its standard output"):
		return fmt.Sprintf("its own words usually say why: an argument (%sargs), or a variable that it needs. A server gets PATH, HOME and a few more variables of yours; hand others over in %senv, such as \"TOKEN\": \"${TOKEN}\"", key, key)
	case errors.Is(status.Err, mcpclient.ErrLoginRequired):
		return fmt.Sprintf("run \"conductor login --config FILE %s\"", status.Name)
	case says("points to a login by OAuth"):
		return fmt.Sprintf("set %soauth to true and run \"conductor login --config FILE %s\", or check %sheaders", key, status.Name, key)
	case says("HTTP status 401", "HTTP status 403"):
		return fmt.Sprintf("check %sheaders, usually {\"Authorization\": \"Bearer ${TOKEN}\"} with a token that is valid and may do this", key)
	case says("HTTP status 404", "HTTP status 405"):
		return fmt.Sprintf("check the path in %surl; a server of the older kind needs %stype to be \"sse\"", key, key)
	case server.URL != "" && says("connection refused", "nothing accepts connections", "no such host", "network is unreachable"):
		return fmt.Sprintf("check %surl, and that the server runs and can be reached from here", key)
	}
	return ""
}

func adviseMissing(key, command string) string {
	if strings.ContainsAny(command, `/\`) {
		return fmt.Sprintf("check the path in %scommand; a script also needs the interpreter that its first line names", key)
	}
	from := command
	if product := comesWith[strings.TrimSuffix(filepath.Base(command), ".exe")]; product != "" {
		from = fmt.Sprintf("%s, which comes with %s", command, product)
	}
	return fmt.Sprintf("install %s; or, if it is installed, write its full path into %scommand, since a client may start conductor with another PATH than your terminal's", from, key)
}

func adviseSilent(key string, server *mcpclient.Server, connectTimeout time.Duration) string {
	if connectTimeout == 0 {
		connectTimeout = 30 * time.Second
	}
	if server.URL != "" {
		return fmt.Sprintf("check %surl and the network; if the server is only slow, raise conductor.connect_timeout, which is %v", key, connectTimeout)
	}
	return fmt.Sprintf("start %s in a terminal with the same arguments to see what it waits for, and whether it is an MCP server on standard input at all; if it is only slow, as package runners are the first time, raise conductor.connect_timeout, which is %v", server.Command, connectTimeout)
}
