package sandbox

import (
	"regexp"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
)

// A moduleCode is the JavaScript of a module. It can be had without the functions that a
// program does not name: it calls a few of a thousand, and esbuild takes ten milliseconds
// to read and link them all.
type moduleCode struct {
	text       string
	statements []statement      // of text, or nil
	named      map[string][]int // the statements that declare or export a name
}

// A statement is one of the top level.
type statement struct {
	text string
	// name is that of a function, or of an export. Only these have no effect where
	// nobody uses them; everything else has no name here.
	name  string
	words []string // all that could be names which it uses
}

// minParted is the size from which on it is worth while to leave something out.
const minParted = 4 << 10

// naming returns the code with what a program needs that has these words, and whether
// that is less than all. If words is nil it is all.
func (m *moduleCode) naming(words func() map[string]bool) (text string, less bool) {
	if words == nil || m.statements == nil || len(m.text) < minParted {
		return m.text, false
	}
	named := words()
	needed := make([]bool, len(m.statements))
	var open []int
	need := func(at int) {
		if !needed[at] {
			needed[at], open = true, append(open, at)
		}
	}
	for at, st := range m.statements {
		if st.name == "" || named[st.name] {
			need(at)
		}
	}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		for _, word := range m.statements[at].words {
			for _, other := range m.named[word] {
				need(other)
			}
		}
	}
	var b strings.Builder
	for at, st := range m.statements {
		if needed[at] {
			b.WriteString(st.text)
		} else {
			less = true
		}
	}
	if less {
		b.WriteString("export {};\n") // esbuild takes a module without imports and exports for CommonJS
	}
	return b.String(), less
}

var (
	exportClause     = regexp.MustCompile(`(?s)^export \{(.*)\};\n$`)
	clauseEntry      = regexp.MustCompile(`^\s*((` + identifier + `)(?: as (?:(` + identifier + `)|"([^"\\]*)"))?)\s*(?:,|$)`)
	declaredFunction = regexp.MustCompile(`^(?:export )?(?:async )?function\*? (` + identifier + `)\(`)
	word             = regexp.MustCompile(identifier)
)

// identifier matches at least what is one.
const identifier = `[\p{L}\p{M}\p{N}\p{Pc}$\x{200c}\x{200d}]+`

// takeApart makes the code of a module that esbuild has printed: each statement of the
// top level begins a line, and its other lines are indented or begin with a bracket.
func takeApart(text string) *moduleCode {
	m := &moduleCode{text: text, named: map[string][]int{}}
	if strings.Contains(text, "/*") || strings.Contains(text, "eval(") {
		return m // a line of a comment could look like anything, and eval uses what it likes
	}
	for _, part := range topLevel(text) {
		if clause := exportClause.FindStringSubmatch(part); clause != nil {
			if exports := exportsOf(clause[1]); exports != nil {
				m.statements = append(m.statements, exports...)
				continue
			}
		}
		st := statement{text: part, words: word.FindAllString(part, -1)}
		if function := declaredFunction.FindStringSubmatch(part); function != nil {
			st.name = function[1]
		}
		m.statements = append(m.statements, st)
	}
	for at, st := range m.statements {
		if st.name != "" {
			m.named[st.name] = append(m.named[st.name], at)
		}
	}
	return m
}

// topLevel returns the statements of the top level.
func topLevel(text string) []string {
	var parts []string
	start, end := 0, 0 // of the statement
	for line := range strings.Lines(text) {
		if end > start && !strings.ContainsRune(" })]", rune(line[0])) {
			parts = append(parts, text[start:end])
			start = end
		}
		end += len(line)
	}
	return append(parts, text[start:])
}

// exportsOf makes a statement of each entry of an export clause, nil if there is one that
// it does not know.
func exportsOf(clause string) []statement {
	var exports []statement
	for rest := clause; strings.TrimSpace(rest) != ""; {
		entry := clauseEntry.FindStringSubmatch(rest)
		if entry == nil {
			return nil
		}
		name := entry[3] + entry[4]
		if name == "" {
			name = entry[2]
		}
		exports = append(exports, statement{"export { " + entry[1] + " };\n", name, []string{entry[2]}})
		rest = rest[len(entry[0]):]
	}
	return exports
}

// wordsIn returns all that a program could call an export by.
func wordsIn(code string) map[string]bool {
	words := map[string]bool{}
	for _, w := range word.FindAllString(code, -1) {
		words[w] = true
	}
	for s := (&scanner{code: code}); ; {
		switch t := s.next(); t.kind {
		case tokenEOF:
			return words
		case tokenString:
			words[strings.Trim(s.text(t), `"'`)] = true
		}
	}
}

// codes remembers the code of modules: the same modules come with each program, and
// most of their text is types, which would be parsed each time.
var codes struct {
	sync.Mutex
	order []string // modules, oldest first
	of    map[string]*moduleCode
	bytes int
}

// maxCodes bounds what is remembered, in bytes.
const maxCodes = 32 << 20

// codeOf returns the code of a module, or the module itself if it is not valid: the
// build then says what is wrong.
func codeOf(source string) *moduleCode {
	codes.Lock()
	defer codes.Unlock()
	if s, ok := codes.of[source]; ok {
		return s
	}
	result := api.Transform(source, api.TransformOptions{
		Loader: api.LoaderTS, Charset: api.CharsetUTF8, LegalComments: api.LegalCommentsNone,
		Supported: map[string]bool{"template-literal": false}, // no raw line breaks in strings
	})
	s := takeApart(string(result.Code))
	if len(result.Errors) > 0 || s.size(source) > maxCodes {
		return &moduleCode{text: source}
	}
	for codes.bytes+s.size(source) > maxCodes {
		oldest := codes.order[0]
		codes.bytes -= codes.of[oldest].size(oldest)
		codes.order = codes.order[1:]
		delete(codes.of, oldest)
	}
	if codes.of == nil {
		codes.of = map[string]*moduleCode{}
	}
	codes.order, codes.of[source] = append(codes.order, source), s
	codes.bytes += s.size(source)
	return s
}

// size is what code and its source take, to the order of magnitude.
func (m *moduleCode) size(source string) int { return len(source) + 2*len(m.text) }
