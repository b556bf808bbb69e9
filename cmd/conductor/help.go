package main

import (
	"flag"
	"fmt"
	"strings"

	"github.com/conductor/conductor/internal/suggest"
)

// overview is what "conductor help" prints.
func overview() string {
	var b strings.Builder
	b.WriteString(`Conductor lets an agent use many MCP servers by writing programs: it finds the few
tools that matter, reads their TypeScript types, and runs one program that calls them
in a sandbox.

Usage: conductor COMMAND [FLAGS] [ARGUMENTS]

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-10s %s\n", c.name, c.short)
	}
	b.WriteString(`  help       help, also "help COMMAND", and "help config" for the configuration file

Begin with
  conductor doctor --config mcp.json
where mcp.json is the file with "mcpServers" that you have for your MCP client.

Exit status: 0 done; 1 the program failed, nothing was found or something is wrong;
2 the command line, a file or the configuration is wrong; 3 it could not be done.
`)
	return b.String()
}

// configHelp is what "conductor help config" prints.
const configHelp = `The configuration file is the JSON that MCP clients use, with a section for Conductor.
Everything but "mcpServers" is optional.

{
  "mcpServers": {
    "files": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-filesystem", "${HOME}/docs"],
      "env": {"DEBUG": "${DEBUG:-0}"},
      "cwd": "."
    },
    "remote": {
      "url": "https://mcp.example.com/mcp",
      "headers": {"Authorization": "Bearer ${TOKEN}"}
    },
    "mine": {"url": "https://mcp.example.org/mcp", "oauth": true},
    "inside": {
      "url": "https://mcp.internal/mcp",
      "tls": {"ca_file": "ca.pem", "cert_file": "me.pem", "key_file": "me.key"}
    },
    "old": {"url": "https://mcp.example.com/sse", "type": "sse", "disabled": true}
  },
  "conductor": {
    "deno": "/opt/deno",
    "timeout": "30s",
    "memory_mb": 256,
    "connect_timeout": "30s",
    "call_timeout": "2m",
    "max_output": 32768,
    "max_value": 65536,
    "store": "conversations",
    "keep_conversations": "720h",
    "policy": {"allow": ["files.*"], "deny": ["*.delete_*"]},
    "audit": {"file": "calls.jsonl", "arguments": false},
    "workspaces": {"dir": "workspaces", "max_mb": 100, "max_files": 1000},
    "tokens": "tokens.json",
    "embedding": {"url": "http://localhost:11434/v1", "model": "nomic-embed-text"},
    "learning": true
  }
}

A server has a command (with args, env, cwd) or a url (with headers). Its type is
stdio, http, streamable-http or sse; it is needed for sse only. A command gets PATH,
HOME and a few more variables, and those in env; nothing else of your environment.
A relative cwd, store, audit file, dir or other path starts at the folder of the file.

oauth is true for a server that asks for a login: "conductor login SERVER" makes it, and
keeps the token in the file tokens (without it, in your folder for configuration). It may
also be an object with client_id and client_secret of a registered client, with
client_metadata_url, with scopes, and with client_credentials, which is true for a client
that gets its tokens by itself. tls has ca_file, cert_file with key_file, server_name, and
for tests insecure_accept_any_certificate. roots are folders that a server is told it may
use; log_level (debug to emergency) is what it is asked to log.

A server may have its own connect_timeout and call_timeout; with max_call_timeout, a call
that reports progress may take so long in all. max_concurrency bounds its calls at the same
time (32). sharing is shared, or per-conversation for a server that keeps something between
calls, such as a browser: then max_connections (8) bounds the connections, and idle_timeout
(10m) ends those that are not used.

${NAME} is the environment variable NAME, which must be set; ${NAME:-default} need not
be. $${ stands for the characters ${. This holds in command, args, cwd, url, deno, store,
paths, the texts of oauth and the values of env and headers.

In the section "conductor": deno is the deno executable (without it Conductor looks at
$CONDUCTOR_DENO, PATH and its cache, and else fetches one with npm); timeout, of a
program, is at most 5m; memory_mb bounds a program's heap; connect_timeout and
call_timeout are for each server and each tool call; max_output and max_value are bytes.
store is where conversations are kept, and what is learned from them: a folder, or a URL
such as redis://localhost:6379/0 for several machines; without it they end with the
process. keep_conversations is how long they are kept after the last change, "720h"
without it. policy says which tools programs may use: names "server.tool" with * for
anything; what is denied is not found either. audit appends a line of JSON for each call
to a file, with the hash of its arguments and, if arguments is true, with them, without
what looks like a secret; a call that cannot be recorded is not made. workspaces gives the
programs of each conversation a folder of their own below dir, to read and write within
the quotas.

For all programs alike: workspace, instead of workspaces, is one folder to read and write;
permissions ("net", "read", "write", "env", "run", "ffi", "sys", "import": lists as Deno
has them) is what they may do besides, nothing without it; dependencies are packages that
they may import, such as "npm:zod@^3"; type_check is enforce, report or off; isolation is
require to run nothing without the layers of the operating system, or off.

embedding is a service with OpenAI's interface that the search asks, with url, model, key,
cache (a folder) and weight (of vectors beside words); without it nothing leaves the
machine. learning is false if the search is not to learn from successful calls.
`

// help answers "conductor help …".
func help(s *streams, args []string) int {
	if len(args) == 0 || isHelp(args[0]) {
		fmt.Fprint(s.stdout, overview())
		return exitOK
	}
	topic := strings.Join(args, " ")
	if topic == "config" {
		fmt.Fprint(s.stdout, configHelp)
		return exitOK
	}
	topics := []string{"config"}
	for _, c := range commands() {
		if first, _, _ := strings.Cut(c.name, " "); topic == c.name || topic == first {
			flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
			c.define(flags)
			fmt.Fprint(s.stdout, c.help(flags))
			return exitOK
		}
		topics = append(topics, c.name)
	}
	fmt.Fprintf(s.stderr, "conductor help: there is nothing about %q%s\nRun \"conductor help\" for the list of commands.\n", topic, suggest.DidYouMean(topic, topics))
	return exitUsage
}

// help is what the command's own --help prints.
func (c *command) help(flags *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: conductor %s %s\n\n%s\n\nFlags:\n", c.name, c.usage, strings.TrimSpace(c.long))
	flags.VisitAll(func(f *flag.Flag) {
		value, text := flag.UnquoteUsage(f)
		name := "--" + f.Name
		if value != "" {
			name += " " + value
		}
		fmt.Fprintf(&b, "  %-18s %s\n", name, text)
	})
	return b.String()
}
