package conductor

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/conductor/conductor/mcpclient"
)

// oneLine makes a server's words fit into one line of a prompt: white space
// folded, what cannot be seen removed, cut at a number of bytes.
func oneLine(s string, limit int) string {
	// Text far over the limit need not be folded to its end.
	s = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(cut(s, 8*limit), ""))
	return cut(strings.Join(strings.Fields(s), " "), limit)
}

// reason makes the failure of a server fit into one line. The beginning says what
// happened, and the end why: what the server wrote last. The middle goes.
func reason(s mcpclient.Status) string {
	switch {
	case s.State == mcpclient.StateConnecting && s.Err == nil: // else it was lost, or is tried again
		return "still connecting, try again in a moment"
	case s.Err == nil:
		return "it is " + string(s.State)
	}
	line := oneLine(s.Err.Error(), 1<<16)
	if len(line) <= maxReason {
		return line
	}
	head, tail := cut(line, maxReason*2/5), line[len(line)-maxReason*3/5:]
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	return head + strings.TrimLeft(tail, " ")
}

// maxReason is how many bytes of a server's failure a model gets to read.
const maxReason = 240

// cut shortens to a number of bytes, at a character and with a mark.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	const mark = "…"
	end := max(0, limit-len(mark))
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.TrimRight(s[:end], " ") + mark
}

// Text is the result as a model reads it.
func (r *FindResult) Text() string {
	var b strings.Builder
	switch {
	case len(r.Tools) > 0:
	case len(r.Unavailable) > 0:
		b.WriteString("No tool of the servers that are available now matches.\n")
	default:
		b.WriteString("No tool matches. Try other words, or several phrasings.\n")
	}
	for _, t := range r.Tools {
		b.WriteString(t.Name)
		if t.Loaded {
			b.WriteString(" (loaded)")
		}
		b.WriteString("\n  " + t.Signature + "\n")
		if t.Description != "" {
			b.WriteString("  " + t.Description + "\n")
		}
	}
	if r.LexicalReason != "" {
		b.WriteString("Found by words alone, so other words may find more.\n")
	}
	for _, s := range r.Unavailable {
		fmt.Fprintf(&b, "Not available now: %s (%s)\n", s.Name, s.Reason)
	}
	return b.String()
}

// Text is the result as a model reads it.
func (r *LoadResult) Text() string {
	var b strings.Builder
	var imports []string
	for _, s := range r.Specs {
		if !slices.Contains(imports, s.Import) {
			imports = append(imports, s.Import)
			b.WriteString(s.Import + "\n")
		}
	}
	for _, s := range r.Specs {
		b.WriteString("\n// " + s.Name + "\n" + strings.TrimSpace(s.TypeScript) + "\n")
	}
	if len(r.Also) > 0 {
		b.WriteString("\n// can be loaded too: " + strings.Join(r.Also, ", ") + "\n")
	}
	for _, u := range r.Unknown {
		if u.Reason != "" {
			fmt.Fprintf(&b, "\n%q cannot be loaded: %s.", u.Name, u.Reason)
		} else {
			fmt.Fprintf(&b, "\nThere is no tool %q.", u.Name)
		}
		if len(u.Suggestions) > 0 {
			b.WriteString(" The nearest names are " + strings.Join(u.Suggestions, ", ") + ".")
		} else if u.Reason == "" {
			b.WriteString(" FindTools (the tool find_tools) searches for what a tool does.")
		}
		b.WriteString("\n")
	}
	return strings.TrimSpace(b.String()) + "\n"
}

// Text is the result as a model reads it: what failed first, then the value, the
// output, and of the calls those that explain a failure.
func (r *Result) Text() string {
	var b strings.Builder
	if e := r.Error; e != nil {
		fmt.Fprintf(&b, "%s", r.Phase)
		if e.Line > 0 {
			fmt.Fprintf(&b, " at line %d, column %d", e.Line, e.Column)
		}
		b.WriteString(": " + e.Message + "\n")
		if e.Hint != "" {
			b.WriteString("hint: " + e.Hint + "\n")
		}
		if len(r.Diagnostics) > 0 {
			r.writeDiagnostics(&b)
		}
		r.writeCalls(&b)
	} else if r.Value != nil {
		b.Write(r.Value)
		b.WriteString("\n")
	} else {
		b.WriteString("ok, without a value\n")
	}
	for _, stream := range []struct{ name, text string }{{"stdout", r.Stdout}, {"stderr", r.Stderr}} {
		if stream.text != "" {
			fmt.Fprintf(&b, "%s:\n%s\n", stream.name, strings.TrimSuffix(stream.text, "\n"))
		}
	}
	r.writeFiles(&b)
	return b.String()
}

// maxListedFiles bounds the files in a text; more are in [Result.Files].
const maxListedFiles = 20

func (r *Result) writeFiles(b *strings.Builder) {
	if len(r.Files) > 0 {
		b.WriteString("files:\n")
	}
	listed := r.Files[:min(len(r.Files), maxListedFiles)]
	for _, f := range listed {
		fmt.Fprintf(b, "  %s %s", f.Change, oneLine(f.Path, maxReason))
		if f.Change != "removed" {
			fmt.Fprintf(b, " (%d bytes)", f.Bytes)
		}
		b.WriteString("\n")
	}
	if more := len(r.Files) - len(listed) + r.MoreFiles; more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}

// writeDiagnostics writes those that are not the error itself.
func (r *Result) writeDiagnostics(b *strings.Builder) {
	for _, d := range r.Diagnostics {
		if d == *r.Error {
			continue
		}
		fmt.Fprintf(b, "also at line %d, column %d: %s", d.Line, d.Column, d.Message)
		if d.Hint != "" {
			b.WriteString(" (" + d.Hint + ")")
		}
		b.WriteString("\n")
	}
}

// maxListedCalls bounds the ledger in a text; the whole one is in [Result.Calls].
const maxListedCalls = 20

func (r *Result) writeCalls(b *strings.Builder) {
	if len(r.Calls) == 0 {
		b.WriteString("no call was made\n")
		return
	}
	b.WriteString("calls made before that:\n")
	for _, c := range r.Calls[:min(len(r.Calls), maxListedCalls)] {
		outcome := "ok"
		if !c.OK {
			first, _, _ := strings.Cut(strings.TrimPrefix(c.Error, c.Tool+": "), "\n")
			outcome = "failed: " + oneLine(first, maxReason)
		}
		fmt.Fprintf(b, "  %s: %s\n", c.Tool, outcome)
	}
	if more := len(r.Calls) - maxListedCalls; more > 0 {
		fmt.Fprintf(b, "  and %d more\n", more)
	}
}
