// Package typecheck checks the types of one short program before it runs.
//
//	c, err := typecheck.New(ctx, nil)
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	diagnostics, err := c.Check(ctx, &typecheck.Program{
//		Wrapped: wrapped, UserLine: userLine,
//		Modules: []typecheck.Module{{Specifier: "./mcp/github", Source: source}},
//	})
//
// # How
//
// TypeScript's native compiler has a language server. A [Checker] keeps a few of them
// running and gives each one program at a time:
//
//	Check ─▶ pool ─▶ server ─LSP over stdin and stdout─▶ tsc --lsp
//	                   └─ projects: a folder for each set of modules, the last few kept
//
// The modules of a program are files in a folder that is made for exactly that set of
// them; the program itself exists only in memory, as an open document of the folder's
// project. A second program with the same modules costs a change of that document. It
// goes to the server that has the project, if that one is free.
//
// # What counts as an error
//
// Programs are twenty lines by a model. The compiler is strict, and what it says of
// style, of missing annotations (`any` may be implicit) and of dead code is left out;
// see diagnostics.go. A program is checked against the language, the globals that the
// sandbox has (globals.d.ts) and its modules. There is no DOM, and no Deno unless the
// program has permissions.
//
// # Security
//
// A server reads hostile text and nobody should depend on its being without faults.
// It runs in package jail: no network, no processes, and of files only its own
// installation, its work folder and the packages of the program. It inherits no
// environment. Memory, the time of a check and everything read from it are bounded; a
// server that exceeds a bound, dies or speaks nonsense is replaced.
package typecheck

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/conductor/conductor/internal/tempdir"
)

// Defaults of [Options].
const (
	DefaultServers  = 2
	DefaultTimeout  = 5 * time.Second
	DefaultMemoryMB = 512
)

var (
	// ErrTooComplex means that a check took too long or too much memory. The program
	// is to be simplified; there is nothing wrong with the checker.
	ErrTooComplex = errors.New("the program is too complex for the type check")
	// ErrUnavailable means that the language server failed twice on a program that
	// is not too complex. Others may well be checked.
	ErrUnavailable = errors.New("the type check is unavailable")
	// ErrClosed is returned by Check after Close, and during it.
	ErrClosed = errors.New("the type checker is closed")
)

// Options configure a [Checker]. The zero value is useful.
type Options struct {
	// TSC is the path of TypeScript's native executable. Empty means:
	// $CONDUCTOR_TSC, then the cache folder, then the pinned version from npm.
	TSC string
	// CacheDir is where a fetched TypeScript is kept. Empty means the folder
	// conductor in [os.UserCacheDir].
	CacheDir string
	// Servers is how many language servers there are at most, and with that how many
	// checks go on at a time. They start when they are needed and take about 60 to
	// 150 MB each. Zero means 2.
	Servers int
	// Timeout is how long one check may take once a server has it. Zero means 5 s. Where
	// the system tells that the server worked and had less than half a processor in that
	// time, it has as long again, at most three times.
	Timeout time.Duration
	// MemoryMB is how much memory a server may take, where the operating system can
	// limit that. One that has half of it after a check is replaced. Zero means 512.
	MemoryMB int
	// Logger hears of servers that were replaced because of a failure. nil means
	// silence.
	Logger *slog.Logger
	// Progress is told what a fetch of TypeScript is doing, in words for people. nil
	// means silence.
	Progress func(string)
}

func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Servers < 0 || opts.Timeout < 0 || opts.MemoryMB < 0 {
		return opts, errors.New("typecheck: Options.Servers, Timeout and MemoryMB must be 0 or more")
	}
	if opts.Servers == 0 {
		opts.Servers = DefaultServers
	}
	if opts.Timeout == 0 {
		opts.Timeout = DefaultTimeout
	}
	if opts.MemoryMB == 0 {
		opts.MemoryMB = DefaultMemoryMB
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts, nil
}

// A Program is what is to be checked. To check generated code itself, give it as the
// program: what is wrong in a module is never reported where it is imported.
type Program struct {
	// Wrapped is the program as a module: imports at the top level, and everything
	// else in the body of an async function, so that return and await are allowed.
	// Columns are those of the program itself.
	Wrapped string
	// UserLine turns a line of Wrapped, from 1, into the program's own. Zero means a
	// line that is the wrapper's; what is wrong there is not reported. nil means that
	// the lines are the same.
	UserLine func(line int) int
	// Syntax also reports errors of syntax. Leave it off if another parser has read
	// the program: TypeScript accepts less than that in the body of a function.
	Syntax bool
	// Modules can be imported, with ".ts" or without.
	Modules []Module
	// Packages are the installed packages that the program imports.
	Packages []Package
	// PackageDir is a folder that holds the files of all Packages, and of what those
	// need. The server may read it.
	PackageDir string
	// Deno declares the namespace Deno: the program has permissions.
	Deno bool
}

// A Module is TypeScript that a program can import.
type Module struct {
	// Specifier is what stands in the import: "./mcp/github", without ".ts".
	Specifier string
	// Source is the text. What is wrong in it is not the program's mistake: it counts
	// as any where it cannot be understood.
	Source string
}

// A Package is an import of an installed package.
type Package struct {
	// Specifier is what stands in the import: "zod", "npm:zod@^3/v4", "jsr:@std/path".
	Specifier string
	// Dir is the folder with the package.json, and Path what is imported of it: ""
	// for the main entry, or like "v4".
	Dir, Path string
	// File, if not empty, is the TypeScript to read instead.
	File string
}

// A Diagnostic is one mistake.
type Diagnostic struct {
	// Line and Column are positions in the program that was wrapped, from 1. Columns
	// count as JavaScript counts the length of a string.
	Line, Column int
	// Code is TypeScript's: 2339.
	Code int
	// Message is TypeScript's, flattened and shortened.
	Message string
	// Hint says what to do about it, if that is known.
	Hint string
}

// A Checker checks programs. It is safe for concurrent use.
type Checker struct {
	opts Options
	tsc  TSC
	dir  *tempdir.Dir // holds a folder for each server

	// slots holds one for each server that works, starts or is being replaced.
	slots chan struct{}

	mu      sync.Mutex
	idle    []*server
	running map[*server]bool // to be killed by Close

	closing context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
}

// New finds TypeScript, fetching it if need be, and makes a Checker. The context
// bounds only New. Options may be nil. No server is started yet: the first check does,
// or [Checker.Warm].
func New(ctx context.Context, options *Options) (*Checker, error) {
	opts, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	tsc, err := Install(ctx, &opts)
	if err != nil {
		return nil, err
	}
	dir, err := tempdir.Make()
	if err != nil {
		return nil, fmt.Errorf("typecheck: %w", err)
	}
	err = os.WriteFile(filepath.Join(dir.Path, globalsFile), globals, 0o600)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir.Path, denoFile), denoGlobals, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("typecheck: %w", err), dir.Remove())
	}
	c := &Checker{opts: opts, tsc: tsc, dir: dir, slots: make(chan struct{}, opts.Servers), running: map[*server]bool{}}
	c.closing, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// TSC returns the TypeScript in use.
