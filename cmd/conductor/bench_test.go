package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/internal/bench"
	"github.com/conductor/conductor/internal/leaktest"
)

// TestBenchJSON checks the document with the rows that take no time.
func TestBenchJSON(t *testing.T) {
	leaktest.Check(t)
	o := cli(t, "", "bench", "--quick", "--json", "--only", "index, heap-catalog")
	o.check(t, exitOK, []string{"{"}, []string{"conductor: measuring index\n", "conductor: measuring heap-catalog\n"})
	document := o.decode(t)
	if machine := document["machine"].(map[string]any); machine["cores"].(float64) < 1 || machine["os"] == "" {
		t.Errorf("machine: %v", machine)
	}
	rows := document["rows"].([]any)
	if len(rows) != 2 {
		t.Fatalf("%d rows, want 2", len(rows))
	}
	row := rows[0].(map[string]any)
	if row["name"] != "index" || row["promise"] != "p50 <= 150 ms" || row["unit"] != "ms" || row["ratio"].(float64) <= 0 {
		t.Errorf("row: %v", row)
	}
	if _, ok := row["met"].(bool); !ok {
		t.Errorf("met: %v", row["met"])
	}
	for _, part := range []string{"measured", "baseline"} {
		values := row[part].(map[string]any)
		for _, key := range []string{"p50", "p90", "p99", "samples"} {
			if values[key].(float64) <= 0 {
				t.Errorf("%s: %v", part, values)
			}
		}
	}
}

// TestBenchPrograms runs a row for which this binary serves, and which needs Deno.
func TestBenchPrograms(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	o := cli(t, "", "bench", "--quick", "--only", "left")
	o.check(t, exitOK, []string{"met      left  goroutines, processes and files left after Close", "1 of 1 promise met", "layers in force: ", "Not measured yet"}, []string{"measuring left"})
}

func TestBenchTools(t *testing.T) {
	leaktest.Check(t)
	tools := writeFile(t, "math.json", `[`+addTool+`]`)
	cli(t, "", "bench", "--quick", "--only", "index", "--tools", tools).check(t, exitOK, []string{"indexing 1,000 tools"}, []string{"measuring index"})
	cli(t, "", "bench", "--tools", writeFile(t, "none.json", `[]`)).check(t, exitUsage, nil, []string{"the list is empty", "Want a result of tools/list"})
	cli(t, "", "bench", "--tools", "nowhere.json").check(t, exitUsage, nil, []string{"open nowhere.json"})
}

func TestBenchUsage(t *testing.T) {
	cli(t, "", "bench", "x").check(t, exitUsage, nil, []string{`takes no argument, but there is "x"`})
	cli(t, "", "bench", "--only", "warm,colt").check(t, exitUsage, nil, []string{`there is no row "colt"; did you mean cold?`})
	cli(t, "", "bench", "--only", "something").check(t, exitUsage, nil, []string{`there is no row "something"; there are warm, cold`})
	cli(t, "", "bench", "--help").check(t, exitOK, []string{"--only NAME,…", "--tools FILE", "heap-connection"}, nil)
	if o := cli(t, "", "bench", "--help"); strings.Contains(o.stdout, echoServer) {
		t.Error("the help tells of the server")
	}
	rows, err := benchRows("", true)
	if err != nil || len(rows) != len(bench.Names())-len(slowRows()) {
		t.Errorf("--quick measures %v, %v", rows, err)
	}
}

// TestBenchPrint checks what people read, and the exit status, of a made-up report.
func TestBenchPrint(t *testing.T) {
	load := 0.5
	report := &bench.Report{
		Machine: bench.Machine{Cores: 2, OS: "linux", Arch: "amd64", Go: "go1.26", Load: &load, Deno: "2.9.6",
			Layers: []string{"landlock", "seccomp"}, MissingLayers: map[string]string{"netns": "not permitted"}},
		Rows: []bench.Row{
			{Name: "a", What: "One", Promise: "p50 <= 4 ms", Unit: "ms", Met: true, Ratio: 0.25, Notes: []string{"a note"},
				Measured: bench.Percentiles{P50: 3.631, P90: 12.34, P99: 200.4, Samples: 100},
				Baseline: &bench.Baseline{What: "bare", Percentiles: bench.Percentiles{P50: 14.5, P90: 15, P99: 16, Samples: 20}}},
			{Name: "long", What: "Two", Promise: "p99 <= 0 left", Unit: "left", Measured: bench.Percentiles{P50: 1, P90: 1, P99: 1, Samples: 1}},
			{Name: "b", What: "Three", Promise: "p50 <= 1 MB", Error: "no server\x1b\nat all"},
		},
		NotMeasured: []string{"something else"},
	}
	want := `met      a     One: p50 <= 4 ms
               p50 3.63, p90 12.3, p99 200 ms of 100; bare: p50 14.5, p90 15 ms of 20; ratio 0.250
               a note
not met  long  Two: p99 <= 0 left
               1 left
failed   b     Three: p50 <= 1 MB
               no server
               at all

1 of 3 promises met

Machine
  2 cores, linux/amd64, go1.26, load 0.500 before
  Deno 2.9.6
  layers in force: landlock, seccomp
  without netns: not permitted

Not measured yet
  something else
`
	var out bytes.Buffer
	if err := showBench(&streams{stdout: &out}, report, false, false); err != errFailed {
		t.Errorf("error is %v, although a row failed", err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("printed (-want +got):\n%s", diff)
	}
	report.Rows = report.Rows[:2]
	for strict, want := range map[bool]error{false: nil, true: errFailed} {
		if err := showBench(&streams{stdout: &out}, report, true, strict); err != want {
			t.Errorf("strict %v: %v, want %v", strict, err, want)
		}
	}
}
