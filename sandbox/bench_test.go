package sandbox_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/sandbox"
)

// report adds percentiles of single runs, in milliseconds, to a benchmark.
func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	for _, p := range []struct {
		name string
		at   float64
	}{{"p50-ms", .50}, {"p90-ms", .90}, {"p99-ms", .99}} {
		b.ReportMetric(took[int(p.at*float64(len(took)-1))].Seconds()*1000, p.name)
	}
}

func BenchmarkRun(b *testing.B) {
	for _, bench := range []struct {
		name string
		pool int
	}{{"warm", 2}, {"cold", -1}} {
		b.Run(bench.name, func(b *testing.B) {
			s := newSandbox(b, &sandbox.Options{PoolSize: bench.pool})
			program := &sandbox.Program{Code: "return 1 + 1"}
			run(b, s, program)
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				for bench.pool > 0 && s.Pool().Waiting < bench.pool {
					time.Sleep(time.Millisecond)
				}
				b.StartTimer()
				start := time.Now()
				run(b, s, program)
				took = append(took, time.Since(start))
			}
			report(b, took)
		})
	}
	b.Run("sustained", func(b *testing.B) {
		s := newSandbox(b, nil)
		program := &sandbox.Program{Code: "return 1 + 1"}
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := s.Run(context.Background(), program); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// One call whose answer has 20 MB, from the call to the parsed value.
func BenchmarkLargeResult(b *testing.B) {
	s := newSandbox(b, nil)
	big, err := json.Marshal(strings.Repeat("é", 10<<20))
	if err != nil {
		b.Fatal(err)
	}
	p := echoProgram("import { say } from './mcp/echo';\nconst begin = performance.now();\nawait say({});\nreturn performance.now() - begin")
	p.Call = func(context.Context, sandbox.Call) (json.RawMessage, error) { return big, nil }
	var took []time.Duration
	for b.Loop() {
		var ms float64
		if err := json.Unmarshal(run(b, s, p).Value, &ms); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Duration(ms*float64(time.Millisecond)))
	}
	report(b, took)
}