func (c *Checker) TSC() TSC { return c.tsc }

// Check returns what is wrong with a program, in the order of its text, at most five
// mistakes. Its error wraps [ErrTooComplex], [ErrUnavailable] or [ErrClosed], or is
// the context's. When the context ends, Check returns at once and the server goes on
// until it is done or out of time.
func (c *Checker) Check(ctx context.Context, p *Program) ([]Diagnostic, error) {
	found, _, err := c.check(ctx, p)
	return found, err
}

// check is Check, and returns what TypeScript has said as it said it.
func (c *Checker) check(ctx context.Context, p *Program) ([]Diagnostic, []message, error) {
	layout, err := newLayout(p)
	if err != nil {
		return nil, nil, err
	}
	said, err := c.run(ctx, layout)
	if err != nil {
		return nil, nil, err
	}
	return diagnose(p, layout, said), said, nil
}

// Close ends all servers and the checks they work on, and removes all files. It may
// be called more than once.
func (c *Checker) Close() error {
	c.mu.Lock()
	c.cancel()
	for s := range c.running {
		s.kill()
	}
	c.mu.Unlock()
	c.work.Wait()
	// Nobody but a second Close is left to take one.
	c.mu.Lock()
	idle := c.idle
	c.idle = nil
	c.mu.Unlock()
	for _, s := range idle {
		c.discard(s)
	}
	if err := c.dir.Remove(); err != nil {
		return fmt.Errorf("typecheck: %w", err)
	}
	return nil
}
