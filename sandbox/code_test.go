package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// many returns so many exported functions, each of which calls the one of its name.
func many(n int) string {
	var b strings.Builder
	b.WriteString("import { call } from \"conductor:bridge\";\n")
	for i := range n {
		fmt.Fprintf(&b, "/** Number %d. */\nexport function f%[1]d(args: { a?: string } = {}): Promise<any> {\n  return call(\"f%[1]d\", args);\n}\n", i)
	}
	return b.String()
}

func TestModuleCodeNaming(t *testing.T) {
	const head = "import { call } from \"conductor:bridge\";\n"
	function := func(i int) string {
		return fmt.Sprintf("export function f%d(args = {}) {\n  return call(\"f%[1]d\", args);\n}\n", i)
	}
	filler := many(100)
	for _, test := range []struct{ name, also, program, want string }{
		{"nothing", "", "1", head},
		{"a member", "", "m.f7()", head + function(7)},
		{"a member by its name in a string", "", `m["f7"]()`, head + function(7)},
		{"a name in an import", "", `import { f7 as other, f8 } from "m"`, head + function(7) + function(8)},
		{"exact names", `export { f1 as "f-1", f2 as "f,2", f3 as default };`, `import { "f-1" as a } from "m"; m["f,2"]`,
			head + function(1) + function(2) + "export { f1 as \"f-1\" };\nexport { f2 as \"f,2\" };\n"},
		{"exact names that are not named", `export { f1 as "f-1" };`, "f7", head + function(7)},
		{"what a function uses", "function helper() { return f9 }\nexport function 検索() { return helper() }", "m.検索",
			head + function(9) + "function helper() {\n  return f9;\n}\nexport function 検索() {\n  return helper();\n}\n"},
		{"what is no function stays, with what it uses", "export const a = f1, b = 2;\nclass C {\n  [f2]() {\n  }\n}\nconsole.log(f3);", "1",
			head + function(1) + function(2) + function(3) + "export const a = f1, b = 2;\nclass C {\n  [f2]() {\n  }\n}\nconsole.log(f3);\n"},
		{"a generator and an async function", "async function g() { return 1 }\nfunction* h() { yield g() }", "h",
			head + "async function g() {\n  return 1;\n}\nfunction* h() {\n  yield g();\n}\n"},
		{"text that looks like a statement", "export const a = `\nfunction f() {\n}\n`;", "1", head + "export const a = \"\\nfunction f() {\\n}\\n\";\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, less := codeOf(filler + test.also).naming(func() map[string]bool { return wordsIn(test.program) })
			if diff := cmp.Diff(test.want+"export {};\n", got); diff != "" || !less {
				t.Errorf("less %v; -want +got:\n%s", less, diff)
			}
		})
	}
	for _, test := range []struct {
		name, source string
		words        func() map[string]bool
	}{
		{"no words", filler, nil},
		{"a small module", many(10), func() map[string]bool { return nil }},
		{"eval", filler + "export function g(code: string) { return eval(code) }", func() map[string]bool { return nil }},
		{"a comment", filler + "export const a = [/* b\nfunction f1() {\n*/ 1];", func() map[string]bool { return nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := codeOf(test.source)
			if got, less := m.naming(test.words); got != m.text || less {
				t.Errorf("something was left out: %v", less)
			}
		})
	}
}

