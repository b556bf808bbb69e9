package sandbox

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"

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

// virtualModules is what a program can import beside packages.
type virtualModules struct {
	program *Program
	sources map[string]string
	// words, if not nil, are those of the program: what it does not name is left out.
	words func() map[string]bool
	// less tells that something was left out, nested that a module imports another: it
	// may use what the program does not.
	less, nested atomic.Bool
}

func newVirtualModules(p *Program, words func() map[string]bool) *virtualModules {
	v := &virtualModules{program: p, words: words, sources: map[string]string{BridgeModule: bridgeSource}}
	for _, m := range p.Modules {
		v.sources[m.Specifier] = m.Source
	}
	return v
}

func (v *virtualModules) has(specifier string) bool {
	_, ok := v.sources[strings.TrimSuffix(specifier, ".ts")]
	return ok
}

// plugin lets an import resolve to the given modules and to the runtime's own `node:`
// modules, which can do no more than the process may; to nothing else.
func (v *virtualModules) plugin() api.Plugin {
	p := v.program
	resolve := func(args api.OnResolveArgs) (api.OnResolveResult, error) {
		if v.has(args.Path) {
			specifier := strings.TrimSuffix(args.Path, ".ts")
			if args.Namespace == moduleNamespace && specifier != BridgeModule {
				v.nested.Store(true)
			}
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
		source, less := codeOf(v.sources[args.Path]).naming(v.words)
		if less {
			v.less.Store(true)
		}
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
