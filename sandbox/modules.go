package sandbox

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
)

var bridgeSource = fmt.Sprintf("export const call = globalThis[Symbol.for(%q)];\n", callSymbol)

const (
	// builtinsVariable holds the runtime's own modules that a program imports.
	builtinsVariable = "$$builtins"
	// loadPrefix and exportsPrefix, before the name of such a module, name its parts.
	loadPrefix    = "load:"
	exportsPrefix = "exports:"
)

// builtinSource is the virtual module for one of the runtime's own, or for a part of
// it. A function cannot import statically, and which names such a module exports is
// known only when it is there: so it is loaded first, and then read as CommonJS.
func builtinSource(path string) string {
	if name, ok := strings.CutPrefix(path, loadPrefix); ok {
		return fmt.Sprintf("%s[%[2]q] = await import(%[2]q);\n", builtinsVariable, name)
	}
	if name, ok := strings.CutPrefix(path, exportsPrefix); ok {
		return fmt.Sprintf("module.exports = { ...%s[%q], __esModule: true };\n", builtinsVariable, name)
	}
	return fmt.Sprintf("import %q;\nexport * from %[2]q;\nexport { default } from %[2]q;\n", loadPrefix+path, exportsPrefix+path)
}

// builtinSpecifier matches what is safe between quotes in any language.
var builtinSpecifier = regexp.MustCompile(`^node:[\w/.-]+$`)

// bareBuiltin matches the modules of the runtime that are of use without a permission,
// by the names that they have in Node.
var bareBuiltin = regexp.MustCompile(`^(assert|buffer|crypto|events|path|querystring|stream|string_decoder|timers|url|util|zlib)(/\w+)?$`)

// virtualModules lets an import resolve to the given modules and to the runtime's
// own `node:` modules, which can do no more than the process may; to nothing else.
func virtualModules(p *Program, modules map[string]string) api.Plugin {
	resolve := func(args api.OnResolveArgs) (api.OnResolveResult, error) {
		specifier := strings.TrimSuffix(args.Path, ".ts")
		if _, ok := modules[specifier]; ok {
			return api.OnResolveResult{Path: specifier, Namespace: moduleNamespace}, nil
		}
		if builtinSpecifier.MatchString(args.Path) {
			if args.Kind == api.ResolveJSDynamicImport {
				return api.OnResolveResult{Path: args.Path, External: true}, nil
			}
			return api.OnResolveResult{Path: args.Path, Namespace: builtinNamespace}, nil
		}
		if bareBuiltin.MatchString(args.Path) {
			return api.OnResolveResult{}, fmt.Errorf("cannot import %q: write import … from %q", args.Path, "node:"+args.Path)
		}
		if p.Missing != nil {
			if message := p.Missing(args.Path, ""); message != "" {
				return api.OnResolveResult{}, errors.New(message)
			}
		}
		return api.OnResolveResult{}, fmt.Errorf("cannot import %q: %s", args.Path, available(p.Modules))
	}
	load := func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		source := withoutTypes(modules[args.Path])
		return api.OnLoadResult{Contents: &source, Loader: api.LoaderTS}, nil
	}
	resolveBuiltin := func(args api.OnResolveArgs) (api.OnResolveResult, error) {
		return api.OnResolveResult{Path: args.Path, Namespace: builtinNamespace, External: args.Kind == api.ResolveJSDynamicImport}, nil
	}
	loadBuiltin := func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		source := builtinSource(args.Path)
		return api.OnLoadResult{Contents: &source, Loader: api.LoaderJS}, nil
	}
	return api.Plugin{Name: "modules", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: ".*", Namespace: builtinNamespace}, resolveBuiltin)
		build.OnResolve(api.OnResolveOptions{Filter: ".*"}, resolve)
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: builtinNamespace}, loadBuiltin)
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: moduleNamespace}, load)
	}}
}

// stripped remembers modules without their types: the same ones come with each
// program, and most of their text is types, which would be parsed each time.
var stripped struct {
	sync.Mutex
	order []string // oldest first
	of    map[string]string
	bytes int
}

// maxStripped bounds what is remembered.
const maxStripped = 32 << 20

// withoutTypes returns the JavaScript of a module, or the module itself if it is not
// valid: the build then says what is wrong.
func withoutTypes(source string) string {
	stripped.Lock()
	defer stripped.Unlock()
	if code, ok := stripped.of[source]; ok {
		return code
	}
	result := api.Transform(source, api.TransformOptions{Loader: api.LoaderTS, MinifyWhitespace: true, LegalComments: api.LegalCommentsNone})
	code := string(result.Code)
	if len(result.Errors) > 0 || len(source)+len(code) > maxStripped {
		return source
	}
	for stripped.bytes+len(source)+len(code) > maxStripped {
		oldest := stripped.order[0]
		stripped.bytes -= len(oldest) + len(stripped.of[oldest])
		stripped.order = stripped.order[1:]
		delete(stripped.of, oldest)
	}
	if stripped.of == nil {
		stripped.of = map[string]string{}
	}
	stripped.order, stripped.of[source] = append(stripped.order, source), code
	stripped.bytes += len(source) + len(code)
	return code
}

// available says what can be imported.
func available(modules []Module) string {
	var names []string
	for _, m := range modules {
		names = append(names, m.Specifier)
	}
	if len(names) == 0 {
		return "no module is available to this program"
	}
	slices.Sort(names)
	return "the modules available to this program are " + strings.Join(names, ", ")
}
