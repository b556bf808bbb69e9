package sandbox

import (
	"fmt"
	"slices"
	"strings"
)

// A declaration is an import or export found at the top level of a program, as
// byte offsets into it.
type declaration struct {
	start, end int
	specifier  string // of an import
}

// An outline says where the module syntax of a program stands. Everything else
// about the program's grammar is left to esbuild.
type outline struct {
	imports []declaration
	// keywords are the `export` (or `export default`) words before a declaration,
	// which stays.
	keywords []declaration
	// clauses are whole `export { … }` statements.
	clauses []declaration
	// defaultExpr is where `export default` stands before an expression.
	defaultExpr *declaration
	// empty is set if there is nothing besides.
	empty bool
	// constant is the last statement, if it is an expression of nothing but literals.
	// esbuild works it out, and leaves it out where nobody uses it.
	constant *declaration
	// defaultName is what an `export default function name` or class declares.
	defaultName string
}

// A sourceError is a mistake at a byte offset of the program.
type sourceError struct {
	offset  int
	message string
}

func (e *sourceError) Error() string { return e.message }

// scan finds the import and export declarations of a program.
func scan(code string) (*outline, error) {
	s := &scanner{code: code}
	o := &outline{empty: true}
	c := constantScan{scanner: s}
	for {
		before := s.prev
		t := s.next()
		if t.kind == tokenEOF {
			o.constant = c.last()
			return o, nil
		}
		c.take(t, before)
		if !s.is(t, "import") && !s.is(t, ";") {
			o.empty = false
		}
		if t.kind != tokenIdent || s.depth != 0 || before.kind == tokenPunct && s.is(before, ".") {
			continue
		}
		var err error
		switch s.text(t) {
		case "import":
			err = s.scanImport(o, t)
		case "export":
			err = s.scanExport(o, t)
		}
		if err != nil {
			return nil, err
		}
	}
}

func (s *scanner) scanImport(o *outline, keyword token) error {
	if t := s.peek(); s.is(t, "(") || s.is(t, ".") {
		return nil // import(…) and import.meta are expressions
	}
	for {
		t := s.next()
		switch {
		case t.kind == tokenEOF:
			o.empty = false
			return nil // esbuild reports it
		case s.is(t, "="):
			return &sourceError{keyword.start, "`import … = require(…)` is not supported: use `import * as name from \"…\"`"}
		case t.kind == tokenString && s.depth == 0:
			decl := declaration{start: keyword.start, specifier: strings.Trim(s.text(t), `"'`)}
			if w := s.peek(); s.is(w, "with") || s.is(w, "assert") && !w.newline {
				s.next()
				s.skipBraces()
			}
			decl.end = s.skipSemicolon()
			o.imports = append(o.imports, decl)
			return nil
		}
	}
}

func (s *scanner) scanExport(o *outline, keyword token) error {
	switch t := s.peek(); s.text(t) {
	case "*":
		return &sourceError{keyword.start, "`export * from` is not supported in a program: import what you need and return the value"}
	case "=":
		return &sourceError{keyword.start, "`export =` is not supported: use `return` or `export default`"}
	case "{":
		s.skipBraces()
		if from := s.peek(); s.is(from, "from") {
			return &sourceError{keyword.start, "`export … from` is not supported in a program: import what you need and return the value"}
		}
		o.clauses = append(o.clauses, declaration{start: keyword.start, end: s.skipSemicolon()})
	case "default":
		s.next()
		s.scanDefault(o, declaration{start: keyword.start, end: t.end})
	default:
		o.keywords = append(o.keywords, declaration{start: keyword.start, end: keyword.end})
	}
	return nil
}

// scanDefault sorts `export default` into a declaration that keeps its name or an
// expression. The tokens after it are not consumed.
func (s *scanner) scanDefault(o *outline, keyword declaration) {
	saved := *s
	defer func() { *s = saved }()
	t := s.next()
	if s.is(t, "async") || s.is(t, "abstract") {
		t = s.next()
	}
	switch s.text(t) {
	case "function", "class":
		name := s.next()
		if s.is(name, "*") {
			name = s.next()
		}
		if name.kind == tokenIdent && !s.is(name, "extends") && !s.is(name, "implements") {
			o.defaultName = s.text(name)
			o.keywords = append(o.keywords, keyword)
			return
		}
	case "interface":
		o.keywords = append(o.keywords, keyword)
		return
	}
	o.defaultExpr = &keyword
}

