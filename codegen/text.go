package codegen

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// This file is the only way for a server's text to reach generated code: quote
// for string literals, comment text through cleanText and escapeComment.
// Nothing else may put a server's text between tokens.

// hidden reports whether r is a rune that a reader of the code cannot see, or
// that changes how the runes around it are shown: controls, bidirectional
// overrides, zero-width and filler characters, variation selectors, tags, line
// and paragraph separators, noncharacters.
func hidden(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f:
		return true
	case r < 0xad:
		return false
	case r == 0x34f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r == 0x3164, r == 0xffa0,
		r >= 0x180b && r <= 0x180f,
		r == 0x2028, r == 0x2029,
		r >= 0x2060 && r <= 0x206f,
		r >= 0xfdd0 && r <= 0xfdef,
		r >= 0xfe00 && r <= 0xfe0f,
		r >= 0xfff0 && r <= 0xfffb,
		r >= 0xe0000 && r <= 0xe0fff,
		r&0xfffe == 0xfffe:
		return true
	}
	return unicode.Is(unicode.Cf, r)
}

const hexDigits = "0123456789abcdef"

// quote returns s as a double-quoted string literal that is valid both as JSON
// and as TypeScript. Hidden runes are written as escapes: the value stays
// exact, and a reader sees that they are there. Bytes that are not UTF-8 become
// U+FFFD, as JSON has no way to write them.
func quote(s string) string {
	b := make([]byte, 0, len(s)+2)
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '\t':
			b = append(b, '\\', 't')
		case r == '\r':
			b = append(b, '\\', 'r')
		case !hidden(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			r -= 0x10000
			b = appendUnicodeEscape(b, 0xd800+r>>10)
			b = appendUnicodeEscape(b, 0xdc00+r&0x3ff)
		default:
			b = appendUnicodeEscape(b, r)
		}
	}
	return string(append(b, '"'))
}

func appendUnicodeEscape(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}

const truncationMark = "… [cut]"

// cleanText prepares a server's prose for a comment: hidden runes go, line ends
// become "\n", runs of blanks and of empty lines shrink, so does what all lines
// but the first are indented by, as in a docstring of Python, and what is left
// is cut to at most limit runes. Cutting comes before escaping, so that a cut
// can never split an escape.
func cleanText(s string, limit int) string { return dedent(shorten(s, limit)) }

// dedent takes from the lines after the first what all of them are indented by.
func dedent(s string) string {
	first, rest, more := strings.Cut(s, "\n")
	if !more {
		return s
	}
	lines := strings.Split(rest, "\n")
	indent := len(rest)
	for _, line := range lines {
		if line != "" {
			indent = min(indent, len(line)-len(strings.TrimLeft(line, " ")))
		}
	}
	for i, line := range lines {
		lines[i] = line[min(indent, len(line)):]
	}
	return first + "\n" + strings.Join(lines, "\n")
}

func shorten(s string, limit int) string {
	// A rune has at most four bytes, and the hidden ones that go are not
	// worth reading more than a few times the limit for.
	if most := 16*limit + 1024; len(s) > most {
		s = s[:most]
	}
	var b strings.Builder
	b.Grow(min(len(s), 4*limit))
	blanks, breaks, runes := 0, 0, 0
	for _, r := range strings.ReplaceAll(s, "\r\n", "\n") {
		switch {
		case r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029:
			breaks++
			blanks = 0
			continue
		case r == ' ' || r == '\t' || r == '\v' || r == '\f' || r == 0xa0:
			blanks++
			continue
		case hidden(r) || r == utf8.RuneError:
			continue
		}
		if runes > 0 && breaks > 0 {
			b.WriteString("\n\n"[:min(breaks, 2)])
			b.WriteString("        "[:min(blanks, 8)]) // the structure of lists and of examples
			runes += min(breaks, 2) + min(blanks, 8)
		} else if runes > 0 && blanks > 0 {
			b.WriteByte(' ')
			runes++
		}
		blanks, breaks = 0, 0
		if runes >= limit {
			return strings.TrimSpace(b.String()) + truncationMark
		}
		b.WriteRune(r)
		runes++
	}
	return b.String()
}

// commentEscapes defuses what has a meaning inside a comment: its end, and the
// directives that TypeScript, Deno and esbuild read from comments. A
// description that says @ts-expect-error would make a correct module fail its
// type check, and one that says @__NO_SIDE_EFFECTS__ would make a bundler drop
// calls.
var commentEscapes = strings.NewReplacer(
	"*/", `*\/`,
	"@ts-", "@ ts-",
	"@deno-", "@ deno-",
	"@jsx", "@ jsx",
	"@__", "@ __",
	"#__", "# __",
	"@license", "@ license",
	"@preserve", "@ preserve",
	"sourceMappingURL", "sourceMapping URL",
	"sourceURL", "source URL",
)

// escapeComment makes clean text safe inside a block comment.
func escapeComment(s string) string { return commentEscapes.Replace(s) }

// oneLine joins the lines of clean text.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
