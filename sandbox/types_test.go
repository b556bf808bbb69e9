package sandbox_test

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

var shop = sandbox.Module{Specifier: "./mcp/shop", Source: `
import { call } from "conductor:bridge";
export type Item = { id: string; price: number; size?: "s" | "l" };
/** Lists the items. */
export function list_items(args: { shop: string; limit?: number }): Promise<{ items: Item[] }> { return call("shop.list_items", args); }
`}

// A program whose types are wrong is stopped before its first call, in words that
// name the fix.
func TestTypeCheck(t *testing.T) {
	leaktest.Check(t)
	s, err := sandbox.New(t.Context(), &sandbox.Options{TypeCheck: sandbox.TypeCheckEnforce})
	if err != nil {
		if os.Getenv("CI") == "" {
			t.Skipf("this test needs Deno and TypeScript: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	var calls atomic.Int32
	check := func(code string) *sandbox.Result {
		return run(t, s, &sandbox.Program{Code: code, Modules: []sandbox.Module{shop}, Call: func(_ context.Context, c sandbox.Call) (json.RawMessage, error) {
			calls.Add(1)
			return json.RawMessage(`{"items":[{"id":"a","price":2}]}`), nil
		}})
	}
	const header = "import * as shop from './mcp/shop';\n"
	for _, test := range []struct{ name, code, want, hint string }{
		{"misspelt argument", header + "await shop.list_items({ shop: 'a', limt: 3 });", "line 2, column 36: TS2561", "limit"},
		{"wrong type", header + "await shop.list_items({ shop: 7 });", "line 2, column 25: TS2322", "string"},
		{"missing required field", header + "await shop.list_items({ limit: 3 });", "line 2, column 23: TS2741", "shop"},
		{"misuse of a typed result", header + "const { items } = await shop.list_items({ shop: 'a' });\nreturn items.map((i) => i.prise);", "line 3, column 27: TS2551", "price"},
		{"no await", header + "const r = shop.list_items({ shop: 'a' });\nreturn r.items;", "line 3, column 10: TS2339", "await"},
		{"a global that is not there", "return document.title;", "line 1, column 8: TS", ""},
		{"Deno without a permission", "return await Deno.readTextFile('a');", "line 1, column 14: TS", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := check(test.code)
			if result.Phase != sandbox.PhaseTypeError || len(result.Diagnostics) == 0 || *result.Error != result.Diagnostics[0] {
				t.Fatalf("%s %v", result.Phase, result.Error)
			}
			if said := result.Error.Error() + " " + result.Error.Hint; !strings.Contains(said, test.want) || !strings.Contains(said, test.hint) {
				t.Errorf("says %s\nwant %s, %s", said, test.want, test.hint)
			}
			t.Logf("%v\nhint: %s", result.Error, result.Error.Hint)
		})
	}
	if n := calls.Load(); n != 0 {
		t.Errorf("%d calls were made by programs that were not to run", n)
	}
	for _, code := range []string{
		header + "const { items } = await shop.list_items({ shop: 'a' });\nreturn items.filter((i) => i.price > 1).map((i) => i.id);",
		header + "const all: any = await shop.list_items({ shop: 'a' });\nreturn all.whatever?.deep ?? 1;",
		header + "try { await shop.list_items({ shop: 'a' }) } catch (e) { return e instanceof ToolError ? e.message : e }",
		"const xs = [];\nfor (const x of [1, 2]) xs.push({ x, y: String(x) });\nxs.reduce((a, b) => a + b.x, 0)",
		"export default { a: [1, null, 'b'] }",
		"function f(a, b = 2) { return a + b }\nf(1)",
	} {
		if result := check(code); result.Phase != sandbox.PhaseOK {
			t.Errorf("%s\n%s %v", code, result.Phase, result.Error)
		}
	}
	t.Run("with a permission", func(t *testing.T) {
		p := &sandbox.Program{Code: "return typeof Deno.hostname()", Profile: &sandbox.Profile{Permissions: sandbox.Permissions{Sys: []string{"hostname"}}}}
		if result := run(t, s, p); string(result.Value) != `"string"` {
			t.Errorf("%s %v", result.Phase, result.Error)
		}
	})
}

func TestTypeCheckReport(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{TypeCheck: sandbox.TypeCheckReport})
	result := run(t, s, &sandbox.Program{Code: "const a: number = 'text';\nreturn a"})
	if result.Phase != sandbox.PhaseOK || len(result.Diagnostics) != 1 || result.Diagnostics[0].Name != "TS2322" || result.Diagnostics[0].Line != 1 {
		t.Errorf("%s, diagnostics %+v", result.Phase, result.Diagnostics)
	}
	if _, err := sandbox.New(t.Context(), &sandbox.Options{TypeCheck: "lenient"}); err == nil || !strings.Contains(err.Error(), `Options.TypeCheck is "lenient"`) {
		t.Errorf("New: %v", err)
	}
}

// The types of packages count, too.
func TestTypeCheckOfPackages(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{
		TypeCheck: sandbox.TypeCheckEnforce,
		Profile:   sandbox.Profile{Dependencies: sandbox.Dependencies{Allow: []string{"npm:zod@^3"}}},
	})
	if result := run(t, s, &sandbox.Program{Code: "import { z } from 'zod';\nreturn z.object({ a: z.number() }).parse({ a: 1 }).a"}); string(result.Value) != "1" {
		t.Errorf("%s %v", result.Phase, result.Error)
	}
	// Also if an earlier program has imported it, and the name is used.
	z := []sandbox.Binding{{Name: "z", Specifier: "zod", Export: "z"}, {Name: "y", Specifier: "npm:yaml", Export: "default"}}
	for code, want := range map[string]string{
		"return z.object({ a: z.number() }).parse({ a: 2 }).a": "2",
		"const z = { a: 3 };\nreturn z.a":                      "3",
		"const y = 4;\nreturn y":                               "4",
		"return z.object({ a: z.number() }).parse({ a: 1 }).b": "TS2339",
		"import { z } from 'zod';\nreturn z.number().parse(5)": "5",
		"return y": "TS2304",
	} {
		result := run(t, s, &sandbox.Program{Code: code, Bindings: z})
		got := string(result.Value)
		if result.Error != nil {
			got = result.Error.Name
		}
		if got != want {
			t.Errorf("%s: %s, want %s (%v)", code, got, want, result.Error)
		}
	}
	result := run(t, s, &sandbox.Program{Code: "import { z } from 'npm:zod@^3';\nreturn z.object({ a: z.number() }).parse({ a: 1 }).b"})
	if result.Phase != sandbox.PhaseTypeError || result.Error.Line != 2 || !strings.Contains(result.Error.Message, "'b'") {
		t.Errorf("%s %v", result.Phase, result.Error)
	}
}
