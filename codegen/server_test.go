package codegen_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/conductor/conductor/codegen"
	"github.com/google/go-cmp/cmp"
)

func namedTools(names ...string) []codegen.Tool {
	var tools []codegen.Tool
	for _, name := range names {
		tools = append(tools, codegen.Tool{Name: name, InputSchema: json.RawMessage(`{"type":"object"}`)})
	}
	return tools
}

func TestModulePath(t *testing.T) {
	tests := []struct{ name, want, imported string }{
		{"salesforce", "./mcp/salesforce", "salesforce"},
		{"my server", "./mcp/my_server", "my_server"},
		{"a/b\\c", "./mcp/a_b_c", "a_b_c"},
		{"v1.2", "./mcp/v1.2", "v1_2"},
		{"get-it", "./mcp/get-it", "get_it"},
		{"", "./mcp/_", "_"},
		{"...", "./mcp/_", "_"},
		{"../../etc/passwd", "./mcp/_etc_passwd", "_etc_passwd"},
		{".hidden", "./mcp/_hidden", "_hidden"},
		{"socket.js", "./mcp/socket_js", "socket_js"},
		{"x.D.TS", "./mcp/x.D_TS", "x_D_TS"},
		{"検索", "./mcp/_", "検索"},
		{"123", "./mcp/123", "_123"},
		{"console", "./mcp/console", "console_"},
		{"delete", "./mcp/delete", "delete_"},
		{"Deno", "./mcp/Deno", "Deno_"},
		{"a\u202eb\nc", "./mcp/a_b_c", "a_b_c"},
		{`"; evil()`, "./mcp/_evil_", "_evil_"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := codegen.ModulePath(test.name); got != test.want {
				t.Errorf("ModulePath = %q, want %q", got, test.want)
			}
			s := codegen.NewServer(test.name, nil, nil)
			if got := s.ModulePath(); got != test.want {
				t.Errorf("Server.ModulePath = %q, want %q", got, test.want)
			}
			line := fmt.Sprintf("import * as %s from %q;", test.imported, test.want)
			if got := s.ImportLine(); got != line {
				t.Errorf("ImportLine = %s, want %s", got, line)
			}
			if s.Name() != test.name {
				t.Errorf("Name = %q", s.Name())
			}
			parses(t, "import", s.ImportLine())
		})
	}
}

// TestNames shows that names are a one-to-one map, that they do not depend on
// the order of the tools, and that no tool can be called by another's name.
func TestNames(t *testing.T) {
	names := []string{"a-b", "a_b", "a.b", "a_b_2", "a b", "then", "then_", "delete", "_", "!", "!!", "", "__proto__", "constructor", "é", "e\u0301", "𝒳", "1", "_1", "a$b", "a\u200bb", "a\xffb"}
	s := codegen.NewServer("s", namedTools(names...), nil)
	slices.Reverse(names)
	again := codegen.NewServer("s", namedTools(names...), nil)
	seen := make(map[string]string)
	for _, name := range names {
		function := s.FunctionName(name)
		if other, taken := seen[function]; taken {
			t.Errorf("%q and %q are both %s", name, other, function)
		}
		seen[function] = name
		if got := again.FunctionName(name); got != function {
			t.Errorf("%q is %s or %s, depending on the order of the tools", name, function, got)
		}
		for _, called := range []string{name, function} {
			if wire, ok := s.WireName(called); !ok || wire != name {
				t.Errorf("WireName(%q) = %q, %t, want %q", called, wire, ok, name)
			}
		}
		if !s.Has(name) {
			t.Errorf("Has(%q) is false", name)
		}
	}
	parses(t, "names", s.Module(names...))
	for call, want := range map[string]string{"a_b": "a_b", "a_b_2": "a_b_2", "then_": "then_"} {
		if got := s.FunctionName(call); got != want {
			t.Errorf("%q lost its name to another tool: %s", call, got)
		}
	}
}

