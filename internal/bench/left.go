package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/conductor/conductor"
)

// settle is how long what was told to stop may take to be gone.
const settle = 2 * time.Second

// left opens a conductor, runs programs that end well and badly, closes it, and
// counts what is still there.
func left(ctx context.Context, env *Env) (row Row, err error) {
	dir, err := os.MkdirTemp("", "conductor-bench-")
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	restore, err := temporary(dir)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	var counts []float64
	var sum remains
	runs, longest := 0, time.Duration(0)
	for range env.Sizes.Rounds {
		goroutines, processes := runtime.NumGoroutine(), children()
		n, err := workload(ctx, env)
		if err != nil {
			return row, err
		}
		closed := time.Now()
		r := whatRemains(dir, goroutines, processes)
		for r.sum() > 0 && time.Since(closed) < settle {
			time.Sleep(time.Millisecond)
			r = whatRemains(dir, goroutines, processes)
		}
		counts = append(counts, float64(r.sum()))
		runs, longest = runs+n, max(longest, time.Since(closed))
		sum.goroutines, sum.processes, sum.files = sum.goroutines+r.goroutines, sum.processes+r.processes, sum.files+r.files
	}
	row.Measured = numbers(counts)
	row.Notes = append(row.Notes, fmt.Sprintf("%d goroutines, %d processes, %d files, at most %d ms after Close; %d programs ran, a sample is one Conductor",
		sum.goroutines, sum.processes, sum.files, longest.Milliseconds(), runs))
	if runtime.GOOS != "linux" {
		row.Notes = append(row.Notes, "processes are counted on Linux only")
	}
	return row, nil
}

// remains are what is there that was not there before.
type remains struct{ goroutines, processes, files int }

func (r remains) sum() int { return r.goroutines + r.processes + r.files }

func whatRemains(dir string, goroutines int, processes map[string]bool) remains {
	r := remains{goroutines: max(0, runtime.NumGoroutine()-goroutines), files: countFiles(dir)}
	for id := range children() {
		if !processes[id] {
			r.processes++
		}
	}
	return r
}

// temporary makes a folder the one for temporary files, until restore is called.
func temporary(dir string) (restore func() error, err error) {
	name := "TMPDIR"
	if runtime.GOOS == "windows" {
		name = "TMP"
	}
	before, was := os.LookupEnv(name)
	if err := os.Setenv(name, dir); err != nil {
		return nil, err
	}
	return func() error {
		if was {
			return os.Setenv(name, before)
		}
		return os.Unsetenv(name)
	}, nil
}

// workload opens a conductor, runs programs and closes it. It returns how many
// programs ran.
func workload(ctx context.Context, env *Env) (runs int, err error) {
	c, conv, err := env.withEcho(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	const echo = `import * as bench from "./mcp/bench"; `
	programs := []string{
		"return 1 + 1",
		echo + `return await Promise.all([1, 2, 3].map((i) => bench.echo({ text: String(i) })));`,
		echo + `await bench.echo({ text: "before" }); throw new Error("on purpose");`,
		echo + `bench.echo({ text: "not waited for" }); return 1;`,
		`while (true) {}`,
		`console.log("x".repeat(1e6)); return 2;`,
	}
	var group errgroup.Group
	for _, code := range programs {
		group.Go(func() error {
			_, err := conv.Execute(ctx, code, &conductor.ExecuteOptions{Timeout: 500 * time.Millisecond})
			return err
		})
	}
	return len(programs), group.Wait()
}
