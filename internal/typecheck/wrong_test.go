package typecheck

import (
	"fmt"
	"strings"
	"testing"

	"github.com/conductor/conductor/internal/tempdir"
)

// A mistake is what is expected of the first diagnostic of a program.
type mistake struct {
	name, code   string
	line, column int
	ts           int
	message      string // a part of it
	hint         string // a part of it
}

const crmImport = "import * as crm from \"./mcp/crm\";\n"

var wrong = []mistake{
	{"misspelt tool", crmImport + `await crm.qeury({ soql: "x" })`, 2, 11, 2551, "'qeury' does not exist on type 'typeof import(\"./mcp/crm\")'", "did you mean 'query'?"},
	{"no such tool", crmImport + `await crm.deleteEverything()`, 2, 11, 2339, "'deleteEverything' does not exist", `./mcp/crm has query, update_account, raw, whoami`},
	{"misspelt tool in brackets", `import * as odd from "./mcp/odd-names";
return odd["get-tikets"]({ project: "x" })`, 2, 12, 2551, "get-tikets", "did you mean 'get-tickets'?"},
	{"no such tool in brackets", `import * as odd from "./mcp/odd-names";
return odd["everything"]({ project: "x" })`, 2, 8, 7053, "Property 'everything' does not exist on type", `get_tickets, delete_, "delete", "get-tickets"`},
	{"no such name in brackets", crmImport + `return (await crm.query({ soql: "x" }))["total"]`, 2, 8, 7053, "Property 'total' does not exist on type 'QueryResult'", "QueryResult is { done"},
	{"misspelt argument", crmImport + `return crm.query({ sql: "x" })`, 2, 20, 2561, "'sql' does not exist in type 'QueryArgs'", "did you mean to write 'soql'?"},
	{"misspelt optional argument", crmImport + `return crm.query({ soql: "x", limmit: 1 })`, 2, 31, 2561, "'limmit' does not exist", "did you mean to write 'limit'?"},
	{"excess property", crmImport + `return crm.query({ soql: "x", cache: true })`, 2, 31, 2353, "'cache' does not exist in type 'QueryArgs'", "QueryArgs is { soql: string; limit?: number; }"},
	{"wrong type", crmImport + `return crm.query({ soql: 5 })`, 2, 20, 2322, "Type 'number' is not assignable to type 'string'", "it is the property soql; QueryArgs is { soql: string; limit?: number; }"},
	{"wrong optional type", crmImport + `return crm.query({ soql: "x", limit: "10" })`, 2, 31, 2322, "Type 'string' is not assignable to type 'number'", "it is the property limit; QueryArgs is {"},
	{"missing field", crmImport + `return crm.query({ limit: 1 })`, 2, 18, 2741, "Property 'soql' is missing in type '{ limit: number; }' but required in type 'QueryArgs'", "add the required property soql; QueryArgs is { soql: string; limit?: number; }"},
	{"missing fields", crmImport + `return crm.update_account({})`, 2, 27, 2739, "missing the following properties from type 'UpdateAccountArgs'", "add the required properties id, fields, owner; UpdateAccountArgs is {"},
	{"missing nested field", crmImport + `return crm.update_account({ id: "1", fields: { stage: "won" }, owner: { email: "" } })`, 2, 38, 2741, "Property 'amount' is missing", "add the required property amount"},
	{"no argument", crmImport + `return crm.query()`, 2, 12, 2554, "Expected 1 arguments, but got 0", "an argument for 'args' was not provided; QueryArgs is { soql: string; limit?: number; }"},
	{"a string for the object", crmImport + `return crm.query("SELECT Id")`, 2, 18, 2345, "'string' is not assignable to parameter of type 'QueryArgs'", "QueryArgs is { soql"},
	{"wrong enum value", crmImport + `return crm.update_account({ id: "1", fields: { stage: "wun", amount: 1 }, owner: { email: "" } })`, 2, 48, 2322, `Type '"wun"' is not assignable to type '"lost" | "open" | "won"'`, ""},
	{"enum that widened", crmImport + `const fields = { stage: "won", amount: 1 };
return crm.update_account({ id: "1", fields, owner: { email: "" } })`, 3, 38, 2322, `is not assignable to type '"lost" | "open" | "won"'`, "as const"},
	{"misuse of a result", crmImport + `const r = await crm.query({ soql: "x" });
return r.rows.length`, 3, 10, 2339, "Property 'rows' does not exist on type 'QueryResult'", "QueryResult is { done: boolean; records: {"},
	{"misspelt field of a result", crmImport + `const r = await crm.query({ soql: "x" });
return r.recrods.length`, 3, 10, 2551, "'recrods' does not exist on type 'QueryResult'", "did you mean 'records'?"},
	{"a result as an array", crmImport + `for (const r of await crm.query({ soql: "x" })) console.log(r)`, 2, 17, 2488, "'QueryResult' must have a '[Symbol.iterator]()'", ""},
	{"forgotten await", crmImport + `const r = crm.query({ soql: "x" });
return r.records`, 3, 10, 2339, "Property 'records' does not exist on type 'Promise<QueryResult>'", "did you forget to use 'await'?"},
	{"promise as a condition", crmImport + `if (crm.whoami()) return 1;
return crm.whoami().email`, 2, 5, 2801, "always", "did you forget to use 'await'?"},
	{"null not tested", crmImport + `const r = await crm.update_account({ id: "1", fields: { stage: "won", amount: 1 }, owner: { email: "" } });
return r.updatedAt.slice(0, 10)`, 3, 8, 18047, "'r.updatedAt' is possibly 'null'", "test it first"},
	{"undefined not tested", crmImport + `const r = await crm.query({ soql: "x" });
return r.records[0].Name.length`, 3, 8, 2532, "'undefined'", "test it first"},
	{"method of another type", crmImport + `const me = await crm.whoami();
return me.email.map((x) => x)`, 3, 17, 2339, "Property 'map' does not exist on type 'string'", ""},
	{"comparison that cannot hold", crmImport + `const me = await crm.whoami();
return me.roles[0] === "owner"`, 3, 8, 2367, "no overlap", ""},
	{"document", `return document.title`, 1, 8, 2584, "Cannot find name 'document'.", "no DOM"},
	{"window", `return window.location`, 1, 8, 2304, "Cannot find name 'window'", "no DOM"},
	{"require", `const fs = require("fs"); return fs`, 1, 12, 2591, "Cannot find name 'require'.", "use import"},
	{"Deno without permissions", `return Deno.readTextFile("x")`, 1, 8, 2304, "Cannot find name 'Deno'", "no permissions"},
	{"unknown name", `const total = 1;
return totl + 1`, 2, 8, 2552, "Cannot find name 'totl'", "did you mean 'total'?"},
	{"a tool without its module", `return crm.query({ soql: "x" })`, 1, 8, 2304, "Cannot find name 'crm'", `import it: import * as crm from "./mcp/crm"`},
	{"a tool without its module and import", `return query({ soql: "x" })`, 1, 8, 2304, "Cannot find name 'query'", `import it: import { query } from "./mcp/crm"`},
	{"calling what is no function", `const n = 5;
return n()`, 2, 8, 2349, "This expression is not callable", ""},
	{"calling the module", crmImport + `return crm({ soql: "x" })`, 2, 8, 2349, "not callable", ""},
	{"wrong import name", `import { qeury } from "./mcp/crm";
return qeury({ soql: "x" })`, 1, 10, 2724, "no exported member named 'qeury'", "did you mean 'query'?"},
	{"import of nothing alike", `import { everything } from "./mcp/crm";
return everything()`, 1, 10, 2305, `Module '"./mcp/crm"' has no exported member 'everything'`, "./mcp/crm has query"},
	{"default import of a module", `import crm from "./mcp/crm";
return crm`, 1, 8, 1192, "no default export", `import * as name from "./mcp/crm"`},
	{"module that is not there", `import * as x from "./mcp/crn";
return x`, 1, 20, 2307, "Cannot find module './mcp/crn'", "./mcp/crm, ./mcp/odd-names"},
	{"assignment to a constant", `const a = 1;
a = 2`, 2, 1, 2588, "Cannot assign to 'a' because it is a constant", ""},
	{"declared twice", `const a = 1;
const a = 2;
return a`, 1, 7, 2451, "redeclare", ""},
	{"too many arguments", crmImport + `return crm.query({ soql: "x" }, 5)`, 2, 33, 2554, "Expected 1 arguments, but got 2", ""},
	{"wrong method name", `return ["a"].includes("a") && "x".contains("y")`, 1, 35, 2339, "'contains'", ""},
	{"wrong use of fetch", `const r = await fetch("https://example.com", { methd: "POST" });
return r.json().items`, 1, 48, 2561, "'methd'", "did you mean to write 'method'?"},
	{"annotated wrongly", `const n: number = "5";
return n`, 1, 7, 2322, "Type 'string' is not assignable to type 'number'", ""},
	{"unknown", `const x: unknown = JSON.parse("1");
return x.a`, 2, 8, 18046, "'x' is of type 'unknown'", "test its type first"},
	{"after wide characters", `const s = "😀é"; s.foo`, 1, 20, 2339, "'foo'", ""},
	{"default export", crmImport + `export default (await crm.whoami()).emial`, 2, 37, 2551, "'emial'", "did you mean 'email'?"},
	{"bridge", `import { cal } from "conductor:bridge";
return cal("x")`, 1, 10, 2724, "'cal'", "did you mean 'call'?"},
}

