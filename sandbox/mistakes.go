package sandbox

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"
)

// missingExport matches what esbuild says of a name that a module does not have.
var missingExport = regexp.MustCompile(`(?:^Import "([^"]+)" will always be undefined because there is no matching export in|^No matching export in) "[\w-]+:([^"]+)"(?: for import "([^"]+)")?`)

// problem turns esbuild's messages into one error, at the first position in the
// program.
func (b *bundle) problem(p *Program, messages []api.Message) *ProgramError {
	var problems []*ProgramError
	for _, m := range messages {
		problem := &ProgramError{Name: "ImportError", Message: m.Text}
		found := missingExport.FindStringSubmatch(m.Text)
		if found != nil {
			problem.Message = missingMessage(p, found[2], found[1]+found[3])
		} else if m.PluginName == "" {
			problem.Name = "SyntaxError"
		}
		if m.Location != nil && m.Location.File == programFile {
			problem.Line, problem.Column = b.place(m.Location)
			if problem.Name == "SyntaxError" && m.Location.Line > b.lastLine() {
				problem.Message, problem.Hint = "unexpected end of the program", "a bracket, quote or template is not closed"
			}
		}
		problems = append(problems, problem)
	}
	first := slices.MinFunc(problems, func(x, y *ProgramError) int {
		if x.Line != y.Line {
			return x.Line - y.Line
		}
		return x.Column - y.Column
	})
	var others []string
	for _, other := range problems {
		if other.Message != first.Message && !slices.Contains(others, other.Message) && len(others) < maxOtherProblems {
			others = append(others, other.Message)
		}
	}
	if len(others) > 0 {
		first.Message = strings.Join(append([]string{first.Message}, others...), "\n")
	}
	return first
}

// maxOtherProblems is how many mistakes beside the first are worth reading at once.
const maxOtherProblems = 4

func missingMessage(p *Program, specifier, name string) string {
	if p.Missing != nil {
		if message := p.Missing(specifier, name); message != "" {
			return message
		}
	}
	return fmt.Sprintf("%s has no export %q", specifier, name)
}

// lines is how many lines the program has. It stands twice in the entry, with a line
// of its wrapper between; lastLine is its last one there.
func (b *bundle) lines() int    { return strings.Count(b.program, "\n") + 1 }
func (b *bundle) lastLine() int { return 2*b.lines() + 1 }

// place returns where in the program a place in the entry is, or 0, 0 if that is of the
// wrapper. What is wrong after the program is wrong at its end.
func (b *bundle) place(l *api.Location) (line, column int) {
	switch lines := b.lines(); {
	case l.Line == lines+1:
		return 0, 0
	case l.Line > b.lastLine():
		return position(b.program, len(b.program))
	default:
		return userLine(l.Line, lines), utf16Length(l.LineText[:min(l.Column, len(l.LineText))]) + 1
	}
}

// locate returns the innermost position of a stack that is in the program's text.
func (b *bundle) locate(stack string) (line, column int) {
	for _, m := range stackFrame.FindAllStringSubmatch(stack, -1) {
		l, _ := strconv.Atoi(m[2])
		c, _ := strconv.Atoi(m[3])
		if strings.HasPrefix(m[1], bundleName) {
			l -= headerLines
		}
		switch {
		case b.returnColumn > 0:
			if l == b.returnLine && c > b.returnColumn {
				c -= len(returnWord)
			}
		case b.returnLine > 0 && l >= b.returnLine:
			if l == b.returnLine {
				c = statementColumn + 1
			} else {
				l--
			}
		}
		if line, column = b.origin(l, c-1); line > 0 {
			return line, column
		}
	}
	return 0, 0
}

// stackFrame matches a stack frame of the program, in Deno's words and in V8's, or
// the place in the module that the harness makes of it to find a mistake.
var stackFrame = regexp.MustCompile(`(\b` + regexp.QuoteMeta(bundleName) + `(?:, <anonymous>)?|blob:[^\s()]*):(\d+):(\d+)`)

// origin maps a position in what esbuild has made (line from 1, column from 0) to one
// in the program (both from 1), or to 0, 0 if it is not of the program.
func (b *bundle) origin(line, column int) (int, int) {
	consumer, err := sourcemap.Parse("", b.sourceMap)
	if err != nil {
		return 0, 0
	}
	file, _, line, column, ok := consumer.Source(line, column)
	if !ok || !strings.HasSuffix(file, programFile) || line == b.lines()+1 || line > b.lastLine() {
		return 0, 0
	}
	return userLine(line, b.lines()), column + 1
}

// position returns the line and column of a byte offset, both from 1.
func position(code string, offset int) (line, column int) {
	before := code[:min(offset, len(code))]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf16Length(before[start:]) + 1
}

// utf16Length counts as JavaScript counts columns.
func utf16Length(s string) int {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}
