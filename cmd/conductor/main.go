// Command conductor is the command line of the library and its face for MCP
// clients: it serves many MCP servers through three tools, runs programs against
// their tools, searches and shows the tools, and says what is wrong with a set-up.
//
//	conductor mcp start --config mcp.json
//	conductor exec --config mcp.json program.ts
//	conductor find --config mcp.json "read a file"
//	conductor spec --config mcp.json files.read_file
//	conductor generate --tools tools.json
//	conductor doctor --config mcp.json
//
// What a command was asked for goes to standard output, everything for people to
// standard error. "conductor help" says more.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/redis/go-redis/v9/logging"
)

func main() { os.Exit(runProcess()) }

// runProcess is main with the signals of the process.
func runProcess() int {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup wants it ignored
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	defer stop()
	logging.Disable()            // of the Redis client, which has no logger of its own: errors say it
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	// Writing to a pipe that nobody reads would end the process before it has ended
	// its children. Caught, and not ignored, since children inherit what is ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
