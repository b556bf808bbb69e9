package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/internal/leaktest"
)

func TestExec(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	config := writeConfig(t, `{"timeout": "20s"}`, "notes", as(t, "notes"))
	for _, test := range []struct {
		name, code     string
		args           []string
		exit           int
		stdout, stderr []string
	}{
		{
			"value and output",
			`import * as notes from "./mcp/notes";
			console.log("writing");
			console.error("careful");
			await Promise.all([notes.add_note({ text: "a" }), notes.add_note({ text: "b" })]);
			return notes.add_note({ text: "c" });`,
			nil, exitOK, []string{"writing\n{\"count\":3}\n"}, []string{"careful\n"},
		},
		{"no value", `const a = 1;`, nil, exitOK, nil, nil},
		{"a string is JSON", `return "a\u009bb"`, nil, exitOK, []string{`"a\u009bb"` + "\n"}, nil},
		{"syntax error", "const a = 1;\nconst b = ;", nil, exitFailed, nil, []string{"stdin:2:11: rejected: "}},
		{"throws", "const a = 1;\nthrow new TypeError('no');", nil, exitFailed, nil, []string{"stdin:2:7: runtime_error: TypeError: no\n"}},
		{
			"tool fails",
			`import * as notes from "./mcp/notes";
			await notes.add_note({ text: "a" });
			await notes.refuse();`,
			nil, exitFailed, nil, []string{"stdin:3:", "notes.refuse: the notebook is full", "calls made before that:", "notes.add_note: ok", "notes.refuse: the notebook is full"},
		},
		{"unknown module", `import * as x from "./mcp/notse"; return x.y();`, nil, exitFailed, nil, []string{"rejected", "./mcp/notes"}},
		{"timeout", `console.log("before"); while (true) {}`, []string{"--timeout", "500ms"}, exitFailed, []string{"before\n"}, []string{"stdin: timeout: ", "500ms"}},
		{"empty", " ", nil, exitFailed, nil, []string{"rejected"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			args := append([]string{"exec", "--config", config, "-"}, test.args...)
			cli(t, test.code, args...).check(t, test.exit, test.stdout, test.stderr)
		})
	}
	t.Run("file", func(t *testing.T) {
		program := writeFile(t, "p.ts", "throw new Error('no');")
		cli(t, "", "exec", program, "--config", config).check(t, exitFailed, nil, []string{program + ":1:"})
	})
}

func TestExecJSON(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	config := notesConfig(t)
	o := cli(t, `import * as notes from "./mcp/notes"; console.log("hi"); return notes.add_note({ text: "a" });`, "exec", "--json", "--config", config, "-")
	o.check(t, exitOK, []string{"{"}, nil)
	got := o.decode(t)
	call := got["calls"].([]any)[0].(map[string]any)
	want := map[string]any{"phase": "ok", "value": map[string]any{"count": 1.0}, "stdout": "hi\n", "stderr": ""}
	for key, value := range want {
		if diff := cmp.Diff(value, got[key]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", key, diff)
		}
	}
	if call["tool"] != "notes.add_note" || call["ok"] != true {
		t.Errorf("calls: %v", got["calls"])
	}

	o = cli(t, "\n  (undefined as any)();\nreturn 1;", "exec", "--json", "--config", config, "-")
	o.check(t, exitFailed, []string{"{"}, []string{"stdin:2:4: runtime_error: "})
	if got := o.decode(t)["error"].(map[string]any); got["line"] != 2.0 || got["column"] != 4.0 {
		t.Errorf("error: %v", got)
	}
}

// TestExecOthersUsable runs a program although most servers cannot be used.
func TestExecOthersUsable(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	config := writeConfig(t, "{}", "exits", as(t, "exits"), "notes", as(t, "notes"), "wrong", `{"command": "no-such-program-here"}`)
	cli(t, `import * as notes from "./mcp/notes"; return notes.add_note({ text: "a" });`, "exec", "--config", config, "-").check(t, exitOK,
		[]string{"{\"count\":1}\n"},
		[]string{"server exits is not available: the server process exited (exit status 3)", "server wrong is not available", "conductor doctor"})
}

func TestExecNoDeno(t *testing.T) {
	leaktest.Check(t)
	noDeno(t)
	cli(t, "return 1", "exec", "--config", notesConfig(t), "-").check(t, exitMachinery, nil, []string{"no usable Deno", "CONDUCTOR_DENO"})
}

// TestExecInterrupted ends the context while a tool is being called.
func TestExecInterrupted(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	started := filepath.Join(t.TempDir(), "started")
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(started); err == nil {
				cancel()
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	o := cliContext(ctx, `import * as notes from "./mcp/notes"; console.log("before"); await notes.wait({ path: `+encode(t, started)+` });`,
		"exec", "--config", notesConfig(t), "-")
	o.check(t, exitMachinery, []string{"before\n"}, []string{"cancelled", "notes.wait: ", "interrupted"})
}
