// Package sandbox runs one untrusted TypeScript program at a time in a fresh Deno
// process that has no permission at all.
//
//	s, err := sandbox.New(ctx, nil)
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	result, err := s.Run(ctx, &sandbox.Program{Code: "return 6 * 7"})
//	fmt.Println(result.Phase, string(result.Value)) // ok 42
//
// A [Program] may import [Module] values that the host gives it and, through
// them, call the host: [Program.Call] receives a target and JSON arguments. The
// package knows nothing of tools or MCP.
//
// # A program
//
// A program is TypeScript without a frame: top-level await, imports and return
// work, and a Markdown fence around it is taken off. Its value is a top-level
// return, else the `export default`, else the last statement if that is an
// expression. The value must be JSON; Date, Map, Set, typed arrays and errors are
// converted, and [Result.Error] says which part cannot be.
//
// # Security
//
// The program never is part of the process's static module graph, which Deno
// exempts from permissions: a trusted harness is the main module, the program
// comes over stdin and is imported from memory. The process gets an explicit
// minimal environment, an empty working folder and no cache folder. It is killed,
// with its process group, when it has reported a result, when its time is up and when
// the context ends. What it can reach is decided by [Program.Modules],
// [Program.Call] and the [Profile] alone.
//
// Under Deno's permissions there are layers of the operating system, where it
// offers them: on Linux landlock (files, TCP, signals), seccomp (sockets,
// processes, and much else), resource limits on top of what an idle process uses,
// no capabilities, and death with the parent. They need no root and no
// configuration. [Result.Layers] says what was in force, [Layers] what this machine
// offers, and [IsolationRequire] refuses to do without. They follow the grants: a
// permission opens the layer that would stand in its way, and nothing else.
//
// # Concurrency
//
// A [Sandbox] is safe for concurrent use; each Run has its own process.
//
// # Errors
//
// [Sandbox.Run] returns a Go error only when the machinery failed: no Deno, a
// closed sandbox, a context that ended. What the program did wrong is in the
// [Result], with a [Phase], a position in the program's own text, and always the
// output and the calls up to then.
package sandbox

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/conductor/conductor/internal/jail"
	"github.com/conductor/conductor/internal/tempdir"
	"github.com/conductor/conductor/internal/typecheck"
)

// Defaults and bounds of [Options].
const (
	DefaultTimeout = 30 * time.Second
	MaxTimeout     = 5 * time.Minute

	defaultWallTimeout = 15 * time.Minute
	defaultMaxOutput   = 256 << 10
	defaultMaxValue    = 1 << 20
	defaultMaxCalls    = 1000
	defaultMaxInFlight = 64
	defaultMaxRuns     = 32
	defaultPoolIdle    = 2 * time.Minute

	// maxCode bounds a program: what a model writes is far below. It is also what
	// keeps esbuild's recursion within Go's stack, see maxNesting.
	maxCode = 256 << 10
	// maxWhole bounds a value that is fetched although it is over the limit.
	maxWhole = 16 << 20
	// maxTarget and maxArgs bound one call, maxOpenArgs the arguments of all calls
	// that are open at a time.
	maxTarget   = 1 << 10
	maxArgs     = 8 << 20
	maxOpenArgs = 32 << 20
	// maxText bounds each part of an error; the harness keeps to it.
	maxText = 8 << 10
	// maxPreview is what a preview has beside its text, which is at most half of MaxValue.
	maxPreview = 1 << 10
	// maxFrame bounds what a process can make the host hold at once.
	maxFrame = 32 << 20
)

// ErrClosed is returned by the methods of a [Sandbox] after Close.
var ErrClosed = errors.New("sandbox is closed")

// Options configure a [Sandbox]. The zero value is useful.
type Options struct {
	// Deno is the path of the deno executable. Empty means: $CONDUCTOR_DENO, then
	// PATH, then the cache folder, then the pinned version from the npm registry
	// (see [InstallDeno]).
	Deno string
	// CacheDir is where a fetched Deno and installed packages are kept; it must be
	// the host's own. Empty means the folder conductor
	// in [os.UserCacheDir].
	CacheDir string
	// Progress is told what a fetch of Deno or of packages is doing, in words for
	// people. nil means silence.
	Progress func(string)

	// Timeout is how long a program may run when its [Program.Timeout] is zero.
	// Zero means [DefaultTimeout]; the most is [MaxTimeout].
	Timeout time.Duration
	// TypeCheck says what becomes of a program whose types are wrong. The check knows
	// the types of [Program.Modules], of installed packages, and of what the runtime
	// has; `any` may be implicit. Empty means that such a program is not run, if
	// TypeScript is there: $CONDUCTOR_TSC, the cache folder, or else the pinned
	// version from the npm registry (10 MB).
	TypeCheck TypeCheck
	// WallTimeout is how long a run may take even while its clock stands still (see
	// [PauseClock]). Zero means 15 minutes.
	WallTimeout time.Duration

	// Profile is what programs may do and use unless [Program.Profile] says
	// otherwise.
	Profile Profile
	// Isolation says how much the layers of the operating system matter that are
	// put around Deno's own permissions. They are those of package jail in this
	// module: landlock, seccomp, resource limits and others, on Linux; they need no
	// root. Empty means as many as the machine offers.
	Isolation Isolation

	// MaxOutput is how many bytes of stdout and of stderr are kept of a run; the
	// rest is counted. Zero means 256 KiB.
	MaxOutput int
	// MaxValue is how many bytes of JSON a program's value may have before a
	// preview stands in for it. Zero means 1 MiB.
	MaxValue int
	// MaxCalls is how many calls a program may make in all. Zero means 1,000.
	MaxCalls int
	// MaxInFlight is how many of its calls are given to [Program.Call] at a time;
	// others wait. Zero means 64.
	MaxInFlight int

	// MaxRuns is how many programs run at the same time; others wait for their turn.
	// Zero means 32.
	MaxRuns int
	// PoolSize is how many booted processes wait for programs; each takes about 30
	// MB. They are started by the first run. Zero means one for each processor, at
	// least 2; negative means none, so that every run boots its own.
	PoolSize int
	// PoolIdle is how long waiting processes are kept without a run. Zero means 2
	// minutes.
	PoolIdle time.Duration

	// Logger hears of what an operator should know. nil means silence.
	Logger *slog.Logger
}

