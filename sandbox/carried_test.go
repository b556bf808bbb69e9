package sandbox_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

// carriedModules are what the programs of TestCarriedBindings may import.
var carriedModules = []sandbox.Module{
	{Specifier: "./mcp/sf", Source: `
import { call } from "conductor:bridge";
export type Row = { id: string };
export function query(args: { soql: string }): Promise<Row[]> { return call("sf.query", args); }
export { query as "the-query" };
`},
	{Specifier: "./mcp/other", Source: "export const query = 'other';\nexport default 7;\n"},
}

var carriedBindings = []sandbox.Binding{
	{Name: "sf", Specifier: "./mcp/sf", Export: "*"},
	{Name: "query", Specifier: "./mcp/sf.ts", Export: "query"},
	{Name: "search", Specifier: "./mcp/sf", Export: "the-query"},
	{Name: "Row", Specifier: "./mcp/sf", Export: "Row", Type: true},
	{Name: "seven", Specifier: "./mcp/other", Export: "default"},
	{Name: "path", Specifier: "node:path", Export: "*"},
	{Name: "gone", Specifier: "./mcp/gone", Export: "*"},
	{Name: "z", Specifier: "npm:zod", Export: "z"},
	// What no program means by these names, and what is no name.
	{Name: "JSON", Specifier: "./mcp/other", Export: "*"},
	{Name: "Record", Specifier: "./mcp/sf", Export: "Row", Type: true},
	{Name: "if", Specifier: "./mcp/other", Export: "*"},
	{Name: "x from 'node:fs'; import y", Specifier: "./mcp/other", Export: "*"},
	{Name: "lines", Specifier: "./mcp/other", Export: "x\n} from 'node:fs'; import { y"},
	{Name: "sf", Specifier: "./mcp/other", Export: "*"}, // the first counts
}

