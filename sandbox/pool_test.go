package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s does not come", what)
		}
	}
}

func TestPool(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{PoolSize: 3})
	if stats := s.Pool(); stats != (sandbox.PoolStats{}) {
		t.Errorf("before the first run: %+v", stats)
	}
	pids := map[string]bool{}
	for range 5 {
		pids[string(run(t, s, echoProgram("Deno.pid")).Value)] = true
		eventually(t, "a full pool", func() bool { return s.Pool().Waiting == 3 })
	}
	if len(pids) != 5 {
		t.Errorf("5 runs had %d processes", len(pids))
	}
	eventually(t, "the end of the last process", func() bool { return s.Pool().Running == 0 })
	if stats := s.Pool(); stats.Cold != 1 || stats.Warm != 4 || stats.Died != 0 {
		t.Errorf("after 5 runs: %+v", stats)
	}
}

func TestPoolIsDroppedWhenIdle(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{PoolSize: 1, PoolIdle: 300 * time.Millisecond})
	run(t, s, echoProgram("1"))
	eventually(t, "a waiting process", func() bool { return s.Pool().Waiting == 1 })
	eventually(t, "an empty pool", func() bool { return s.Pool().Waiting == 0 })
	if result := run(t, s, echoProgram("2")); string(result.Value) != "2" {
		t.Errorf("the next run: %+v", result)
	}
}

func TestNoPool(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{PoolSize: -1})
	run(t, s, echoProgram("1"))
	run(t, s, echoProgram("1"))
	if stats := s.Pool(); stats.Warm != 0 || stats.Cold != 2 || stats.Waiting+stats.Booting != 0 {
		t.Errorf("%+v", stats)
	}
}

func TestRunsWaitForTheirTurn(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{MaxRuns: 4})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			result, err := s.Run(context.Background(), echoProgram("await new Promise((r) => setTimeout(r, 100));\n1"))
			if err != nil || result.Phase != sandbox.PhaseOK {
				t.Errorf("%v %+v", err, result)
				return
			}
			if result.Duration < 100*time.Millisecond {
				t.Errorf("a program that sleeps 100ms ran for %v", result.Duration)
			}
			if stats := s.Pool(); stats.Running > 4 {
				t.Errorf("%d run at the same time", stats.Running)
			}
		})
	}
	wg.Wait()
}

func TestATurnThatDoesNotCome(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{MaxRuns: 1})
	ctx, cancel := context.WithCancel(t.Context())
	p := echoProgram("import { hang } from './mcp/echo';\nawait hang()")
	started := make(chan struct{})
	call := p.Call
	p.Call = func(ctx context.Context, c sandbox.Call) (json.RawMessage, error) {
		close(started)
		return call(ctx, c)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Run(ctx, p)
		done <- err
	}()
	<-started
	waiting, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := s.Run(waiting, echoProgram("1")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a run without a turn: %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("the run that had the turn: %v", err)
	}
	if result := run(t, s, echoProgram("1")); string(result.Value) != "1" {
		t.Errorf("the next run: %+v", result)
	}
}