// Whatever a program does with a large module, it is as if the module were whole.
func TestLargeModule(t *testing.T) {
	const more = `export { f1 as "f-1", f2 as default };
export function named(name: string) { return { f1, f2 }[name]; }
`
	modules := []Module{
		{Specifier: "./mcp/plain", Source: strings.ReplaceAll(strings.Replace(many(200), "import", "//", 1), "call(", "String(")},
		{Specifier: "./mcp/m", Source: many(200) + more},
		{Specifier: "./mcp/uses", Source: `export { f150 } from "./mcp/m"; import { f151 } from "./mcp/m"; export const last = f151;`},
	}
	for _, test := range []struct {
		name, code string
		has        []string // functions in the bundle
		hasNot     []string
		want       string // the error
	}{
		{name: "a member", code: `import * as m from "./mcp/m"; m.f5()`, has: []string{"f5"}, hasNot: []string{"f1", "f6"}},
		{name: "a literal member", code: `import * as m from "./mcp/m"; m["f-1"]()`, has: []string{"f1"}, hasNot: []string{"f2"}},
		{name: "a literal member with escapes", code: `import * as m from "./mcp/m"; m["f\x2d1"]()`, has: []string{"f1"}},
		{name: "a name with escapes", code: `import * as m from "./mcp/m"; m.\u0066\u0035()`, has: []string{"f5"}},
		{name: "a literal member in a template", code: "import * as m from './mcp/m'; m[`f-1`]()", has: []string{"f1"}},
		{name: "a computed member", code: `import * as m from "./mcp/m"; m["f" + 5]()`, has: []string{"f5"}},
		{name: "all members", code: `import * as m from "./mcp/m"; Object.keys(m).length`, has: []string{"f0", "f199"}},
		{name: "all members, beside one", code: `import * as m from "./mcp/m"; m.f5(); Object.keys(m).length`, has: []string{"f0", "f199"}},
		{name: "a member by destructuring", code: `import * as m from "./mcp/m"; const { f5 } = m; f5()`, has: []string{"f5"}},
		{name: "the rest by destructuring", code: `import * as m from "./mcp/m"; const { f5, ...rest } = m; rest`, has: []string{"f0", "f199"}},
		{name: "a dynamic import", code: `const m = await import("./mcp/m"); const key = "f" + 9; m[key]()`, has: []string{"f9", "f199"}},
		{name: "the default", code: `import d from "./mcp/m"; d()`, has: []string{"f2"}, hasNot: []string{"f3"}},
		{name: "a function of the module", code: `import { named } from "./mcp/m"; named("f1")`, has: []string{"f1", "f2"}, hasNot: []string{"f3"}},
		{name: "by another module", code: `import { f150, last } from "./mcp/uses"; [f150, last]`, has: []string{"f150", "f151"}},
		{name: "by another module and itself", code: `import { last } from "./mcp/uses"; import * as m from "./mcp/m"; [last, m.f3]`, has: []string{"f151", "f3"}},
		{name: "all members of a module without imports", code: `import * as m from "./mcp/plain"; Object.keys(m).length`, has: []string{"f0", "f199"}},
		{name: "a computed member of a module without imports", code: `import * as m from "./mcp/plain"; let n = 5; m["f" + n]()`, has: []string{"f0", "f199"}},
		{name: "a default of a module without imports", code: `import d from "./mcp/plain"; d()`, want: `ImportError: ./mcp/plain has no`},
		{name: "a member that is not there", code: `import * as m from "./mcp/m"; m.f999()`, want: `ImportError: ./mcp/m has no export "f999"`},
		{name: "a name that is not there", code: `import { f999 } from "./mcp/m"; f999()`, want: `ImportError: ./mcp/m has no export "f999"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &Program{Code: test.code, Modules: modules}
			b, problem := parse(p, nil)
			if problem == nil {
				problem = b.link(t.Context(), p, nil)
			}
			if test.want != "" {
				if problem == nil || !strings.Contains(problem.Error(), test.want) {
					t.Fatalf("error %v, want %s", problem, test.want)
				}
				return
			}
			if problem != nil {
				t.Fatal(problem)
			}
			for _, name := range test.has {
				if !strings.Contains(b.code, "function "+name+"(") {
					t.Errorf("the bundle lacks %s:\n%.3000s", name, b.code)
				}
			}
			for _, name := range test.hasNot {
				if strings.Contains(b.code, "function "+name+"(") {
					t.Errorf("the bundle has %s", name)
				}
			}
		})
	}
}

// What esbuild prints must not grow with the square of the nesting.
func TestDeepNestingStaysSmall(t *testing.T) {
	for _, test := range []struct{ name, code string }{
		{"blocks", strings.Repeat("{", 8000) + "f()" + strings.Repeat("}", 8000)},
		{"conditions", strings.Repeat("if(1)", 8000) + "f()"},
		{"objects", "return " + strings.Repeat("{a:\n", 8000) + "1" + strings.Repeat("}", 8000)},
		{"labels", func() string {
			var b strings.Builder
			for i := range 8000 {
				fmt.Fprintf(&b, "a%d:", i)
			}
			return b.String() + "f()"
		}()},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := &Program{Code: test.code}
			b, problem := parse(p, nil)
			if problem == nil {
				problem = b.link(t.Context(), p, nil)
			}
			if problem != nil {
				t.Fatal(problem)
			}
			if most := 10 * len(test.code); len(b.code) > most {
				t.Errorf("%d bytes of code, want %d at most", len(b.code), most)
			}
		})
	}
}
