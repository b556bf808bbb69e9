package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/conductor/conductor/sandbox"
)

// newSandbox makes a sandbox for a test. Where there is no Deno the test is
// skipped; under CI that is a failure.
func newSandbox(t testing.TB, opts *sandbox.Options) *sandbox.Sandbox {
	t.Helper()
	// Most of these programs are wrong on purpose, and must get as far as they can.
	var o sandbox.Options
	if opts != nil {
		o = *opts
	}
	if o.TypeCheck == sandbox.TypeCheckAuto {
		o.TypeCheck = sandbox.TypeCheckOff
	}
	s, err := sandbox.New(context.Background(), &o)
	if errors.Is(err, sandbox.ErrNoDeno) && os.Getenv("CI") == "" {
		t.Skipf("this test needs Deno: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// run runs a program that must be judged, not refused by the machinery.
func run(t testing.TB, s *sandbox.Sandbox, p *sandbox.Program) *sandbox.Result {
	t.Helper()
	result, err := s.Run(context.Background(), p)
	if err != nil {
		t.Fatalf("Run: %v", err)
	}
	return result
}

// echo is a module whose functions call the host.
var echo = sandbox.Module{Specifier: "./mcp/echo", Source: `
import { call } from "conductor:bridge";
export function say(args: { text?: string }): Promise<any> { return call("echo.say", args); }
export function fail(args?: unknown): Promise<any> { return call("echo.fail", args); }
export function hang(args?: unknown): Promise<any> { return call("echo.hang", args); }
`}

// answer is the host behind echo.
func answer(ctx context.Context, c sandbox.Call) (json.RawMessage, error) {
	switch c.Target {
	case "echo.say":
		return c.Args, nil
	case "echo.hang":
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, &sandbox.CallError{Message: "echo.fail: no such record", Data: json.RawMessage(`{"code":404}`)}
}

func echoProgram(code string) *sandbox.Program {
	return &sandbox.Program{Code: code, Modules: []sandbox.Module{echo}, Call: answer}
}

const shortTimeout = 1500 * time.Millisecond

// childrenNamed returns the ids of this process's children with this command name.
func childrenNamed(t *testing.T, name string) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		t.Skip("this test needs /proc")
	}
	var pids []int
	for _, stat := range stats {
		data, err := os.ReadFile(stat)
		if err != nil {
			continue // gone already
		}
		var pid, parent int
		var command, state string
		if _, err := fmt.Sscanf(string(data), "%d %s %s %d", &pid, &command, &state, &parent); err == nil && parent == os.Getpid() && command == "("+name+")" {
			pids = append(pids, pid)
		}
	}
	return pids
}