func (s *scanner) skipBraces() {
	outer := s.depth
	for {
		t := s.next()
		if t.kind == tokenEOF || s.depth <= outer && s.is(t, "}") {
			return
		}
	}
}

// skipSemicolon returns the end of the statement whose last token was just read.
func (s *scanner) skipSemicolon() int {
	end := s.pos
	if t := s.peek(); s.is(t, ";") {
		s.next()
		end = s.pos
	}
	return end
}

// defaultVariable holds the value of `export default`. It is short because it
// replaces those two words in place, which keeps every column.
const defaultVariable = "$$d"

// runFunction is the parameter by which a program gives its body to the harness.
const runFunction = "$$run"

// A wrapper is what stands around the body of a program.
type wrapper struct{ before, after string }

var (
	// exported makes the body what a module exports, for the type check.
	exported = wrapper{"export default async () => {", "};"}
	// handedOver gives the body to the harness, see [runFunction].
	handedOver = wrapper{runFunction + "(async () => {", "});export {};"}
)

// wrap lays a program out as a module with its body in a function, so that
// top-level `return` and `await` work:
//
//	the imports                      lines 1 … n, everything else blank
//	export default async () => {     line n+1, with the imports of earlier programs
//	the body                         lines n+2 … 2n+1, the imports blank
//	};
//
// Lines and columns of both copies are those of the program; userLine undoes the
// offset. A carried import needs no line of its own, and what the body declares hides
// it.
func (o *outline) wrap(code, carried string, w wrapper) string {
	var b strings.Builder
	b.Grow(2*len(code) + 100)
	at := 0
	for _, d := range o.imports {
		blank(&b, code[at:d.start])
		b.WriteString(code[d.start:d.end])
		at = d.end
	}
	blank(&b, code[at:])
	fmt.Fprintf(&b, "\n%s%slet %s;\n", carried, w.before, defaultVariable)

	edits := slices.Concat(o.imports, o.keywords, o.clauses)
	if o.defaultExpr != nil {
		edits = append(edits, *o.defaultExpr)
	}
	slices.SortFunc(edits, func(x, y declaration) int { return x.start - y.start })
	at = 0
	for _, d := range edits {
		b.WriteString(code[at:d.start])
		// A whole statement that goes leaves its semicolon: without it the line
		// before could run on into a line after that starts with a bracket.
		instead := ""
		switch {
		case o.defaultExpr != nil && d == *o.defaultExpr:
			instead = defaultVariable + " ="
		case !slices.Contains(o.keywords, d):
			instead = ";"
		}
		b.WriteString(instead)
		blank(&b, code[d.start+len(instead):d.end])
		at = d.end
	}
	if c := o.constant; c != nil && w == handedOver && o.defaultExpr == nil && o.defaultName == "" && c.start >= at {
		b.WriteString(code[at:c.start] + "return (" + code[c.start:c.end] + ");" + code[c.end:])
	} else {
		b.WriteString(code[at:])
	}
	b.WriteString("\n")
	if o.defaultName != "" {
		fmt.Fprintf(&b, "%s = %s;", defaultVariable, o.defaultName)
	}
	fmt.Fprintf(&b, "return %s%s\n", defaultVariable, w.after)
	return b.String()
}

// userLine turns a line of the wrapped program, from 1, into the program's own.
func userLine(wrapped, programLines int) int {
	if wrapped > programLines {
		return max(1, min(wrapped-programLines-1, programLines))
	}
	return wrapped
}

// blank writes text with spaces for everything but line breaks: as many as
// JavaScript counts columns.
func blank(b *strings.Builder, text string) {
	for _, r := range text {
		switch {
		case r == '\n' || r == '\r' || r == '\u2028' || r == '\u2029':
			b.WriteRune(r)
		case r > 0xffff:
			b.WriteString("  ")
		default:
			b.WriteByte(' ')
		}
	}
}

// stripFence blanks the Markdown fence that models like to put around a program;
// the lines stay, so that positions are those of the text that was sent.
func stripFence(code string) string {
	lines := strings.Split(code, "\n")
	first := slices.IndexFunc(lines, func(l string) bool { return strings.TrimSpace(l) != "" })
	if first < 0 || !strings.HasPrefix(strings.TrimSpace(lines[first]), "```") {
		return code
	}
	lines[first] = ""
	for i := len(lines) - 1; i > first; i-- {
		if l := strings.TrimSpace(lines[i]); strings.HasPrefix(l, "```") {
			lines[i] = ""
			break
		} else if l != "" {
			break
		}
	}
	return strings.Join(lines, "\n")
}
