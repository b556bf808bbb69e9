package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/sandbox"
)

func execCommand() *command {
	return &command{
		name:  "exec",
		usage: "--config FILE [FLAGS] PROGRAM.ts",
		short: "run a TypeScript program that calls the servers' tools",
		long: `
Runs a program ("-" is standard input) in the sandbox. It may import every tool of
every server: import * as files from "./mcp/files". Its value, as JSON, and what it
logs go to standard output, what went wrong to standard error.

With --conversation, a later program need not import again what an earlier one has.
With --json, standard output has the value, the output, the error and each call.

Example:
  echo 'import * as files from "./mcp/files";
    return await files.list_allowed_directories({});' |
  conductor exec --config mcp.json -

Exit status: 0 the program ended well, 1 it failed, 2 the command line or the
configuration is wrong, 3 it could not be run.`,
		define: func(flags *flag.FlagSet) action {
			config, asJSON := configFlag(flags), jsonFlag(flags)
			id := conversationFlag(flags)
			timeout := flags.Duration("timeout", 0, "how long the program may run, a `DURATION` such as 45s, at most 5m")
			return func(ctx context.Context, s *streams, args []string) error {
				switch {
				case len(args) != 1:
					return usagef("wants one program, but there are %d", len(args))
				case *timeout < 0 || *timeout > sandbox.MaxTimeout:
					return usagef("--timeout is %v; the most is %v", *timeout, sandbox.MaxTimeout)
				}
				options, err := readConfig(*config, s)
				if err != nil {
					return err
				}
				if err := checkConversation(*id, options); err != nil {
					return err
				}
				code, err := readProgram(args[0], s.stdin)
				if err != nil {
					return &inputError{err: err}
				}
				return withConversation(ctx, s, options, *config, *id, func(c *conductor.Conductor, conv *conductor.Conversation) error {
					result, err := execute(ctx, c, conv, code, *timeout)
					if result == nil {
						return err
					}
					if shown := show(s, args[0], result, *asJSON); err == nil {
						err = shown
					}
					return err
				})
			}
		},
	}
}

// maxProgram is more than the sandbox accepts, which explains itself.
const maxProgram = 2 << 20

func readProgram(path string, stdin io.Reader) (string, error) {
	r := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("program: %w", err)
		}
		defer f.Close()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxProgram))
	if err != nil {
		return "", fmt.Errorf("program: %w", err)
	}
	return string(data), nil
}

// execute runs a program with every tool loaded: a person has no conversation in
// which to load them, and knows what the program imports.
func execute(ctx context.Context, c *conductor.Conductor, conv *conductor.Conversation, code string, timeout time.Duration) (*conductor.Result, error) {
	names := c.Features()
	for _, tool := range c.Tools() {
		names = append(names, tool.ID())
	}
	if _, err := conv.LoadToolSpec(ctx, names...); err != nil {
		return nil, err
	}
	return conv.Execute(ctx, code, &conductor.ExecuteOptions{Timeout: timeout})
}

// show prints how a run ended.
func show(s *streams, program string, result *conductor.Result, asJSON bool) error {
	if asJSON {
		if err := writeJSON(s.stdout, result); err != nil {
			return err
		}
	} else {
		fmt.Fprint(s.stdout, endLine(result.Stdout))
		fmt.Fprint(s.stderr, endLine(result.Stderr))
		if result.Value != nil {
			fmt.Fprintln(s.stdout, escapeControls(result.Value))
		}
		fmt.Fprint(s.stderr, changedFiles(result))
	}
	if result.Phase == sandbox.PhaseOK {
		return nil
	}
	fmt.Fprint(s.stderr, failure(program, result))
	return errFailed
}

// maxShownFiles bounds the files that are named; --json has more.
const maxShownFiles = 20

// changedFiles says what has become of the conversation's folder.
func changedFiles(result *conductor.Result) string {
	var b strings.Builder
	shown := result.Files[:min(len(result.Files), maxShownFiles)]
	for _, f := range shown {
		fmt.Fprintf(&b, "conductor: %s %s\n", f.Change, printable(f.Path))
	}
	if more := len(result.Files) - len(shown) + result.MoreFiles; more > 0 {
		fmt.Fprintf(&b, "conductor: and %d more files\n", more)
	}
	return b.String()
}

func endLine(s string) string {
	if s != "" && !strings.HasSuffix(s, "\n") {
		s += "\n"
	}
	return s
}

// failure is what compilers print, with the calls that were made, since they may
// have changed something.
func failure(program string, result *conductor.Result) string {
	var b strings.Builder
	if program == "-" {
		program = "stdin"
	}
	b.WriteString(program)
	e := result.Error
	if e == nil {
		e = &conductor.ProgramError{Message: "the program failed"}
	}
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	fmt.Fprintf(&b, ": %s: %s\n", result.Phase, indentRest(printable(e.Message)))
	if e.Hint != "" {
		fmt.Fprintf(&b, "  hint: %s\n", indentRest(printable(e.Hint)))
	}
	if len(result.Calls) > 0 {
		b.WriteString("  calls made before that:\n")
	}
	for _, call := range result.Calls {
		outcome := "ok"
		if !call.OK {
			// The message begins with the name, which stands here already.
			outcome = printable(firstLine(strings.TrimPrefix(call.Error, call.Tool+": "), 200))
		}
		fmt.Fprintf(&b, "    %s: %s\n", printable(call.Tool), outcome)
	}
	return b.String()
}
