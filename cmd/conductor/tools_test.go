package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/internal/leaktest"
)

// noDeno makes any attempt to use Deno fail, for commands that must do without.
func noDeno(t *testing.T) { t.Setenv("CONDUCTOR_DENO", "/no/such/deno") }

func TestFind(t *testing.T) {
	leaktest.Check(t)
	noDeno(t)
	config := notesConfig(t)
	cli(t, "", "find", "--config", config, "write", "down", "a", "note").check(t, exitOK,
		[]string{"notes.add_note  ", "notes.add_note(args: { text: string })", "Writes down a note"}, nil)

	o := cli(t, "", "find", "write a note", "--config", config, "--limit", "1", "--server", "notes", "--json")
	o.check(t, exitOK, []string{"{"}, nil)
	document := o.decode(t)
	tools := document["tools"].([]any)
	if len(tools) != 1 || tools[0].(map[string]any)["name"] != "notes.add_note" || document["conversation_id"] == "" {
		t.Errorf("document: %v", document)
	}
	if diff := cmp.Diff([]any{}, document["unavailable_servers"]); diff != "" {
		t.Errorf("unavailable_servers (-want +got):\n%s", diff)
	}

	cli(t, "", "find", "--config", config, "zxqv").check(t, exitFailed, nil, []string{"no tool matches"})
	o = cli(t, "", "find", "--config", config, "--json", "zxqv")
	o.check(t, exitFailed, []string{"{"}, []string{"no tool matches"})
	if diff := cmp.Diff([]any{}, o.decode(t)["tools"]); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
}

func TestSpec(t *testing.T) {
	leaktest.Check(t)
	noDeno(t)
	config := writeConfig(t, "{}", "notes", as(t, "notes"), "wrong", `{"command": "no-such-program-here"}`)
	down := "conductor: server wrong is not available: command \"no-such-program-here\" was not found in PATH"

	o := cli(t, "", "spec", "--config", config, "notes.add_note", "notes.refuse")
	o.check(t, exitOK, []string{`import * as notes from "./mcp/notes";`, "export declare function add_note(", "export declare function refuse("},
		[]string{down, "conductor doctor --config " + config})
	if got := strings.Count(o.stdout, "import * as"); got != 1 {
		t.Errorf("%d import lines, want 1", got)
	}

	o = cli(t, "", "spec", "--config", config, "notes.add_note", "notes.ad_note", "wrong.x", "notes", "zxqv", "--json")
	o.check(t, exitFailed, []string{"{"}, []string{
		`there is no tool "notes.ad_note"; the nearest names are notes.add_note`,
		"there is no tool wrong.x now: server wrong is not available",
		"notes is a server; its tools are notes.add_note, notes.refuse, notes.server_process, notes.wait",
		`there is no tool "zxqv"; "conductor find" searches`,
	})
	document := o.decode(t)
	specs, unknown := document["specs"].([]any), document["unknown"].([]any)
	if len(specs) != 1 || len(unknown) != 4 || !strings.Contains(specs[0].(map[string]any)["typescript"].(string), "function add_note(") {
		t.Errorf("document: %v", document)
	}
}

const addTool = `{"name": "add", "inputSchema": {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"]}}`

func TestGenerate(t *testing.T) {
	list := `[` + addTool + `]`
	shapes := map[string]string{
		"result":   `{"tools": ` + list + `}`,
		"array":    list,
		"response": `{"jsonrpc": "2.0", "id": 1, "result": {"tools": ` + list + `}}`,
	}
	for name, text := range shapes {
		t.Run(name, func(t *testing.T) {
			want := []string{`export function add(args: AddArgs)`, `call("math.add", args)`}
			cli(t, "", "generate", "--tools", writeFile(t, "math.json", text)).check(t, exitOK, want, nil)
			cli(t, text, "generate", "--tools", "-", "--server", "math").check(t, exitOK, want, nil)
			cli(t, text, "generate", "--check", "--tools", "-", "--server", "math").check(t, exitOK, want, nil)
		})
	}
	o := cli(t, `{"nextCursor": "2", "tools": [`+addTool+`, `+addTool+`]}`, "generate", "--json", "--tools", "-")
	o.check(t, exitOK, []string{"{"}, []string{"one page of several", "add: /name: 1 more tools of this name"})
	document := o.decode(t)
	want := []any{map[string]any{"name": "add", "function": "add", "signature": "tools.add(args: { a: number }): Promise<any>"}}
	if diff := cmp.Diff(want, document["tools"]); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}
	if document["module"] != "./mcp/tools" || !strings.Contains(document["typescript"].(string), "export function add(") || len(document["diagnostics"].([]any)) != 1 {
		t.Errorf("document: %v", document)
	}
}

func TestGenerateErrors(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"no JSON":        {"{\n  oops}", "-: line 2, column 3: invalid character 'o'"},
		"empty":          {"", "unexpected end of JSON input"},
		"something else": {`{"name": "add"}`, "there are no tools in it"},
		"text":           {`"tools"`, "cannot unmarshal string"},
		"error":          {`{"error": {"code": -32601, "message": "no tools"}}`, `an error that a server answered with: {"code": -32601, "message": "no tools"}`},
		"no name":        {`[` + addTool + `, {"description": "x"}]`, "tools[1]: there is no name"},
		"wrong type":     {`[{"name": 7}]`, "tools[0]: json: cannot unmarshal number"},
	} {
		t.Run(name, func(t *testing.T) {
			cli(t, test.text, "generate", "--tools", "-").check(t, exitUsage, nil, []string{test.want, "Want a result of tools/list"})
		})
	}
	cli(t, "", "generate", "--tools", "nowhere.json").check(t, exitUsage, nil, []string{"open nowhere.json"})
}