func TestUnknownTool(t *testing.T) {
	s := codegen.NewServer("s", namedTools("known"), nil)
	if s.Has("x") || s.FunctionName("x") != "" || s.Signature("x") != "" || s.Declaration("x") != "" || s.WrapsResult("x") {
		t.Error("an unknown tool has something")
	}
	if wire, ok := s.WireName("x"); ok || wire != "" {
		t.Errorf("WireName = %q, %t", wire, ok)
	}
	if got := s.Module("x"); !strings.HasSuffix(got, "export {};\n") || strings.Contains(got, "import") {
		t.Errorf("the module of no tool is\n%s", got)
	}
}

// TestModuleSelection shows that a module has exactly the tools asked for,
// whatever the order, and that loading one tool changes nothing of another.
func TestModuleSelection(t *testing.T) {
	s := codegen.NewServer("s", namedTools("a", "b-c", "b_c", "d"), nil)
	want := s.Module("a", "b-c")
	for _, names := range [][]string{{"b-c", "a"}, {"a", "a", "b-c", "nope", "b-c"}} {
		if diff := cmp.Diff(want, s.Module(names...)); diff != "" {
			t.Errorf("Module(%q):\n%s", names, diff)
		}
	}
	if strings.Contains(want, "function b_c(") || strings.Contains(want, "s.d") {
		t.Errorf("a tool that was not asked for:\n%s", want)
	}
	all := s.Module("d", "a", "b-c", "b_c")
	if !strings.Contains(all, `return call("s.b-c", args);`) || !strings.Contains(all, `b_c_2 as "b-c"`) {
		t.Errorf("a tool is missing:\n%s", all)
	}
}

func TestOptions(t *testing.T) {
	opts := &codegen.Options{BridgeModule: `./bridge".ts`}
	s := codegen.NewServer("s", namedTools("a"), opts)
	opts.BridgeModule = "changed"
	if got := s.Module("a"); !strings.Contains(got, `import { call } from "./bridge\".ts";`) {
		t.Errorf("the bridge module is not used:\n%s", got)
	}
	if got := codegen.NewServer("s", namedTools("a"), &codegen.Options{}).Module("a"); !strings.Contains(got, `from "`+codegen.DefaultBridgeModule+`"`) {
		t.Errorf("the default bridge module is not used:\n%s", got)
	}
}

func TestRepeatedTool(t *testing.T) {
	tools := namedTools("a", "b", "a", "a")
	tools[2].Description = "second"
	s := codegen.NewServer("s", tools, nil)
	want := []codegen.Diagnostic{{Tool: "a", Path: "/name", Message: "2 more tools of this name; ignored"}}
	if diff := cmp.Diff(want, s.Diagnostics()); diff != "" {
		t.Errorf("diagnostics (-want +got):\n%s", diff)
	}
	if strings.Contains(s.Declaration("a"), "second") {
		t.Error("the second tool of a name won")
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	tools := hostileTool("text")
	s := codegen.NewServer("s", tools, nil)
	want := codegen.NewServer("s", tools, nil).Module(toolNames(tools)...)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s.Signature(tools[0].Name)
			s.Diagnostics()
			if s.Module(toolNames(tools)...) != want {
				t.Error("module differs under concurrent use")
			}
		})
	}
	wg.Wait()
}

