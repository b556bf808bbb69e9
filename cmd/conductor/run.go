package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/conductor/conductor/internal/suggest"
)

// The exit codes.
const (
	exitOK        = 0
	exitFailed    = 1 // the program failed, nothing was found, something is wrong
	exitUsage     = 2 // the command line, a file or the configuration is wrong
	exitMachinery = 3 // it could not be done
)

// errFailed ends a command with exitFailed after it has said why.
var errFailed = errors.New("failed")

// A usageError is a mistake in the command line.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// An inputError is a file that cannot be used, and what to do about it.
type inputError struct {
	err  error
	hint string // may be empty
}

func (e *inputError) Error() string { return e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// streams are what a command reads and writes. Stderr may be used by several
// goroutines.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// A command is one thing that conductor can do.
type command struct {
	// name is what is typed, such as "find" or "mcp start".
	name string
	// usage is what follows the name.
	usage string
	// short is one line for the list of commands.
	short string
	// long, with an example, is for its own help.
	long string
	// define declares the flags and returns what runs after they are parsed.
	define func(*flag.FlagSet) action
}

type action func(ctx context.Context, s *streams, args []string) error

func commands() []*command {
	return []*command{mcpStartCommand(), execCommand(), findCommand(), specCommand(), generateCommand(), doctorCommand(), loginCommand(), benchCommand(), evalSearchCommand(), versionCommand()}
}

// run is the command line. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	s := &streams{stdin: stdin, stdout: stdout, stderr: &lockedWriter{w: stderr}}
	if len(args) == 0 {
		fmt.Fprint(s.stderr, overview())
		return exitUsage
	}
	switch args[0] {
	case "help", "--help", "-help", "-h":
		return help(s, args[1:])
	case "--version", "-version", "-v":
		args = append([]string{"version"}, args[1:]...)
	}
	c, rest, err := pick(args)
	if err != nil {
		fmt.Fprintf(s.stderr, "conductor: %v\nRun \"conductor help\" for the list of commands.\n", err)
		return exitUsage
	}
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	do := c.define(flags)
	operands, err := parse(flags, rest)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(s.stdout, c.help(flags))
		return exitOK
	}
	if err == nil {
		err = do(ctx, s, operands)
	}
	return finish(s, c, err)
}

// finish says what went wrong and returns the exit code.
func finish(s *streams, c *command, err error) int {
	var (
		usage *usageError
		input *inputError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	case errors.As(err, &usage):
		fmt.Fprintf(s.stderr, "conductor %s: %v\nRun \"conductor %s --help\" for its flags and an example.\n", c.name, err, c.name)
		return exitUsage
	case errors.As(err, &input):
		fmt.Fprintf(s.stderr, "conductor %s: %s\n", c.name, indentRest(err.Error()))
		if input.hint != "" {
			fmt.Fprintln(s.stderr, input.hint)
		}
		return exitUsage
	case errors.Is(err, context.Canceled):
		fmt.Fprintf(s.stderr, "conductor %s: interrupted\n", c.name)
		return exitMachinery
	}
	fmt.Fprintf(s.stderr, "conductor %s: %s\n", c.name, indentRest(printable(err.Error())))
	return exitMachinery
}

// pick finds the command that the arguments begin with.
func pick(args []string) (*command, []string, error) {
	all := commands()
	var names []string
	for _, c := range all {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && slices.Equal(args[:len(words)], words) {
			return c, args[len(words):], nil
		}
		// The first word of two can be asked for its help.
		if args[0] == words[0] {
			if rest := args[1:]; len(rest) > 0 && isHelp(rest[0]) {
				return c, rest, nil
			}
			return nil, nil, fmt.Errorf("%s needs to be told what to do: conductor %s", args[0], c.name)
		}
		names = append(names, words[0])
	}
	return nil, nil, fmt.Errorf("there is no command %q%s", args[0], suggest.DidYouMean(args[0], append(names, "help")))
}

func isHelp(arg string) bool { return slices.Contains([]string{"-h", "-help", "--help"}, arg) }

// parse parses flags wherever they stand, also after operands; "--" ends them.
func parse(flags *flag.FlagSet, args []string) (operands []string, err error) {
	for {
		if err := flags.Parse(args); err != nil {
			return nil, flagError(flags, err)
		}
		rest := flags.Args()
		if len(rest) == 0 {
			return operands, nil
		}
		if ended := len(args) - len(rest) - 1; ended >= 0 && args[ended] == "--" {
			return append(operands, rest...), nil
		}
		operands, args = append(operands, rest[0]), rest[1:]
	}
}

// flagError says what package flag says in words for people, who write two dashes.
func flagError(flags *flag.FlagSet, err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		var known []string
		flags.VisitAll(func(f *flag.Flag) { known = append(known, f.Name) })
		hint := ""
		if near := suggest.Nearest(name, known); near != "" {
			hint = "; did you mean --" + near + "?"
		}
		return usagef("there is no flag --%s%s", name, hint)
	}
	message := err.Error()
	for _, before := range []string{"flag ", "argument: "} {
		message = strings.Replace(message, before+"-", before+"--", 1)
	}
	if _, name, ok := strings.Cut(message, " for flag --"); ok {
		name, _, _ = strings.Cut(name, ":")
		if f := flags.Lookup(name); f != nil {
			_, text := flag.UnquoteUsage(f)
			message = fmt.Sprintf("%s (it is: %s)", message, text)
		}
	}
	return usagef("%s", message)
}

// A lockedWriter lets goroutines write whole messages.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.w.Write(b)
}
