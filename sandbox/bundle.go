package sandbox

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"

	"github.com/conductor/conductor/sandbox/internal/deps"
)

// BridgeModule is the module from which a [Module] imports the one function that
// leaves the sandbox:
//
//	import { call } from "conductor:bridge";
//	const answer = await call("target", { any: "arguments" });
//
// call reaches [Program.Call] and resolves to the value that it returns.
const BridgeModule = "conductor:bridge"

// callSymbol is the registered symbol under which the harness offers call.
const callSymbol = "conductor.call"

const (
	programFile = "program.ts"
	wrappedFile = "wrapped.js"
	// moduleNamespace holds the virtual modules in esbuild's graph, builtinNamespace
	// the runtime's own.
	moduleNamespace  = "module"
	builtinNamespace = "builtin"
)

// A bundle is a program made ready to run: the body of an asynchronous function that
// needs nothing but the bridge and [runFunction], and the way back from its positions
// to the program's.
type bundle struct {
	code string
	// bindings are what the program's own imports bind, specifiers the modules of all
	// imports.
	bindings   []Binding
	specifiers []string
	// packages is a script to run before the code, if it imports more of them than
	// a waiting process has.
	packages string
	// program is the text that was sent, for positions; layout is what outline.wrap
	// has made of it for the type check.
	program string
	layout  string
	// transformed is the program in esbuild's layout, hasDefault whether it has an
	// export default.
	transformed string
	hasDefault  bool
	sourceMap   []byte
}

// maxNesting is how deep a program may be nested, counting everything that is not
// yet closed. esbuild takes up to 1.5 kB of stack for a level, and Go ends the whole
// process when a stack has a gigabyte.
const maxNesting = 50_000

// parse reads a program, or says what is wrong with it. The packages may be nil.
func parse(p *Program, packages *deps.Set) (*bundle, *ProgramError) {
	code := stripFence(p.Code)
	if deps.TooDeep([]byte(code), maxNesting) {
		return nil, &ProgramError{Name: "SyntaxError", Message: "the program is nested too deeply"}
	}
	outline, err := scan(code)
	if err != nil {
		var mistake *sourceError
		errors.As(err, &mistake)
		line, column := position(code, mistake.offset)
		return nil, &ProgramError{Name: "SyntaxError", Message: mistake.message, Line: line, Column: column}
	}
	if outline.empty {
		return nil, &ProgramError{Message: "the program is empty", Hint: "send TypeScript; its value is the last expression, a top-level return or an export default"}
	}
	b := &bundle{program: code}
	for _, d := range outline.imports {
		b.specifiers = append(b.specifiers, d.specifier)
		b.bindings = append(b.bindings, bindings(code[d.start:d.end], d.specifier)...)
	}
	imports, more := carried(p, code, b.bindings, packages)
	b.specifiers = append(b.specifiers, more...)
	b.layout = outline.wrap(code, imports, exported)
	var problem *ProgramError
	if b.transformed, problem = transform(code, outline.wrap(code, imports, handedOver)); problem != nil {
		return nil, problem
	}
	b.hasDefault = outline.defaultExpr != nil || outline.defaultName != ""
	return b, nil
}

// link makes the code of a program that was parsed, or says what is wrong with its
// imports. The packages may be nil.
func (b *bundle) link(ctx context.Context, p *Program, packages *deps.Set) *ProgramError {
	if returning, ok := returnLastExpression(b.transformed); ok && !b.hasDefault {
		problem := b.join(ctx, p, packages, returning)
		if problem == nil || problem.Name != "SyntaxError" {
			return problem
		}
		// The line that looked like an expression was none: run without its value.
	}
	return b.join(ctx, p, packages, b.transformed)
}

// transform strips the types and prints the program in esbuild's own layout, in
// which each statement of the body starts a line that is indented by two spaces.
func transform(code, layout string) (string, *ProgramError) {
	result := api.Transform(layout, api.TransformOptions{
		Loader:         api.LoaderTS,
		Sourcefile:     programFile,
		Sourcemap:      api.SourceMapInline,
		SourcesContent: api.SourcesContentExclude,
		LegalComments:  api.LegalCommentsNone,
		// An import that is not used may still be a mistake to report.
		TsconfigRaw: `{"compilerOptions":{"verbatimModuleSyntax":true}}`,
		// Without raw line breaks in strings the layout can be relied on; V8 has no
		// decorators.
		Supported: map[string]bool{"template-literal": false, "decorators": false},
	})
	if len(result.Errors) > 0 {
		return "", syntaxError(code, result.Errors[0])
	}
	return string(result.Code), nil
}

