package sandbox

import (
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// bodyStart and bodyEnd enclose the program's body in what esbuild prints, in which each
// statement of it starts a line that is indented by statementColumn spaces.
const (
	bodyStart       = "\n" + runFunction + "(async () => {\n  let " + defaultVariable + ";\n"
	bodyEnd         = "  return " + defaultVariable + ";\n});\n"
	statementColumn = 2
	pureComment     = "/* @__PURE__ */"
)

var (
	statementIndent = regexp.MustCompile(`^  [^ })\]]`)
	// An expression statement starts with anything but these words.
	statementStart = regexp.MustCompile(`^\s*(?:(?:if|else|for|while|do|switch|try|return|throw|break|continue|var|let|const|function|class|debugger|using)\b|async function\b|await using\b|(?:[\w$]|\\u\{?[0-9A-Fa-f]+\}?)+:(?: |$)|[{};])`)
)

// maxGuesses bounds how often esbuild is asked whether a guess can be right.
const maxGuesses = 4

// returnLast makes the program's last statement its value, if it is an expression.
func (b *bundle) returnLast() {
	if sprawls(b.program) {
		b.code, b.returnLine, b.returnColumn = returnLastOfLine(b.code)
	} else {
		b.code, b.returnLine = returnLastExpression(b.code)
	}
}

// returnLastExpression turns the last statement of a program's body into a return, if it
// is an expression. That takes a line more: line is which one, from 1, or 0.
func returnLastExpression(code string) (returning string, line int) {
	start, end := strings.Index(code, bodyStart), strings.LastIndex(code, bodyEnd)
	if start < 0 || end < start+len(bodyStart) {
		return code, 0
	}
	start += len(bodyStart)
	lines := strings.Split(strings.TrimSuffix(code[start:end], "\n"), "\n")
	guesses := 0
	for at := len(lines) - 1; at >= 0 && guesses < maxGuesses; at-- {
		before := ";"
		if at > 0 {
			before = lines[at-1]
		}
		if !statementIndent.MatchString(lines[at]) || !strings.HasSuffix(before, ";") && !strings.HasSuffix(before, "}") {
			continue
		}
		if statementStart.MatchString(strings.TrimPrefix(lines[at], "  "+pureComment)) {
			break
		}
		body := slices.Insert(slices.Clone(lines), at, "  return (")
		body[len(body)-1] = strings.TrimSuffix(body[len(body)-1], ";") + "\n  );\n"
		returning = code[:start] + strings.Join(body, "\n") + code[end:]
		// esbuild keeps comments within expressions, and a line of one can look like anything.
		if strings.Contains(before, "//") || strings.Count(returning, "/*") > strings.Count(returning, pureComment) {
			if guesses++; !isScript(returning) {
				continue
			}
		}
		return returning, strings.Count(code[:start], "\n") + at + 1
	}
	return code, 0
}

// shortStart and shortEnd enclose the body in what esbuild prints without layout.
const (
	shortStart = runFunction + "(async()=>{let " + defaultVariable + ";"
	shortEnd   = "return " + defaultVariable + "});"
	returnWord = "return("
)

// returnLastOfLine is [returnLastExpression] for what was printed without layout: a
// statement begins after a semicolon or a brace, and each guess is parsed. It returns
// where [returnWord] was added, the column from 0.
func returnLastOfLine(code string) (returning string, line, column int) {
	start, end := strings.Index(code, shortStart), strings.LastIndex(code, shortEnd)
	if start < 0 || end < start+len(shortStart) {
		return code, 0, 0
	}
	start += len(shortStart)
	body := code[start:end]
	begins := []int{0}
	for s := (&scanner{code: body}); ; {
		t := s.next()
		if t.kind == tokenEOF {
			break
		}
		if s.depth == 0 && (s.is(t, ";") || s.is(t, "}")) {
			begins = append(begins, t.end)
		}
	}
	guesses := 0
	for i := len(begins) - 1; i >= 0 && guesses < maxGuesses; i-- {
		at := begins[i]
		last := strings.TrimRight(body[at:], ";")
		if last == "" {
			continue
		}
		if statementStart.MatchString(last) {
			break
		}
		guesses++
		returning = code[:start+at] + returnWord + last + ");" + code[end:]
		if isScript(returning) {
			before := code[:start+at]
			return returning, strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n') - 1
		}
	}
	return code, 0, 0
}

func isScript(code string) bool {
	return len(api.Transform(code, api.TransformOptions{Loader: api.LoaderJS}).Errors) == 0
}
