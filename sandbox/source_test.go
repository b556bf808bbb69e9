package sandbox

import (
	"strings"
	"testing"
)

func TestWrapKeepsPositions(t *testing.T) {
	const code = "import a from 'a'; const b = a;\nexport   default   b;\n/* import x from 'x' */ import { '😀' as c } from \"c\"\nexport { b };\nexport const d = `${`import e from 'e'`}`;\n"
	o, err := scan(code)
	if err != nil {
		t.Fatal(err)
	}
	var specifiers []string
	for _, d := range o.imports {
		specifiers = append(specifiers, d.specifier)
	}
	if got := strings.Join(specifiers, " "); got != "a c" {
		t.Errorf("imports %q, want a c", got)
	}
	lines := strings.Split(code, "\n")
	wrapped := strings.Split(o.wrap(code, "", exported), "\n")
	for i, line := range lines {
		for _, word := range []string{"const b", "b;", "const d", "import a", "import { '"} {
			column := strings.Index(line, word)
			if column < 0 {
				continue
			}
			found := 0
			for n, w := range wrapped {
				if utf16Index(w, word) == utf16Length(line[:column]) && userLine(n+1, len(lines)) == i+1 {
					found++
				}
			}
			if found != 1 {
				t.Errorf("%q of line %d stands %d times at its place in\n%s", word, i+1, found, strings.Join(wrapped, "\n"))
			}
		}
	}
}

func utf16Index(s, sub string) int {
	i := strings.Index(s, sub)
	if i < 0 {
		return -1
	}
	return utf16Length(s[:i])
}

// What scan makes of any text must come out of wrap without a panic, with the
// lines where userLine expects them.
func FuzzParse(f *testing.F) {
	for _, code := range []string{
		"", "1", "import a from 'a'", "export default 1", "export default class A {}", "export {", "export { a } from 'a'",
		"`${`${", "/[/]/", "a / b / c", "'", "/*", "#!/usr/bin/env deno\n1", "import('a')", "import.meta.url", "x.import", "```ts\n1\n```",
		"return {a: 1}", "if (a) {} else b", "\u2028import a from 'a'", "export default interface A {}\n1", "import a, { b as c } from 'a' with { type: 'json' };",
		"1 +\n// note;\n2", "a;\n'b' + 'c'", "if (a) {}\n!0", "let a;\nfor (; a < 1; 5) a++", "a;(1 + 2) * 3;", "a;-1", "[1, /* a;\n  b */ 2]", "a;\nb(/* c;\nd; */ e, //f;\ng)",
	} {
		f.Add(code)
	}
	f.Fuzz(func(t *testing.T, code string) {
		if len(code) > 4096 {
			return
		}
		o, err := scan(code)
		if err != nil {
			return
		}
		wrapped := o.wrap(code, "", exported)
		// One line break between the copies, one before and two after the wrapper's
		// opening line; the body keeps all of the program's.
		if got, want := strings.Count(wrapped, "\n"), 2*strings.Count(code, "\n")+4; got != want {
			t.Errorf("%d line breaks, want %d, in\n%s", got, want, wrapped)
		}
		b, problem := parse(&Program{Code: code}, nil)
		if (b == nil) == (problem == nil) {
			t.Errorf("parse(%q) = %v, %v", code, b, problem)
		}
		if b != nil {
			problem := b.link(t.Context(), &Program{Code: code}, nil)
			if o, _ := scan(stripFence(code)); problem != nil && o.constant != nil {
				o.constant = nil
				plain := &bundle{program: b.program, entry: o.wrap(b.program, "", handedOver)}
				if plain.link(t.Context(), &Program{Code: code}, nil) == nil {
					t.Errorf("returning the constant of %q: %v", code, problem)
				}
			}
			if (b.code == "") == (problem == nil) {
				t.Errorf("link(%q) = %v", code, problem)
			} else if problem == nil && !isScript(b.code) {
				t.Errorf("link(%q) is no JavaScript:\n%s", code, b.code)
			}
		}
	})
}