// bodyStart and bodyEnd enclose the body in what transform prints.
const (
	bodyStart = "\n" + runFunction + "(async () => {\n  let " + defaultVariable + ";\n"
	bodyEnd   = "  return " + defaultVariable + ";\n});\nexport {};\n"
)

var (
	// An expression statement starts with anything but these words.
	statementStart = regexp.MustCompile(`^(?:(?:if|else|for|while|do|switch|try|return|throw|break|continue|var|let|const|function|class|debugger|using)\b|async function\b|await using\b|[\w$]+:(?: |$)|[{};])`)
	inlineMap      = regexp.MustCompile(`//# sourceMappingURL=data:application/json;base64,([\w+/=]+)\s*$`)
)

// returnLastExpression turns the last statement of a transformed body into a
// return, if it is an expression.
func returnLastExpression(wrapped string) (string, bool) {
	start := strings.Index("\n"+wrapped, bodyStart)
	end := strings.LastIndex(wrapped, bodyEnd)
	mapping := inlineMap.FindStringSubmatch(wrapped)
	if start < 0 || end < 0 || mapping == nil {
		return "", false
	}
	before := strings.Split(strings.TrimSuffix(wrapped[:end], "\n"), "\n")
	last := len(before) - 1
	for ; last > 0; last-- {
		rest, ok := strings.CutPrefix(before[last], "  ")
		if ok && rest != "" && !strings.ContainsRune(" })]", rune(rest[0])) {
			break
		}
	}
	first := strings.TrimPrefix(strings.TrimPrefix(before[last], "  "), "/* @__PURE__ */ ")
	if statementStart.MatchString(first) {
		return "", false
	}
	lines := slices.Insert(before, last, "  return (")
	lines[len(lines)-1] = strings.TrimSuffix(lines[len(lines)-1], ";")
	lines = append(lines, "  );")

	sourceMap, err := base64.StdEncoding.DecodeString(mapping[1])
	if err != nil {
		return "", false
	}
	var fields map[string]json.RawMessage
	var mappings string
	if json.Unmarshal(sourceMap, &fields) != nil || json.Unmarshal(fields["mappings"], &mappings) != nil {
		return "", false
	}
	// A line of the source map is a group between semicolons.
	groups := strings.Split(mappings, ";")
	if last >= len(groups) {
		return "", false
	}
	inserted, shifted := splitMapping(groups[last])
	groups[last] = shifted
	groups = slices.Insert(groups, last, inserted)
	fields["mappings"], _ = json.Marshal(strings.Join(groups, ";"))
	sourceMap, err = json.Marshal(fields)
	if err != nil {
		return "", false
	}
	return strings.Join(lines, "\n") + "\n" + bodyEnd +
		"//# sourceMappingURL=data:application/json;base64," + base64.StdEncoding.EncodeToString(sourceMap) + "\n", true
}

// splitMapping makes the mappings of a line serve two: the first line begins where
// the line began, and the second has all of its mappings. A mapping is four
// numbers in base 64, the last three relative to the mapping before.
func splitMapping(line string) (first, second string) {
	first, rest, _ := strings.Cut(line, ",")
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	end := strings.IndexFunc(first, func(r rune) bool { return strings.IndexRune(digits, r) < 32 }) // the number's last digit
	if end < 0 {
		return "", line
	}
	second = first[:end+1] + "AAA" // the same column, and the same place in the source
	if rest != "" {
		second += "," + rest
	}
	return first, second
}

const (
	// bundleName is what the program is called in its stacks.
	bundleName = "program.js"
	// headerLines is how many lines the constructor of a function puts before its body.
	headerLines = 2
	// metaVariable is the program's import.meta, which functions do not have.
	metaVariable = "$$meta"
	prologue     = `"use strict";const ` + metaVariable + ` = {__proto__: null, main: true, url: "file:///program.ts"}, ` + builtinsVariable + ` = {};`
)

// defines replaces import.meta where there is one: with any replacement esbuild copies a
// table of all names that mean something in JavaScript.
func defines(p *Program) map[string]string {
	const meta = "import.meta"
	if !strings.Contains(p.Code, meta) && !slices.ContainsFunc(p.Modules, func(m Module) bool { return strings.Contains(m.Source, meta) }) {
		return nil
	}
	return map[string]string{meta: metaVariable}
}

