package sandbox

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

type tokenKind int

const (
	tokenEOF tokenKind = iota
	tokenIdent
	tokenString
	tokenTemplate
	tokenRegexp
	tokenNumber
	tokenPunct
)

type token struct {
	kind       tokenKind
	start, end int
	newline    bool // a line break stands before it
}

// A scanner splits TypeScript into tokens, as far as is needed to tell module
// syntax from the same words in strings, templates, comments and regular
// expressions. It accepts anything: what is not TypeScript is for esbuild to say.
type scanner struct {
	code string
	pos  int
	prev token
	// depth counts open brackets; templates holds the depth at which each open
	// `${` returns to its template.
	depth     int
	templates []int
}

func (s *scanner) text(t token) string { return s.code[t.start:t.end] }

func (s *scanner) is(t token, text string) bool { return s.text(t) == text }

// next returns the next token, with depth already counting it.
func (s *scanner) next() token {
	newline := s.skipSpace()
	t := token{start: s.pos, newline: newline}
	if s.pos >= len(s.code) {
		t.end = s.pos
		return t
	}
	switch c := s.code[s.pos]; {
	case c == '"' || c == '\'':
		t.kind = tokenString
		s.scanString(c)
	case c == '`':
		t.kind = tokenTemplate
		s.pos++
		s.scanTemplate()
	case c == '/' && s.regexpAllowed(newline):
		t.kind = tokenRegexp
		s.scanRegexp()
	case c >= '0' && c <= '9':
		t.kind = tokenNumber
		s.scanWhile(func(r rune) bool { return isIdentRune(r) || r == '.' })
	default:
		r, size := utf8.DecodeRuneInString(s.code[s.pos:])
		if isIdentRune(r) || r == '#' || r == '@' {
			t.kind = tokenIdent
			s.pos += size
			s.scanWhile(isIdentRune)
			break
		}
		t.kind = tokenPunct
		s.pos += size
		switch r {
		case '(', '[', '{':
			s.depth++
		case ')', ']':
			s.depth--
		case '}':
			s.depth--
			if n := len(s.templates); n > 0 && s.templates[n-1] == s.depth {
				s.templates = s.templates[:n-1]
				t.kind = tokenTemplate
				s.scanTemplate()
			}
		}
	}
	t.end = s.pos
	s.prev = t
	return t
}

func (s *scanner) peek() token {
	saved := *s
	saved.templates = slices.Clone(s.templates)
	t := s.next()
	*s = saved
	return t
}

func (s *scanner) skipSpace() (newline bool) {
	for s.pos < len(s.code) {
		rest := s.code[s.pos:]
		switch {
		case strings.HasPrefix(rest, "//") || s.pos == 0 && strings.HasPrefix(rest, "#!"):
			if i := strings.IndexByte(rest, '\n'); i >= 0 {
				s.pos += i
			} else {
				s.pos = len(s.code)
			}
		case strings.HasPrefix(rest, "/*"):
			end := len(rest)
			if i := strings.Index(rest[2:], "*/"); i >= 0 {
				end = i + 4
			}
			newline = newline || strings.ContainsRune(rest[:end], '\n')
			s.pos += end
		default:
			r, size := utf8.DecodeRuneInString(rest)
			if !unicode.IsSpace(r) && r != '\ufeff' {
				return newline
			}
			newline = newline || r == '\n' || r == '\u2028' || r == '\u2029'
			s.pos += size
		}
	}
	return newline
}

func (s *scanner) scanString(quote byte) {
	for s.pos++; s.pos < len(s.code); s.pos++ {
		switch s.code[s.pos] {
		case '\\':
			s.pos++
		case '\n':
			return
		case quote:
			s.pos++
			return
		}
	}
	s.pos = len(s.code)
}

// scanTemplate reads up to the closing backtick or into the next `${`.
func (s *scanner) scanTemplate() {
	for ; s.pos < len(s.code); s.pos++ {
		switch {
		case s.code[s.pos] == '\\':
			s.pos++
		case s.code[s.pos] == '`':
			s.pos++
			return
		case strings.HasPrefix(s.code[s.pos:], "${"):
			s.pos += 2
			s.templates = append(s.templates, s.depth)
			s.depth++
			return
		}
	}
	s.pos = len(s.code)
}

func (s *scanner) scanRegexp() {
	class := false
	for s.pos++; s.pos < len(s.code); s.pos++ {
		switch c := s.code[s.pos]; {
		case c == '\n':
			return
		case c == '\\':
			s.pos++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			s.pos++
			s.scanWhile(isIdentRune)
			return
		}
	}
	s.pos = len(s.code)
}

func (s *scanner) scanWhile(ok func(rune) bool) {
	for s.pos < len(s.code) {
		r, size := utf8.DecodeRuneInString(s.code[s.pos:])
		if !ok(r) {
			return
		}
		s.pos += size
	}
}

// regexpAllowed decides whether a slash starts a regular expression, from the
// token before it. Two rare forms are read as division (a regular expression
// directly after `if (…)` or after a `}` on its line); the damage is bounded by
// the line, since neither a string nor a regular expression crosses one.
func (s *scanner) regexpAllowed(newline bool) bool {
	switch s.prev.kind {
	case tokenString, tokenRegexp, tokenNumber:
		return false
	case tokenTemplate:
		return !strings.HasSuffix(s.text(s.prev), "`")
	case tokenIdent:
		return slices.Contains(wordsBeforeRegexp, s.text(s.prev))
	case tokenPunct:
		switch s.text(s.prev) {
		case ")", "]":
			return false
		case "}":
			return newline
		}
	}
	return true
}

var wordsBeforeRegexp = []string{
	"await", "case", "delete", "do", "else", "in", "instanceof", "new", "of",
	"return", "throw", "typeof", "void", "yield",
}

func isIdentRune(r rune) bool {
	return r == '_' || r == '$' || r == '\u200c' || r == '\u200d' || r == '\\' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mn, r)
}
