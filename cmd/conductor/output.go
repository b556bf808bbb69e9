package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// writeJSON writes the one document of a command with --json.
func writeJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

// printable takes out of a server's words what a terminal would obey or hide.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// escapeControls does the same for JSON without a change of its meaning: such a
// character can only stand in a string.
func escapeControls(raw json.RawMessage) string {
	var b strings.Builder
	for _, r := range string(raw) {
		if r <= 0xFFFF && (unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Cf, r)) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// indentRest sets off the lines of a message after its first.
func indentRest(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") }

// firstLine returns the first line, shortened to a number of bytes.
func firstLine(s string, limit int) string {
	line, _, more := strings.Cut(strings.TrimSpace(s), "\n")
	if len(line) > limit {
		line, more = strings.ToValidUTF8(line[:limit], ""), true
	}
	if more {
		line += " …"
	}
	return line
}

func plural(n int, noun string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
