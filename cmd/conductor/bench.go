package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/internal/bench"
	"github.com/conductor/conductor/internal/suggest"
	"github.com/conductor/conductor/mcpclient"
)

// echoServer is the argument that turns bench into the server that it measures. It
// is for bench itself.
const echoServer = "echo-server"

func benchCommand() *command {
	return &command{
		name:  "bench",
		usage: "[FLAGS]",
		short: "measure on this machine what Conductor promises",
		long: `
Measures each promise about speed, memory and what is left behind, beside a baseline
that is measured in turns with it, and says whether the promise is met here. It needs
no network and no configuration; Deno is found, or fetched, as for exec. It takes about
a minute, with --quick some seconds.

Run it on a machine that does nothing else: what others do shows in the p99 first.

The rows are ` + strings.Join(bench.Names(), ", ") + `.

Example:
  conductor bench --quick --only warm,call

Exit status 1 means that a row could not be measured or, with --strict, that a promise
is not met.`,
		define: func(flags *flag.FlagSet) action {
			asJSON := jsonFlag(flags)
			names := flags.String("only", "", "measure the rows `NAME,…` only")
			quick := flags.Bool("quick", false, "take fewer samples, and leave out the slow rows unless --only names them")
			strict := flags.Bool("strict", false, "exit with 1 if a promise is not met")
			tools := flags.String("tools", "", "search the tools of `FILE`, a saved result of tools/list, repeated under other names, and not made-up ones")
			corpora := flags.String("corpora", os.Getenv("CONDUCTOR_CORPORA"), "make prompts and modules of the real servers in the folder `DIR`, and not of made-up ones")
			return func(ctx context.Context, s *streams, args []string) error {
				switch {
				case slices.Equal(args, []string{echoServer}):
					return bench.ServeEcho(ctx)
				case len(args) > 0:
					return usagef("takes no argument, but there is %q", args[0])
				}
				chosen, err := benchRows(*names, *quick)
				if err != nil {
					return err
				}
				env, err := benchEnv(s, *tools, *quick)
				if err != nil {
					return err
				}
				env.Corpora = *corpora
				report, err := bench.Run(ctx, env, chosen, nil)
				if err != nil {
					return err
				}
				if *quick && *names == "" {
					report.NotMeasured = append(slowRows(), report.NotMeasured...)
				}
				return showBench(s, report, *asJSON, *strict)
			}
		},
	}
}

// benchRows reads --only.
func benchRows(only string, quick bool) ([]string, error) {
	known := bench.Names()
	if only == "" {
		return slices.DeleteFunc(known, func(name string) bool { return quick && bench.Slow(name) }), nil
	}
	var names []string
	for _, name := range strings.Split(only, ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(known, name) {
			hint := suggest.DidYouMean(name, known)
			if hint == "" {
				hint = "; there are " + strings.Join(known, ", ")
			}
			return nil, usagef("there is no row %q%s", name, hint)
		}
		names = append(names, name)
	}
	return names, nil
}

// slowRows says what --quick leaves out.
func slowRows() []string {
	var rows []string
	for _, name := range bench.Names() {
		if bench.Slow(name) {
			rows = append(rows, name+": too slow for --quick")
		}
	}
	return rows
}

// benchEnv is what the rows are measured with: this executable is also the server
// whose tool they call.
func benchEnv(s *streams, tools string, quick bool) (*bench.Env, error) {
	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	env := &bench.Env{Echo: mcpclient.Server{Command: executable, Args: []string{"bench", echoServer}}, Sizes: bench.DefaultSizes()}
	if quick {
		env.Sizes = bench.QuickSizes()
	}
	env.Sandbox.Progress = func(message string) { fmt.Fprintf(s.stderr, "conductor: %s\n", printable(message)) }
	env.Starting = func(name string) { fmt.Fprintf(s.stderr, "conductor: measuring %s\n", name) }
	if tools == "" {
		return env, nil
	}
	env.Tools, err = benchTools(s, tools)
	return env, err
}

func benchTools(s *streams, path string) ([]codegen.Tool, error) {
	data, err := readTools(path, s.stdin)
	if err != nil {
		return nil, &inputError{err: err}
	}
	list, _, err := decodeTools(data, serverName(path))
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("the list is empty")
	}
	if err != nil {
		return nil, &inputError{err: fmt.Errorf("%s: %w", path, err), hint: toolsHint}
	}
	return list, nil
}
