package sandbox

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/conductor/conductor/internal/typecheck"
	"github.com/conductor/conductor/sandbox/internal/deps"
)

// A Binding is a name that an import declaration of a program binds.
type Binding struct {
	// Name is the identifier in the program.
	Name string
	// Specifier is the module.
	Specifier string
	// Export is what of the module: the name of an export, which may be "default", or
	// "*" for the module's namespace.
	Export string
	// Type tells that it is imported as a type only.
	Type bool
}

// bindings returns what an import declaration binds. It has been read by the scanner
// and will be read by esbuild; of what is none of the usual forms it returns what it
// understands.
func bindings(statement, specifier string) []Binding {
	s := &scanner{code: statement}
	s.next() // import
	var found []Binding
	add := func(name token, export string, isType bool) {
		if name.kind == tokenIdent && plainIdentifier.MatchString(s.text(name)) {
			found = append(found, Binding{Name: s.text(name), Specifier: specifier, Export: export, Type: isType})
		}
	}
	isType := false
	if t := s.peek(); s.is(t, "type") {
		// `import type from "m"` binds the name type, unless a clause follows.
		after := *s
		after.next()
		if next := after.peek(); next.kind != tokenString && !s.is(next, "from") && !s.is(next, ",") {
			*s, isType = after, true
		}
	}
	for {
		switch t := s.next(); {
		case t.kind == tokenEOF || t.kind == tokenString || s.is(t, "from"):
			return found
		case s.is(t, "*"):
			s.next() // as
			add(s.next(), "*", isType)
		case s.is(t, "{"):
			for _, words := range s.clause() {
				name, export := words[len(words)-1], s.text(words[0])
				onlyType := isType
				if len(words)%2 == 0 { // `type a`, or `type a as b`
					onlyType, export = true, s.text(words[1])
				}
				if !strings.Contains(export, `\`) { // escapes are rare, and not understood
					add(name, strings.Trim(export, `"'`), onlyType)
				}
			}
		case t.kind == tokenIdent:
			add(t, "default", isType)
		}
	}
}

// clause reads up to the closing brace and returns the words of each part that has
// one to four.
func (s *scanner) clause() [][]token {
	var parts [][]token
	var words []token
	for {
		t := s.next()
		if t.kind == tokenIdent || t.kind == tokenString {
			words = append(words, t)
			continue
		}
		if n := len(words); n > 0 && n <= 4 {
			parts = append(parts, words)
		}
		words = nil
		if t.kind == tokenEOF || s.is(t, "}") {
			return parts
		}
	}
}

// plainIdentifier matches names without escapes.
var plainIdentifier = regexp.MustCompile(`^[\p{L}_$][\p{L}\p{N}_$]*$`)

// carried returns the import declarations, on one line, of those bindings of earlier
// programs that this one may mean: it has the name, and not as an import of its own.
// Whether it really means them is decided by scopes, since the imports stand outside
// of the function that the program becomes: whatever it declares wins. What is a name
// in every program anyway is never carried.
func carried(p *Program, code string, own []Binding, packages *deps.Set) (line string, specifiers []string) {
	var b strings.Builder
	words := wordsOf(code, p.Bindings)
	for _, i := range p.Bindings {
		bound := slices.ContainsFunc(own, func(o Binding) bool { return o.Name == i.Name })
		if !words[i.Name] || bound || typecheck.IsGlobal(i.Name) || !plainIdentifier.MatchString(i.Name) || !importable(p, i.Specifier, packages) {
			continue
		}
		words[i.Name] = false // the first one of a name
		b.WriteString(i.declaration())
		specifiers = append(specifiers, i.Specifier)
	}
	return b.String(), specifiers
}

func (b *Binding) declaration() string {
	keyword := "import"
	if b.Type {
		keyword = "import type"
	}
	clause := "* as " + b.Name
	if b.Export != "*" {
		clause = fmt.Sprintf("{ %s as %s }", quoted(b.Export), b.Name)
		if plainIdentifier.MatchString(b.Export) {
			clause = fmt.Sprintf("{ %s as %s }", b.Export, b.Name)
		}
	}
	return fmt.Sprintf("%s %s from %s; ", keyword, clause, quoted(b.Specifier))
}

// quoted returns a string literal. JSON escapes what JavaScript would take for the
// end of a line.
func quoted(s string) string {
	literal, _ := json.Marshal(s) // a string is never an error
	return string(literal)
}

// wordsOf tells which of the names stand in a program as identifiers that are no
// property of something.
func wordsOf(code string, names []Binding) map[string]bool {
	words := make(map[string]bool, len(names))
	if len(names) == 0 {
		return words
	}
	wanted := make(map[string]bool, len(names))
	for _, n := range names {
		wanted[n.Name] = true
	}
	s := &scanner{code: code}
	for {
		before := s.prev
		t := s.next()
		switch {
		case t.kind == tokenEOF:
			return words
		case t.kind == tokenIdent && wanted[s.text(t)] && !(before.kind == tokenPunct && s.is(before, ".") && !s.spread(before)):
			words[s.text(t)] = true
		}
	}
}

// spread tells whether a dot is the last of three.
func (s *scanner) spread(dot token) bool { return strings.HasSuffix(s.code[:dot.end], "...") }

// importable tells whether the program could import a module itself. Where it could
// not, a binding means nothing.
func importable(p *Program, specifier string, packages *deps.Set) bool {
	name := strings.TrimSuffix(specifier, ".ts")
	if slices.ContainsFunc(p.Modules, func(m Module) bool { return m.Specifier == name }) {
		return true
	}
	if builtinSpecifier.MatchString(specifier) {
		return true
	}
	if packages == nil {
		return false
	}
	_, err := packages.Resolve(specifier)
	return err == nil
}