func TestWrongPrograms(t *testing.T) {
	c := newChecker(t, Options{})
	for _, test := range wrong {
		t.Run(test.name, func(t *testing.T) {
			found := check(t, c, program(test.code))
			if len(found) == 0 {
				t.Fatal("nothing is wrong with it")
			}
			got := found[0]
			if got.Line != test.line || got.Column != test.column || got.Code != test.ts ||
				!strings.Contains(got.Message, test.message) || !strings.Contains(got.Hint, test.hint) {
				t.Errorf("got  %d:%d TS%d %s (%s)\nwant %d:%d TS%d %s (%s)", got.Line, got.Column, got.Code, got.Message, got.Hint,
					test.line, test.column, test.ts, test.message, test.hint)
			}
			if strings.Contains(got.Message+got.Hint, tempdir.Prefix) || strings.Contains(got.Message, "\n") {
				t.Errorf("the message shows what is not the author's: %q", got.Message)
			}
		})
	}
}

func TestDiagnostics(t *testing.T) {
	c := newChecker(t, Options{Servers: 1})
	t.Run("at most five, in order", func(t *testing.T) {
		var code strings.Builder
		for i := range 20 {
			fmt.Fprintf(&code, "missing%d();\n", i)
		}
		found := check(t, c, program(code.String()))
		if len(found) != maxDiagnostics {
			t.Fatalf("%d diagnostics, want %d", len(found), maxDiagnostics)
		}
		for i, d := range found {
			if d.Line != i+1 {
				t.Errorf("the one of line %d is number %d", d.Line, i+1)
			}
		}
	})
	t.Run("the module's own mistakes are not the author's", func(t *testing.T) {
		p := program(`import * as broken from "./mcp/broken"; return broken.f(1)`)
		p.Modules = []Module{{"./mcp/broken", "export function f(a: Missing): number { return 'x' } ]]"}}
		p.Wrapped, p.UserLine = wrap("import * as broken from \"./mcp/broken\";\nreturn broken.f(1)")
		if found := check(t, c, p); len(found) > 0 {
			t.Errorf("it says %v", found)
		}
	})
	t.Run("syntax is for who asks", func(t *testing.T) {
		p := program("const a = ;\nreturn a")
		if found := check(t, c, p); len(found) > 0 {
			t.Errorf("it says %v", found)
		}
		p.Syntax = true
		if found := check(t, c, p); len(found) != 1 || found[0].Line != 1 || found[0].Column != 11 || found[0].Code != 1109 {
			t.Errorf("it says %v", found)
		}
	})
	t.Run("Deno with permissions", func(t *testing.T) {
		p := program("const info: Deno.FileInfo = await Deno.stat(\"x\");\nreturn info.size")
		p.Deno = true
		if found := check(t, c, p); len(found) > 0 {
			t.Errorf("it says %v", found)
		}
	})
	t.Run("a specifier that is no path", func(t *testing.T) {
		p := program("import { f } from \"tools:x\";\nimport { g } from \"../y\";\nreturn f(1) + g(\"a\")")
		p.Modules = []Module{{"tools:x", "export function f(a: string) {}"}, {"../y", "export function g(a: string) { return 1 }"}}
		if found := check(t, c, p); len(found) != 1 || found[0].Code != 2345 || found[0].Column != 10 {
			t.Errorf("it says %v", found)
		}
	})
	t.Run("long types are cut", func(t *testing.T) {
		wide := "export type Wide = { " + strings.Repeat("someRatherLongName: string; ", 1)
		for i := range 200 {
			wide += fmt.Sprintf("property%d: string; ", i)
		}
		p := program("import { f } from \"./m\";\nreturn f({ property0: \"a\", property1: 5 as any as \"" + strings.Repeat("é", 3000) + "\" })")
		p.Modules = []Module{{"./m", wide + "};\nexport function f(a: Wide) {}"}}
		found := check(t, c, p)
		if len(found) != 1 || len(found[0].Message) > maxText+10 || len(found[0].Hint) > maxText+10 || !strings.Contains(found[0].Message, "'Wide'") {
			t.Errorf("it says %v", found)
		}
	})
	t.Run("mistakes without end", func(t *testing.T) {
		_, err := c.Check(t.Context(), program(strings.Repeat("a;", 120_000)))
		mustFail(t, err, ErrTooComplex)
	})
	t.Run("the same mistake in many places", func(t *testing.T) {
		// None of it is reported, and no time is spent on each.
		p := program("let a = null;\nconst f = () => a;\n" + strings.Repeat("a.b;", 10_000))
		if found := check(t, c, p); len(found) > 0 {
			t.Errorf("it says %v", found[0])
		}
	})
	t.Run("a module is checked as a program", func(t *testing.T) {
		for source, want := range map[string]int{crm: 0, oddNames: 0, crm + "export type Broken = Missing;\n": 1, crm + "export type X = ;": 1} {
			found := check(t, c, &Program{Wrapped: source, Syntax: true})
			if len(found) != want || want > 0 && found[0].Line < strings.Count(crm, "\n") {
				t.Errorf("it says %v", found)
			}
		}
	})
	t.Run("too large", func(t *testing.T) {
		if _, err := c.Check(t.Context(), &Program{Wrapped: strings.Repeat(" ", maxProgram+1)}); err == nil || !strings.Contains(err.Error(), "at most") {
			t.Errorf("Check: %v", err)
		}
	})
}