func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	for _, field := range []struct {
		name  string
		value int
	}{
		{"WallTimeout", int(opts.WallTimeout)}, {"MaxOutput", opts.MaxOutput}, {"MaxValue", opts.MaxValue},
		{"MaxCalls", opts.MaxCalls}, {"MaxInFlight", opts.MaxInFlight},
		{"MaxRuns", opts.MaxRuns}, {"PoolIdle", int(opts.PoolIdle)},
	} {
		if field.value < 0 {
			return opts, fmt.Errorf("sandbox: Options.%s is %d, want 0 or more", field.name, field.value)
		}
	}
	if opts.Timeout < 0 || opts.Timeout > MaxTimeout {
		return opts, fmt.Errorf("sandbox: Options.Timeout is %v, want 0 to %v", opts.Timeout, MaxTimeout)
	}
	setDefault(&opts.Timeout, DefaultTimeout)
	setDefault(&opts.WallTimeout, defaultWallTimeout)
	setDefault(&opts.MaxOutput, defaultMaxOutput)
	setDefault(&opts.MaxValue, defaultMaxValue)
	setDefault(&opts.MaxCalls, defaultMaxCalls)
	setDefault(&opts.MaxInFlight, defaultMaxInFlight)
	setDefault(&opts.MaxRuns, defaultMaxRuns)
	setDefault(&opts.PoolIdle, defaultPoolIdle)
	setDefault(&opts.PoolSize, max(2, runtime.NumCPU()))
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts, nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// A Sandbox runs programs. It is safe for concurrent use.
type Sandbox struct {
	opts Options
	deno Deno
	dir  *tempdir.Dir // holds each process's own folder

	types    *typecheck.Checker // nil if types are not checked
	defaults *prepared
	turns    chan struct{} // holds one for each run

	mu      sync.Mutex
	closed  bool
	closing context.Context
	close   context.CancelFunc
	runs    sync.WaitGroup
	queued  int
	// profiles are those that programs brought, the longest unused first.
	profiles  []*prepared
	preparing singleflight.Group
}

//go:embed harness.js
var harnessSource []byte

// New finds Deno, fetching it if need be, and makes a Sandbox. The context bounds
// only New. Options may be nil.
func New(ctx context.Context, options *Options) (*Sandbox, error) {
	opts, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := opts.Isolation.check(); err != nil {
		return nil, err
	}
	deno, err := InstallDeno(ctx, &opts)
	if err != nil {
		return nil, err
	}
	dir, err := tempdir.Make()
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	s := &Sandbox{opts: opts, deno: deno, dir: dir}
	s.closing, s.close = context.WithCancel(context.Background())
	s.turns = make(chan struct{}, opts.MaxRuns)
	err = s.makeFiles()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("sandbox: %w", err), dir.Remove())
	}
	profile, err := opts.Profile.withDefaults()
	if err == nil {
		s.defaults, err = s.newPrepared(ctx, profile)
	}
	if err != nil {
		return nil, errors.Join(err, dir.Remove())
	}
	if s.types, err = newChecker(ctx, &s.opts); err != nil {
		s.defaults.pool.close()
		return nil, errors.Join(err, dir.Remove())
	}
	s.logLayers()
	return s, nil
}

// logLayers tells the operator once what holds programs besides Deno.
func (s *Sandbox) logLayers() {
	report := jail.Probe()
	var missing []string
	for _, m := range report.Missing {
		missing = append(missing, string(m.Layer)+": "+m.Reason)
	}
	s.opts.Logger.Info("sandbox: layers of the operating system", "isolation", string(s.opts.Isolation), "offered", report.Layers, "missing", missing)
}

// Deno tells which Deno runs the programs.
func (s *Sandbox) Deno() Deno { return s.deno }

// Close ends the runs that are under way, waits for them and removes all files.
// Further calls do nothing.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	s.close()
	s.runs.Wait()
	for _, p := range s.known() {
		p.pool.close()
	}
	if !first {
		return nil
	}
	var err error
	if s.types != nil {
		err = s.types.Close()
	}
	return errors.Join(err, s.dir.Remove())
}

// Pool tells what the processes are doing.
func (s *Sandbox) Pool() PoolStats {
	var stats PoolStats
	for _, p := range s.known() {
		stats.add(p.pool.read())
	}
	stats.Running = len(s.turns)
	s.mu.Lock()
	stats.Queued = s.queued
	s.mu.Unlock()
	return stats
}

// known returns the profiles that have a pool.
func (s *Sandbox) known() []*prepared {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*prepared{s.defaults}, s.profiles...)
}

// turn waits until fewer than MaxRuns programs run.
func (s *Sandbox) turn(ctx context.Context) (done func(), err error) {
	count := func(n int) {
		s.mu.Lock()
		s.queued += n
		s.mu.Unlock()
	}
	count(1)
	defer count(-1)
	select {
	case s.turns <- struct{}{}:
		return func() { <-s.turns }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin registers a run, so that Close can wait for it.
func (s *Sandbox) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.runs.Add(1)
	return nil
}