// TestBudgets feeds schemas that are far too large: the tool loses its types
// before the test loses its patience, and the tool beside it loses nothing.
func TestBudgets(t *testing.T) {
	properties := func(n int, schema string) string {
		var b strings.Builder
		b.WriteString(`{"type":"object","properties":{`)
		for i := range n {
			fmt.Fprintf(&b, `"p%d":%s,`, i, schema)
		}
		return b.String() + `"last":{}}}`
	}
	fork := `{"type":"object","properties":{"x":{"$ref":"#/$defs/A0"}},"$defs":{`
	for i := range 300 {
		fork += fmt.Sprintf(`"A%d":{"anyOf":[{"$ref":"#/$defs/A%d"},{"$ref":"#/$defs/B%d"}]},"B%[1]d":{"allOf":[{"$ref":"#/$defs/A%[2]d"},{"$ref":"#/$defs/B%[2]d"}]},`, i, i+1, i+1)
	}
	fork += `"A300":{"type":"object","properties":{"a":{}}},"B300":{"type":"object"}}}`
	chain := `{"type":"object","properties":{"x":{"$ref":"#/$defs/L0"}},"$defs":{`
	for i := range 3000 {
		chain += fmt.Sprintf(`"L%d":{"$ref":"#/$defs/L%d"},`, i, i+1)
	}
	chain += `"L3000":{"type":"string"}}}`
	names := make([]string, 5000)
	for i := range names {
		names[i] = fmt.Sprintf(`"n%d"`, i)
	}
	branch := `{"required":[` + strings.Join(names, ",") + `]}`
	branches := `{"type":"object","properties":{"a":{}},"anyOf":[` + strings.Repeat(branch+",", 12) + branch + `]}`
	merged := `{"type":"object","properties":{"a":{}},"allOf":[{}`
	for i := range 1500 {
		merged += fmt.Sprintf(`,{"type":"object","properties":{"m%d":{}}}`, i)
	}
	merged += `]}`
	text := strings.Repeat("long ", 100)

	tests := []struct {
		name, schema string
		diagnostic   string // in the first diagnostic
		typed        bool   // whether the types survive
	}{
		{"nesting bomb", strings.Repeat("[", 200_000), "nested deeper", false},
		{"closed nesting bomb", `{"properties":` + strings.Repeat("[", 200_000) + strings.Repeat("]", 200_000) + "}", "nested deeper", false},
		{"deep", strings.Repeat(`{"type":"array","items":`, 100) + `{}` + strings.Repeat("}", 100), "nested deeper than 32", false},
		{"many nodes", properties(5000, `{"type":"string"}`), "more than 4000 nodes", false},
		{"long prose", properties(300, `{"description":"`+text+`"}`), "descriptions of its properties", true},
		{"long names", properties(300, `{"type":"object","properties":{"`+strings.Repeat("x", 500)+`":{}}}`), "bytes of TypeScript", false},
		{"long enumerations", properties(3000, `{"enum":["`+strings.Repeat("x", 50)+`"]}`), "bytes of TypeScript", false},
		{"huge enumeration", properties(2, `{"enum":[`+strings.Repeat(`"a",`, 100_000)+`"b"]}`), "enumeration of 100001 values", true},
		{"huge text", `"` + strings.Repeat("x", 5<<20) + `"`, "exceeds", false},
		{"forking references", fork, "", true},
		{"wide branches", branches, "", true},
		{"many parts", merged, "", true},
		{"chain of references", chain, "", true},
		{"cut off", `{"type":"object","properties":{"a":`, "not JSON", false},
		{"garbage behind", `{"type":"object"} x`, "text after", false},
		{"not UTF-8", "{\"type\":\"object\",\"properties\":{\"\xff\":{}}}", "", true},
		{"blank", " \n ", "no schema", false},
		{"many mistakes", properties(1000, `7`), "schema is a number", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			tools := []codegen.Tool{
				{Name: "big", InputSchema: json.RawMessage(test.schema), OutputSchema: json.RawMessage(test.schema)},
				{Name: "fine", InputSchema: json.RawMessage(`{"properties":{"a":{"type":"string"}}}`)},
			}
			s := codegen.NewServer("s", tools, nil)
			module := s.Module("big", "fine")
			parses(t, "module", module)
			if len(module) > 2*(64<<10) {
				t.Errorf("module of %d bytes", len(module))
			}
			if !strings.Contains(module, "export function fine(args: FineArgs = {})") {
				t.Error("the other tool lost its types")
			}
			if typed := strings.Contains(module, "BigArgs"); typed != test.typed {
				t.Errorf("typed: %t, want %t:\n%.500s", typed, test.typed, module)
			}
			if !test.typed && !strings.Contains(module, "export function big(args: { [key: string]: unknown } = {}): Promise<any>") {
				t.Errorf("the tool cannot be called:\n%.500s", module)
			}
			diagnostics := s.Diagnostics()
			if len(diagnostics) > 40 {
				t.Errorf("%d diagnostics", len(diagnostics))
			}
			if test.diagnostic == "" && len(diagnostics) > 0 || test.diagnostic != "" && (len(diagnostics) == 0 || !strings.Contains(diagnostics[0].Message, test.diagnostic)) {
				t.Errorf("diagnostics %.300v, want %q", diagnostics, test.diagnostic)
			}
		})
	}
}
