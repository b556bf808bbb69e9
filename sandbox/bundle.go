package sandbox

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"

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
	// moduleNamespace holds the virtual modules in esbuild's graph, builtinNamespace
	// the runtime's own.
	moduleNamespace  = "module"
	builtinNamespace = "builtin"
)

// A bundle is a program made ready to run: the body of an asynchronous function that
// needs nothing but the bridge and [runFunction], and the way back from its positions
// to the program's.
type bundle struct {
	code      string
	sourceMap []byte
	// returnLine is a line of code, from 1, that sourceMap does not know, 0 if there is
	// none. If returnColumn is not 0, it does not know what returnWord has added there.
	returnLine, returnColumn int
	// bindings are what the program's own imports bind, specifiers the modules of all
	// imports.
	bindings   []Binding
	specifiers []string
	// packages is a script to run before the code, if it imports more of them than
	// a waiting process has.
	packages string
	// program is the text that was sent, for positions. Of it outline.wrap has made
	// checked for the type check, and entry for esbuild.
	program, checked, entry string
	// hasDefault tells that the program has an export default, which is its value.
	hasDefault bool
}

// maxNesting is how deep a program may be nested, counting everything that is not
// yet closed. esbuild takes up to 1.5 kB of stack for a level, and Go ends the whole
// process when a stack has a gigabyte.
const maxNesting = 50_000

// parse reads the module syntax of a program, or says what is wrong with it. The
// packages may be nil.
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
	b.checked = outline.wrap(code, imports, exported)
	b.entry = outline.wrap(code, imports, handedOver)
	b.hasDefault = outline.defaultExpr != nil || outline.defaultName != ""
	return b, nil
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

// link makes the code of a program that was parsed, and of the virtual modules that it
// imports, or says what is wrong with it. It becomes a function and not a module: Deno
// would parse it once more, in its own loader, which costs a small program more than
// everything else. The packages may be nil.
func (b *bundle) link(ctx context.Context, p *Program, packages *deps.Set) *ProgramError {
	modules := newVirtualModules(p, sync.OnceValue(func() map[string]bool { return wordsIn(b.entry) }))
	result, imports := b.build(ctx, modules, packages)
	if modules.less.Load() && (modules.nested.Load() || !complete(&result)) {
		result, imports = b.build(ctx, newVirtualModules(p, nil), packages)
	}
	if len(result.Errors) > 0 {
		return b.problem(p, result.Errors)
	}
	for _, f := range result.OutputFiles {
		if strings.HasSuffix(f.Path, ".map") {
			b.sourceMap = f.Contents
		} else {
			b.code = string(f.Contents)
		}
	}
	if !b.hasDefault {
		b.returnLast()
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

// namespaceObject matches where esbuild makes an object of all that a module exports.
var namespaceObject = regexp.MustCompile(`_exports\d* = \{\}`)

// complete tells whether a program has what it asks for of modules of which something
// was left out: no name is missing, and it does not look through all of them.
func complete(result *api.BuildResult) bool {
	return len(result.Errors) == 0 && !slices.ContainsFunc(result.OutputFiles, func(f api.OutputFile) bool {
		return namespaceObject.Match(f.Contents)
	})
}

// maxIndentation bounds the spaces that esbuild prints in front of a program's lines, in
// bytes. It takes some ten times as much memory for them.
const maxIndentation = 16 << 20

// sprawls reports whether there could be more: each level of a statement within another
// adds two spaces to each line. It is an upper estimate, which no trick of a program gets
// under, and which programs of some 30 kB reach. Those are printed without layout.
func sprawls(code string) bool {
	levels, lines := 0, 1
	for _, c := range []byte(code) {
		switch c {
		case '{', '(', '[', ':': // a label is a level, too
			levels++
			lines++
		case '}', ')', ']', ',', ';', '\n':
			lines++
		}
	}
	return 2*levels*lines > maxIndentation
}

// build runs esbuild. The imports are nil if there are no packages.
func (b *bundle) build(ctx context.Context, modules *virtualModules, packages *deps.Set) (api.BuildResult, *deps.Imports) {
	plugins := []api.Plugin{modules.plugin()}
	var imports *deps.Imports
	if packages != nil {
		imports = packages.NewImports(func(specifier string) bool {
			return modules.has(specifier) || strings.HasPrefix(specifier, "node:")
		})
		plugins = slices.Insert(plugins, 0, imports.Plugin(ctx))
	}
	result := api.Build(api.BuildOptions{
		Stdin:            &api.StdinOptions{Contents: b.entry, Sourcefile: programFile, Loader: api.LoaderTS},
		Bundle:           true,
		Format:           api.FormatESModule,
		Platform:         api.PlatformNeutral,
		Sourcemap:        api.SourceMapExternal,
		SourcesContent:   api.SourcesContentExclude,
		LegalComments:    api.LegalCommentsNone,
		MinifyWhitespace: sprawls(b.program),
		Outfile:          "bundle.js",
		Define:           defines(modules.program),
		Banner:           map[string]string{"js": prologue},
		Footer:           map[string]string{"js": "//# sourceURL=" + bundleName},
		TreeShaking:      api.TreeShakingTrue,
		// A module that cannot be imported is a mistake also if nothing of it is used.
		TsconfigRaw: `{"compilerOptions":{"verbatimModuleSyntax":true}}`,
		// V8 has no decorators, and without raw line breaks in strings
		// returnLastExpression can rely on the layout.
		Supported: map[string]bool{"decorators": false, "template-literal": false},
		Plugins:   plugins,
	})
	// A name that a module does not export is an error for `import { name }` and a
	// warning for `module.name`; here neither can be meant.
	for _, w := range result.Warnings {
		if w.ID == "import-is-undefined" {
			result.Errors = append(result.Errors, w)
		}
	}
	return result, imports
}
