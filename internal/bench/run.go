package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/conductor/conductor/sandbox"
)

const (
	// noPool makes every run boot its own process.
	noPool = -1
	// restTimeout bounds the wait for a full pool.
	restTimeout = 30 * time.Second
)

// box makes a sandbox with a pool of this size.
func (e *Env) box(ctx context.Context, pool int) (*sandbox.Sandbox, error) {
	opts := e.Sandbox
	opts.PoolSize, opts.TypeCheck = pool, sandbox.TypeCheckOff
	return sandbox.New(ctx, &opts)
}

// defaultPool is the size of the pool that a sandbox has by default. It is given by
// name, so as to be able to tell when the pool is full.
func defaultPool() int { return max(2, runtime.NumCPU()) }

// smallest runs the smallest program.
func smallest(ctx context.Context, box *sandbox.Sandbox) (*sandbox.Result, error) {
	result, err := box.Run(ctx, &sandbox.Program{Code: "return 1 + 1"})
	switch {
	case err != nil:
		return nil, err
	case result.Phase != sandbox.PhaseOK:
		return nil, fmt.Errorf("return 1 + 1 ended with %s: %w", result.Phase, result.Error)
	case string(result.Value) != "2":
		return nil, fmt.Errorf("return 1 + 1 is %.100s", result.Value)
	}
	return result, nil
}

// rest waits until nothing runs or boots and the pool is full, so that what is
// measured next has the machine for itself.
func rest(ctx context.Context, box *sandbox.Sandbox, pool int) error {
	for deadline := time.Now().Add(restTimeout); ; time.Sleep(500 * time.Microsecond) {
		stats := box.Pool()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case stats.Running+stats.Booting == 0 && stats.Waiting >= pool:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("the pool is not full after %v: %d of %d processes wait", restTimeout, stats.Waiting, pool)
		}
	}
}

// A bareDeno is the same expression without Conductor.
type bareDeno struct {
	path, dir, file string
	env             []string
}

// bareFlags are those of a sandbox that grants nothing. They are written down again
// because the sandbox does not hand out its own, and need not.
var bareFlags = []string{
	"run", "--quiet", "--no-prompt", "--no-npm", "--no-remote", "--cached-only", "--no-config", "--no-lock",
	"--node-modules-dir=none", "--no-code-cache", "--deny-import",
}

// newBareDeno writes the file, and runs it once so that Deno's cache knows it.
func (e *Env) newBareDeno(ctx context.Context) (*bareDeno, error) {
	dir, err := os.MkdirTemp("", "conductor-bench-")
	if err != nil {
		return nil, err
	}
	b := &bareDeno{path: e.deno.Path, dir: dir, file: filepath.Join(dir, "program.ts")}
	b.env = []string{"HOME=" + dir, "DENO_DIR=" + filepath.Join(dir, "deno"), "DENO_NO_UPDATE_CHECK=1", "NO_COLOR=1"}
	if runtime.GOOS == "windows" {
		b.env = append(b.env, "SYSTEMROOT="+os.Getenv("SYSTEMROOT"))
	}
	if err = os.WriteFile(b.file, []byte("console.log(1 + 1);\n"), 0o600); err == nil {
		err = b.run(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, b.remove())
	}
	return b, nil
}

func (b *bareDeno) remove() error { return os.RemoveAll(b.dir) }

// run is one process, from its start to its exit.
func (b *bareDeno) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, b.path, append(slices.Clip(bareFlags), b.file)...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = b.dir, b.env, time.Second
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("bare deno run: %w: %.200s", err, output)
	}
	if string(bytes.TrimSpace(output)) != "2" {
		return fmt.Errorf("bare deno run writes %.100q, want 2", output)
	}
	return nil
}

func warm(ctx context.Context, env *Env) (Row, error) {
	return fresh(ctx, env, defaultPool(), env.Sizes.Warm)
}

func cold(ctx context.Context, env *Env) (Row, error) {
	return fresh(ctx, env, noPool, env.Sizes.Cold)
}

// fresh measures single runs, with the machine at rest before each, in turns with a
// few runs of bare Deno.
func fresh(ctx context.Context, env *Env, pool, runs int) (row Row, err error) {
	box, err := env.box(ctx, pool)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	bare, err := env.newBareDeno(ctx)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, bare.remove()) }()
	timed := func(do func() error) (time.Duration, error) {
		if err := rest(ctx, box, pool); err != nil {
			return 0, err
		}
		start := time.Now()
		err := do()
		return time.Since(start), err
	}
	inside := func() error { _, err := smallest(ctx, box); return err }
	outside := func() error { return bare.run(ctx) }
	if err := inside(); err != nil { // fills the pool
		return row, err
	}
	var took, alone []time.Duration
	const third = 3
	for i := range runs {
		one, err := timed(inside)
		if err != nil {
			return row, err
		}
		took = append(took, one)
		if i%third != 0 {
			continue
		}
		if one, err = timed(outside); err != nil {
			return row, err
		}
		alone = append(alone, one)
	}
	row.Measured = times(took)
	row.Baseline = &Baseline{"bare deno run of the expression, start to exit", times(alone)}
	return row, nil
}

// sustained compares rates, in turns, with every processor busy.
func sustained(ctx context.Context, env *Env) (row Row, err error) {
	box, err := env.box(ctx, 0)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, box.Close()) }()
	bare, err := env.newBareDeno(ctx)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, bare.remove()) }()
	var rates, bareRates []float64
	total := 0
	for range env.Sizes.RateBlocks {
		one, n, err := rate(ctx, env.Sizes.RateBlock, func(ctx context.Context) error { _, err := smallest(ctx, box); return err })
		if err != nil {
			return row, err
		}
		rates, total = append(rates, one), total+n
		if err := rest(ctx, box, defaultPool()); err != nil { // else its boots would slow down the other
			return row, err
		}
		if one, n, err = rate(ctx, env.Sizes.RateBlock, bare.run); err != nil {
			return row, err
		}
		bareRates, total = append(bareRates, one), total+n
	}
	row.Measured = numbers(rates)
	row.Baseline = &Baseline{"bare deno run", numbers(bareRates)}
	row.Notes = append(row.Notes, fmt.Sprintf("a sample is a turn of %v; %d runs in all", env.Sizes.RateBlock, total))
	return row, nil
}

// rate repeats do on all processors and returns how often it was done in a second.
// The first fifth of the time is not counted: it could live on a pool that was full.
func rate(ctx context.Context, d time.Duration, do func(context.Context) error) (perSecond float64, n int, err error) {
	group, groupCtx := errgroup.WithContext(ctx)
	counted := time.Now().Add(d / 5)
	end := counted.Add(d)
	var done atomic.Int64
	var last time.Time
	var mu sync.Mutex
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() error {
			for time.Now().Before(end) {
				if err := do(groupCtx); err != nil {
					return err
				}
				if now := time.Now(); now.After(counted) {
					done.Add(1)
					mu.Lock()
					last = now
					mu.Unlock()
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return 0, 0, err
	}
	n = int(done.Load())
	if n == 0 {
		return 0, 0, fmt.Errorf("nothing was done in %v", d)
	}
	return float64(n) / last.Sub(counted).Seconds(), n, nil
}
