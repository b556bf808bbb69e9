package sandbox

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestBindings(t *testing.T) {
	for _, test := range []struct {
		statement string
		want      []Binding
	}{
		{`import * as sf from "./mcp/sf";`, []Binding{{Name: "sf", Export: "*"}}},
		{`import sf from 'm'`, []Binding{{Name: "sf", Export: "default"}}},
		{`import {a, b as c,} from "m"`, []Binding{{Name: "a", Export: "a"}, {Name: "c", Export: "b"}}},
		{`import { "search-notes" as search, 'x' as y } from "m"`, []Binding{{Name: "search", Export: "search-notes"}, {Name: "y", Export: "x"}}},
		{`import { default as d } from "m"`, []Binding{{Name: "d", Export: "default"}}},
		{"import d, * as ns from 'm'", []Binding{{Name: "d", Export: "default"}, {Name: "ns", Export: "*"}}},
		{"import d, {\n  a, // the first\n  /* b */ c\n} from 'm' with { type: 'json' };", []Binding{{Name: "d", Export: "default"}, {Name: "a", Export: "a"}, {Name: "c", Export: "c"}}},
		{`import type { A, B as C } from "m"`, []Binding{{Name: "A", Export: "A", Type: true}, {Name: "C", Export: "B", Type: true}}},
		{`import type A from "m"`, []Binding{{Name: "A", Export: "default", Type: true}}},
		{`import type * as t from "m"`, []Binding{{Name: "t", Export: "*", Type: true}}},
		{`import { type A, type B as C, type as D, type } from "m"`, []Binding{{Name: "A", Export: "A", Type: true}, {Name: "C", Export: "B", Type: true}, {Name: "D", Export: "type"}, {Name: "type", Export: "type"}}},
		{`import type from "m"`, []Binding{{Name: "type", Export: "default"}}},
		{`import type, { a } from "m"`, []Binding{{Name: "type", Export: "default"}, {Name: "a", Export: "a"}}},
		{`import "m"`, nil},
		{`import {} from "m"`, nil},
		{`import { \u0061 as b, c as \u0064, "\x61" as e } from "m"`, nil},
		{`import * as 名 from "m"`, []Binding{{Name: "名", Export: "*"}}},
	} {
		t.Run(test.statement, func(t *testing.T) {
			want := test.want
			for i := range want {
				want[i].Specifier = "m"
			}
			if diff := cmp.Diff(want, bindings(test.statement, "m")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Whatever text is taken for an import, what it binds can stand in a declaration.
func FuzzBindings(f *testing.F) {
	for _, statement := range []string{`import * as a from "m"`, `import { type a as b, "c d" as e } from 'm'`, `import type x, {`, "import {`${", `import { "` + "\n", `import { 'a as b }`} {
		f.Add(statement)
	}
	f.Fuzz(func(t *testing.T, statement string) {
		for _, b := range bindings(statement, "m") {
			line := b.declaration()
			if strings.Contains(line, `\`) {
				continue // right, and read by others
			}
			if again := bindings(line, "m"); len(again) != 1 || again[0] != b || strings.ContainsAny(line, "\n\r\u2028\u2029") {
				t.Errorf("%q binds %+v, and declared as %q it binds %+v", statement, b, line, again)
			}
		}
	})
}

// A program that is right without what earlier ones have imported is right with it: what
// it declares itself wins, whatever it looks like.
func FuzzCarried(f *testing.F) {
	for _, code := range []string{
		"sf", "const sf = 1; sf", "function sf() {}", "class sf {}", "var { sf = 1, ...query } = {}", "for (const sf of []) { sf }", "try {} catch (sf) {}",
		"import sf from './m'; sf", "import { query as sf } from './m'", "import type { sf } from './m'", "import * as query from './m'\nquery.sf", "export const sf = 1", "export default sf",
		"export default function sf() {}", "export { sf }", "enum sf { a }", "namespace sf { export const a = 1 }", "type sf = 1", "interface sf {}", "sf: for (;;) break sf", "({ sf, [query]: sf })",
		"`${sf}`", "/sf/.sf", "// sf", "'sf'", "sf<query>(1)", "(sf, query) => sf", "async (sf) => { await sf }", "var sf; { let sf; }", "if (1) { function sf() {} } sf", "declare const sf: any; sf", "import", "import { sf",
	} {
		f.Add(code)
	}
	module := Module{Specifier: "./m", Source: "export const sf = 1, query = 2; export default 3;"}
	f.Fuzz(func(t *testing.T, code string) {
		if len(code) > 2048 {
			return
		}
		p := &Program{Code: code, Modules: []Module{module}}
		b, problem := parse(p, nil)
		if problem == nil {
			problem = b.link(t.Context(), p, nil)
		}
		if problem != nil {
			return
		}
		p.Bindings = []Binding{{Name: "sf", Specifier: "./m", Export: "*"}, {Name: "query", Specifier: "./m", Export: "query"}}
		b, problem = parse(p, nil)
		if problem == nil {
			problem = b.link(t.Context(), p, nil)
		}
		switch {
		case problem == nil:
		case strings.Contains(problem.Message, "Cannot assign to"), strings.Contains(problem.Message, "has no export"):
			// It meant the name that it has not declared.
		default:
			t.Errorf("%q: %v", code, problem)
		}
	})
}