// join makes one function body of the transformed program and the virtual modules
// that it imports. Not a module: Deno would parse it once more, in its own loader,
// which costs a small program more than everything else.
func (b *bundle) join(ctx context.Context, p *Program, packages *deps.Set, wrapped string) *ProgramError {
	modules := map[string]string{BridgeModule: bridgeSource}
	for _, m := range p.Modules {
		modules[m.Specifier] = m.Source
	}
	plugins := []api.Plugin{virtualModules(p, modules)}
	var imports *deps.Imports
	if packages != nil {
		imports = packages.NewImports(func(specifier string) bool {
			_, own := modules[strings.TrimSuffix(specifier, ".ts")]
			return own || strings.HasPrefix(specifier, "node:")
		})
		plugins = slices.Insert(plugins, 0, imports.Plugin(ctx))
	}
	result := api.Build(api.BuildOptions{
		Stdin:          &api.StdinOptions{Contents: wrapped, Sourcefile: wrappedFile, Loader: api.LoaderJS},
		Bundle:         true,
		Format:         api.FormatESModule,
		Platform:       api.PlatformNeutral,
		Sourcemap:      api.SourceMapExternal,
		SourcesContent: api.SourcesContentExclude,
		LegalComments:  api.LegalCommentsNone,
		Outfile:        "bundle.js",
		Define:         defines(p),
		Banner:         map[string]string{"js": prologue},
		Footer:         map[string]string{"js": "//# sourceURL=" + bundleName},
		TreeShaking:    api.TreeShakingTrue,
		TsconfigRaw:    "{}",
		Plugins:        plugins,
	})
	// A name that a module does not export is an error for `import { name }` and a
	// warning for `module.name`; here neither can be meant.
	messages := result.Errors
	for _, w := range result.Warnings {
		if w.ID == "import-is-undefined" {
			messages = append(messages, w)
		}
	}
	if len(messages) > 0 {
		return bundleError(p, b.program, wrapped, messages)
	}
	for _, f := range result.OutputFiles {
		if strings.HasSuffix(f.Path, ".map") {
			b.sourceMap = f.Contents
		} else {
			b.code = string(f.Contents)
		}
	}
	if imports == nil {
		return nil
	}
	var err error
	if b.packages, err = imports.Script(ctx); err != nil {
		return &ProgramError{Name: "ImportError", Message: err.Error()}
	}
	return nil
}

// missingExport matches what esbuild says of a name that a module does not have.
var missingExport = regexp.MustCompile(`(?:^Import "([^"]+)" will always be undefined because there is no matching export in|^No matching export in) "[\w-]+:([^"]+)"(?: for import "([^"]+)")?`)

// bundleError turns esbuild's messages into one error, at the first position in
// the program.
func bundleError(p *Program, program, wrapped string, messages []api.Message) *ProgramError {
	var problems []*ProgramError
	for _, m := range messages {
		problem := &ProgramError{Name: "ImportError", Message: m.Text}
		if found := missingExport.FindStringSubmatch(m.Text); found != nil {
			problem.Message = missingMessage(p, found[2], found[1]+found[3])
		} else if m.PluginName == "" {
			problem.Name = "SyntaxError"
		}
		if m.Location != nil {
			if match := inlineMap.FindStringSubmatch(wrapped); match != nil && m.Location.File == wrappedFile {
				sourceMap, _ := base64.StdEncoding.DecodeString(match[1])
				line := strings.Split(wrapped, "\n")[m.Location.Line-1]
				column := utf16Length(line[:min(m.Location.Column, len(line))])
				problem.Line, problem.Column = originalPosition(sourceMap, program, m.Location.Line, column)
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

func syntaxError(program string, m api.Message) *ProgramError {
	e := &ProgramError{Name: "SyntaxError", Message: m.Text}
	if m.Location == nil {
		return e
	}
	lines := strings.Split(program, "\n")
	e.Line = userLine(m.Location.Line, len(lines))
	e.Column = m.Location.Column + 1
	if m.Location.Line > 2*len(lines)+1 {
		// The closing bracket of the wrapper: the program ended too soon.
		e.Message = "unexpected end of the program"
		e.Hint = "a bracket, quote or template is not closed"
		e.Column = len(lines[len(lines)-1]) + 1
	}
	line := lines[e.Line-1]
	e.Column = utf16Length(line[:min(e.Column-1, len(line))]) + 1
	return e
}

// originalPosition maps a position in generated code (line from 1, column from 0)
// to one in the program (both from 1), or to 0, 0 if it is not of the program.
func originalPosition(sourceMap []byte, program string, line, column int) (int, int) {
	consumer, err := sourcemap.Parse("", sourceMap)
	if err != nil {
		return 0, 0
	}
	file, _, wrappedLine, wrappedColumn, ok := consumer.Source(line, column)
	if !ok || !strings.HasSuffix(file, programFile) {
		return 0, 0
	}
	lines := strings.Count(program, "\n") + 1
	if wrappedLine == lines+1 || wrappedLine > 2*lines+1 {
		return 0, 0 // the wrapper's own lines
	}
	return userLine(wrappedLine, lines), wrappedColumn + 1
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
