package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

// Many runs of every kind, several at a time, leave nothing: no process, zombie,
// goroutine or file (leaktest sees to that), and the heap does not grow with them.
func TestSoak(t *testing.T) {
	leaktest.Check(t)
	runs := 2000
	if testing.Short() {
		runs = 200
	}
	s := newSandbox(t, &sandbox.Options{MaxRuns: 8, MaxOutput: 10_000, Profile: sandbox.Profile{MemoryMB: 64}})
	codes := []string{
		"return 1",
		"import { say } from './mcp/echo';\nreturn (await Promise.all([1, 2, 3].map((n) => say({ text: 'a' + n })))).length",
		"import { hang } from './mcp/echo';\nawait hang()",
		"for (;;) {}",
		"throw new Error('crash')",
		"Deno.exit(3)",
		"process.abort()",
		"const line = 'x'.repeat(10_000);\nfor (;;) console.log(line)",
		"const b = new Uint8Array(100_000);\nfor (;;) Deno.stdout.writeSync(b)",
		"const a: unknown[] = [];\nfor (;;) a.push(new Uint8Array(1 << 20).fill(1))",
		"new Worker('data:text/javascript,for (;;) {}', { type: 'module' });\nawait new Promise(() => {})",
		"const a = ;",
	}
	turn := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range turn {
				p := echoProgram(codes[i%len(codes)])
				p.Timeout = time.Duration(20+rand.IntN(80)) * time.Millisecond
				ctx, cancel := context.WithCancel(context.Background())
				if i%7 == 0 {
					time.AfterFunc(time.Duration(rand.IntN(50))*time.Millisecond, cancel)
				}
				result, err := s.Run(ctx, p)
				cancel()
				switch {
				case err != nil && !errors.Is(err, context.Canceled):
					t.Errorf("run %d: %v", i, err)
				case err == nil && (result.Phase == sandbox.PhaseOK) != (result.Error == nil):
					t.Errorf("run %d: %s with %v", i, result.Phase, result.Error)
				case err == nil && result.Phase == sandbox.PhaseOK && !json.Valid(result.Value):
					t.Errorf("run %d: value %.100q", i, result.Value)
				}
			}
		})
	}
	var before uint64
	for i := range runs {
		if i == runs/4 {
			before = heapInUse()
		}
		turn <- i
	}
	close(turn)
	wg.Wait()
	if after := heapInUse(); after > before+(20<<20) {
		t.Errorf("the heap has grown from %d to %d bytes over %d runs", before, after, runs*3/4)
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