// A program may use what earlier ones have imported, whatever else it declares, and
// positions stay those of its own text.
func TestCarriedBindings(t *testing.T) {
	leaktest.Check(t)
	for _, mode := range []sandbox.TypeCheck{sandbox.TypeCheckEnforce, sandbox.TypeCheckOff} {
		s, err := sandbox.New(t.Context(), &sandbox.Options{TypeCheck: mode})
		if err != nil {
			if os.Getenv("CI") == "" {
				t.Skipf("this test needs Deno and TypeScript: %v", err)
			}
			t.Fatal(err)
		}
		checked := mode == sandbox.TypeCheckEnforce
		run := func(t *testing.T, code string) *sandbox.Result {
			return run(t, s, &sandbox.Program{Code: code, Modules: carriedModules, Bindings: carriedBindings, Call: func(context.Context, sandbox.Call) (json.RawMessage, error) {
				return json.RawMessage(`[{"id":"a"}]`), nil
			}})
		}
		for _, test := range []struct{ name, code, want string }{
			{"namespace", "return (await sf.query({ soql: '' })).length", "1"},
			{"last expression", "const rows = await sf.query({ soql: '' });\nrows.length", "1"},
			{"in a template", "`${(await sf.query({ soql: '' })).length}`", `"1"`},
			{"shorthand", "return Object.keys({ seven, ...path }).includes('seven')", "true"},
			{"named", "return (await query({ soql: '' }))[0].id", `"a"`},
			{"exact name", "return (await search({ soql: '' }))[0].id", `"a"`},
			{"type", "const r: Row = { id: 'b' };\nreturn r.id", `"b"`},
			{"default", "return seven", "7"},
			{"of the runtime", "return path.join('a', 'b')", `"a/b"`},
			{"in an export default", "export default seven", "7"},
			{"in a nested function", "const f = () => { const g = () => seven; return g() };\nreturn f()", "7"},
			{"own const", "const sf = { query: 1 };\nreturn sf.query", "1"},
			{"own const, later", "const f = () => sf;\nconst sf = 1;\nreturn f()", "1"},
			{"own var", "var sf = 2;\nreturn sf", "2"},
			{"own function", "return sf();\nfunction sf() { return 3 }", "3"},
			{"own class", "class sf { static x = 4 }\nreturn sf.x", "4"},
			{"own parameter", "return [5].map((sf) => sf)[0]", "5"},
			{"own in a block only", "{ const seven = 1; void seven }\nreturn seven", "7"},
			{"own destructuring", "const { sf, ...query } = { sf: 6, a: 1 };\nreturn [sf, query.a]", "[6,1]"},
			{"own catch", "try { throw 8 } catch (sf) { return sf }", "8"},
			{"own label", "sf: for (;;) break sf;\nreturn 9", "9"},
			{"own type", "type Row = number;\ninterface sf { a: Row }\nconst x: sf = { a: 1 };\nreturn x.a", "1"},
			{"own enum", "enum sf { a = 11 }\nreturn sf.a", "11"},
			{"own import", "import * as sf from './mcp/other';\nreturn sf.query", `"other"`},
			{"own import of another name", "import { query as sf } from './mcp/other';\nreturn sf", `"other"`},
			{"own default import", "import sf, { query } from './mcp/other';\nreturn [sf, query]", `[7,"other"]`},
			{"own exported declaration", "export const sf = 12;\nsf", "12"},
			{"a property", "return ({ sf: 1 }).sf + ({ a: { query: 1 } }).a?.query", "2"},
			{"a global", "return JSON.stringify({ a: 1 } satisfies Record<string, number>)", `"{\"a\":1}"`},
			{"in a comment", "// sf and gone\nreturn 1", "1"},
			{"in a string", "return 'sf gone z'", `"sf gone z"`},
			{"fenced", "```ts\nreturn seven\n```", "7"},
			{"an unclosed import", "seven;\nimport { sf", "rejected: line 2"},
			{"unclosed", "const a = (sf", "rejected: line 1, column 14: SyntaxError: unexpected end of the program"},
			{"an unclosed comment", "seven /* sf", "rejected: line 1"},
			{"a mistake in a line that uses it", "\n\nsf.query(;", "rejected: line 3, column 10: SyntaxError: Unexpected \";\""},
			{"assigned to", "\nseven = 8;", "assigned"},
			{"thrown at", "void seven;\n  throw new Error('x')", "runtime_error: line 2, column 9: Error: x"},
			{"a module that is gone", "return gone.x", "gone"},
			{"an export that is none", "return lines", "rejected: ImportError: ./mcp/other has no export \"x"},
			{"an unknown function", "\n  await sf.quer({ soql: '' })", "quer"},
		} {
			t.Run(string(mode)+"/"+test.name, func(t *testing.T) {
				want := test.want
				switch {
				case want == "assigned":
					want = "rejected: line 2, column 1: SyntaxError: Cannot assign to import \"seven\""
				case want == "gone" && checked:
					want = "type_error: line 1, column 8: TS2304: Cannot find name 'gone'."
				case want == "gone":
					want = "runtime_error: line 1, column 1: ReferenceError: gone is not defined"
				case want == "quer":
					want = "rejected: line 2, column 12: ImportError: ./mcp/sf has no export \"quer\""
				}
				result := run(t, test.code)
				got := string(result.Value)
				if result.Error != nil {
					got = string(result.Phase) + ": " + result.Error.Error()
					got = got[:min(len(got), len(want))]
				}
				if got != want {
					t.Errorf("got %s, want %s\n%v", got, want, result.Error)
				}
			})
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What a program binds is what the next one may carry.
func TestResultBindings(t *testing.T) {
	s := newSandbox(t, nil)
	result := run(t, s, &sandbox.Program{Modules: carriedModules, Bindings: carriedBindings[:1], Code: "import * as o from './mcp/other';\nimport type { Row } from './mcp/sf';\nvoid sf;\nthrow 1"})
	want := []sandbox.Binding{{Name: "o", Specifier: "./mcp/other", Export: "*"}, {Name: "Row", Specifier: "./mcp/sf", Export: "Row", Type: true}}
	if diff := cmp.Diff(want, result.Bindings); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	result = run(t, s, &sandbox.Program{Modules: carriedModules, Code: "import * as o from './mcp/other';\no.none"})
	if diff := cmp.Diff(want[:1], result.Bindings); diff != "" || result.Phase != sandbox.PhaseRejected {
		t.Errorf("%s, -want +got:\n%s", result.Phase, diff)
	}
}
