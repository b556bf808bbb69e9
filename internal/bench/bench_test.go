package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/bench"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/internal/tool"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// echoArgument turns the test binary into the server that rows call.
const echoArgument = "echo-server"

func TestMain(m *testing.M) {
	if slices.Contains(os.Args[1:], echoArgument) {
		if err := bench.ServeEcho(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// tiny is enough to see that a row works.
func tiny(t *testing.T) *bench.Env {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &bench.Env{
		Echo: mcpclient.Server{Command: executable, Args: []string{echoArgument}, Env: map[string]string{
			"GORACE": "atexit_sleep_ms=0", // a race build else takes a second to exit
		}},
		Sizes: bench.Sizes{
			Warm: 3, Cold: 2, CallBlocks: 1, Calls: 5, RateBlocks: 1, RateBlock: 200 * time.Millisecond,
			Tools: 60, ManyTools: 100, Queries: 20, Indexings: 2, Heaps: 1, Conversations: 5, Connections: 2, Rounds: 1, Prompts: 2,
		},
	}
}

// requireDeno skips a test where there is no Deno, which in CI is a failure.
func requireDeno(t *testing.T) {
	t.Helper()
	if _, err := sandbox.FindDeno(t.Context(), nil); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs Deno: %v", err)
	}
}

func TestRows(t *testing.T) {
	requireDeno(t)
	for _, name := range bench.Names() {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			report, err := bench.Run(t.Context(), tiny(t), []string{name}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Rows) != 1 {
				t.Fatalf("%d rows, want 1", len(report.Rows))
			}
			checkRow(t, name, report.Rows[0])
		})
	}
}

// checkRow checks the form of a row; what it measured is the machine's business.
func checkRow(t *testing.T, name string, row bench.Row) {
	t.Helper()
	m := row.Measured
	switch {
	case row.Name != name || row.What == "" || row.Promise == "" || row.Unit == "":
		t.Errorf("row is %+v", row)
	case row.Error != "":
		t.Errorf("error: %s", row.Error)
	case m.Samples < 1 || m.P50 > m.P90 || m.P90 > m.P99:
		t.Errorf("measured %+v", m)
	}
	if name == "left" || name == "modules" { // which count mistakes of ours
		if !row.Met || m.P99 != 0 {
			t.Errorf("%v: %v", m, row.Notes)
		}
		return
	}
	if m.P50 <= 0 && !strings.HasPrefix(name, "heap") { // of a tiny heap noise is most
		t.Errorf("measured %+v", m)
	}
	if b := row.Baseline; b == nil || b.What == "" || b.Samples < 1 {
		t.Errorf("baseline %+v", b)
	}
	if strings.Contains(row.Promise, "p99") && m.Samples < 100 && !strings.Contains(strings.Join(row.Notes, "\n"), "the p99 is not judged") {
		t.Errorf("a p99 of %d samples is judged", m.Samples)
	}
}

// TestReport checks what does not depend on the rows.
func TestReport(t *testing.T) {
	leaktest.Check(t)
	env := tiny(t)
	var starting, done []string
	env.Starting = func(name string) { starting = append(starting, name) }
	report, err := bench.Run(t.Context(), env, []string{"index", "find"}, func(row bench.Row) { done = append(done, row.Name) })
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"find", "index"}; !slices.Equal(starting, want) || !slices.Equal(done, want) {
		t.Errorf("measured %v, done %v, want %v", starting, done, want)
	}
	m := report.Machine
	if m.Cores < 1 || m.OS == "" || m.Arch == "" || m.Go == "" || m.Deno != "" || len(report.NotMeasured) == 0 {
		t.Errorf("report is %+v", report)
	}
}

func TestUnknownRow(t *testing.T) {
	if _, err := bench.Run(t.Context(), tiny(t), []string{"warm", "quux"}, nil); err == nil || !strings.Contains(err.Error(), `"quux"`) {
		t.Errorf("error is %v", err)
	}
}

func TestCancelled(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	ctx, cancel := context.WithCancel(t.Context())
	env := tiny(t)
	env.Sizes.RateBlock = time.Hour
	env.Starting = func(string) { time.AfterFunc(200*time.Millisecond, cancel) }
	if _, err := bench.Run(ctx, env, []string{"sustained"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
}

// TestServerDown checks that a row which cannot be measured does not keep others
// from it.
func TestServerDown(t *testing.T) {
	leaktest.Check(t)
	env := tiny(t)
	env.Echo.Command = "no-such-program-here"
	report, err := bench.Run(t.Context(), env, []string{"heap-connection", "index"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	failed := report.Rows[1]
	if failed.Met || !strings.Contains(failed.Error, "no-such-program-here") || failed.Name != "heap-connection" {
		t.Errorf("row is %+v", failed)
	}
	if report.Rows[0].Error != "" {
		t.Errorf("row is %+v", report.Rows[0])
	}
}

// TestOwnTools searches a list that is shorter than the catalog and has schemas
// that not every server would take.
func TestOwnTools(t *testing.T) {
	leaktest.Check(t)
	env := tiny(t)
	env.Tools = []tool.Tool{
		{Server: "math", Name: "add", Description: "Adds two numbers", InputSchema: json.RawMessage(`{"type":"object"}`)},
		{Server: "math", Name: "odd", Description: "Has a schema that is none", InputSchema: json.RawMessage(`true`)},
		{Server: "math", Name: "bare"},
	}
	report, err := bench.Run(t.Context(), env, []string{"find", "find-100k", "index", "heap-conversation"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range report.Rows {
		checkRow(t, row.Name, row)
	}
}
