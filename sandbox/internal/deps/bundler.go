package deps

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

const (
	// entryPrefix and a number stand for one of the imports.
	entryPrefix = "conductor-entry:"
	// registryFile is the name of the script around the packages. The folder of a
	// set has no such file.
	registryFile = "registry.js"
	// missingSpace holds modules that throw, with the reason as their name.
	missingSpace = "conductor-missing"
	// builtinSpace holds the runtime's own modules.
	builtinSpace = "conductor-builtin"
	// maxSource bounds one file that is parsed in this process.
	maxSource = 8 << 20
)

// A bundler lets esbuild see the files of one set and nothing else.
type bundler struct {
	ctx     context.Context
	set     *Set
	root    string // the folder of the set, without links
	imports []*Import
}

func (b *bundler) setup(build api.PluginBuild) {
	build.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
		if args.PluginData == resolving {
			return api.OnResolveResult{}, nil // asked by natively: esbuild's own way
		}
		if args.Kind == api.ResolveJSRequireResolve {
			return api.OnResolveResult{Path: args.Path, External: true}, nil
		}
		return b.resolve(build, args), nil
	})
	build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "file"}, b.load)
	build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: missingSpace}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		source := fmt.Sprintf("module.exports = {};\nthrow Object.assign(new Error(%s), { code: \"MODULE_NOT_FOUND\" });\n", quote(args.Path))
		return api.OnLoadResult{Contents: &source, Loader: api.LoaderJS}, nil
	})
	build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: builtinSpace}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
		name := quote(args.Path)
		source := fmt.Sprintf("module.exports = globalThis.process.getBuiltinModule(%s);\nif (!module.exports) throw Object.assign(new Error(\"Cannot find module \" + %s), { code: \"MODULE_NOT_FOUND\" });\n", name, name)
		return api.OnLoadResult{Contents: &source, Loader: api.LoaderJS}, nil
	})
}

// resolving marks a question that the plugin asks esbuild.
var resolving any = "resolving"

func missing(format string, args ...any) api.OnResolveResult {
	return api.OnResolveResult{Path: fmt.Sprintf(format, args...), Namespace: missingSpace}
}

// resolve never fails: what cannot be had is a module that throws, because many
// packages try out what they could use.
func (b *bundler) resolve(build api.PluginBuild, args api.OnResolveArgs) api.OnResolveResult {
	if number, ok := strings.CutPrefix(args.Path, entryPrefix); ok {
		n, err := strconv.Atoi(number)
		importer, _ := b.inside(args.Importer)
		if args.Importer != "" && importer != registryFile || err != nil || n < 0 || n >= len(b.imports) {
			return missing("Cannot find module %q", args.Path)
		}
		return b.entry(build, b.imports[n], args.Kind)
	}
	if builtin.MatchString(args.Path) {
		return api.OnResolveResult{Path: strings.TrimPrefix(args.Path, "node:"), Namespace: builtinSpace}
	}
	if file, ok := b.inside(args.Importer); ok && args.Namespace == "file" && strings.HasPrefix(file, "jsr/") {
		return b.fromJSR(build, file, args)
	} else if ok && args.Namespace == "file" {
		if file, ok := b.relative(file, args.Path); ok {
			return api.OnResolveResult{Path: b.file(file), Namespace: "file"}
		}
	}
	return b.natively(build, args.Path, args.ResolveDir, args.Kind)
}

// relative resolves the plain cases of a relative import as Node.js does. The rest
// is esbuild's, which reads the folders anew for each question of a plugin: with
// that alone lodash-es takes seconds.
func (b *bundler) relative(importer, specifier string) (string, bool) {
	if !strings.HasPrefix(specifier, "./") && !strings.HasPrefix(specifier, "../") {
		return "", false
	}
	name := path.Join(path.Dir(importer), specifier)
	for _, end := range []string{"", ".js", ".json"} {
		if _, ok := b.set.manifest.Files[name+end]; ok && !strings.HasSuffix(specifier, "/") {
			return name + end, true
		}
	}
	if _, ok := b.set.manifest.Files[name+"/package.json"]; ok {
		return "", false
	}
	_, ok := b.set.manifest.Files[name+"/index.js"]
	return name + "/index.js", ok
}

// natively lets esbuild resolve as Node.js does, within the set.
func (b *bundler) natively(build api.PluginBuild, specifier, from string, kind api.ResolveKind) api.OnResolveResult {
	if kind == api.ResolveEntryPoint {
		kind = api.ResolveJSImportStatement
	}
	found := build.Resolve(specifier, api.ResolveOptions{ResolveDir: from, Kind: kind, PluginData: resolving})
	if len(found.Errors) > 0 || found.Namespace != "file" || found.External {
		return missing("Cannot find module %q", specifier)
	}
	if _, ok := b.inside(found.Path); !ok {
		return missing("Cannot find module %q: it is a file outside of the packages", specifier)
	}
	result := api.OnResolveResult{Path: found.Path, Namespace: "file"}
	if !found.SideEffects {
		result.SideEffects = api.SideEffectsFalse
	}
	return result
}

// entry resolves one of the imports.
func (b *bundler) entry(build api.PluginBuild, i *Import, kind api.ResolveKind) api.OnResolveResult {
	if i.Package.Registry == "jsr" {
		return api.OnResolveResult{Path: b.file(i.Package.Exports[jsrEntry(i.Path)]), Namespace: "file"}
	}
	found := b.natively(build, path.Join(i.Package.Name, i.Path), b.root, kind)
	if found.Namespace == missingSpace {
		return missing("%s cannot be imported: the package has no such module", i.ID)
	}
	return found
}

// fromJSR resolves an import of a JSR module. They name versions: no node_modules
// folder applies.
func (b *bundler) fromJSR(build api.PluginBuild, importer string, args api.OnResolveArgs) api.OnResolveResult {
	registry, rest, _ := strings.Cut(args.Path, ":")
	name, version, inner := splitSpecifier(strings.TrimPrefix(rest, "/"))
	switch {
	case strings.HasPrefix(args.Path, "./") || strings.HasPrefix(args.Path, "../"):
		// Each package has its own folder: jsr/<scope>/<name>/<version>.
		home := strings.Join(strings.SplitN(importer, "/", 5)[:4], "/")
		if file := path.Join(path.Dir(importer), args.Path); strings.HasPrefix(file, home+"/") {
			return api.OnResolveResult{Path: b.file(file), Namespace: "file"}
		}
	case registry == "jsr":
		if found, ok := b.set.locked.find("jsr", name, version); ok {
			if p := b.set.jsrPackage(name, found); p != nil && p.Exports[jsrEntry(inner)] != "" {
				return api.OnResolveResult{Path: b.file(p.Exports[jsrEntry(inner)]), Namespace: "file"}
			}
		}
	case registry == "npm":
		found, ok := b.set.locked.find("npm", name, version)
		if !ok || !safePath(name) {
			break
		}
		store := filepath.Join(b.root, "node_modules", ".deno")
		from := filepath.Join(store, strings.ReplaceAll(name, "/", "+")+"@"+found)
		specifier := path.Join(name, inner)
		if result := b.natively(build, specifier, from, args.Kind); result.Namespace == "file" {
			return result
		}
		return b.natively(build, specifier, store, args.Kind)
	}
	return missing("Cannot find module %q", args.Path)
}

// inside returns the path of a file relative to the set, if it is in it.
func (b *bundler) inside(file string) (string, bool) {
	relative, err := filepath.Rel(b.root, file)
	if err != nil || file == "" {
		return "", false
	}
	relative = filepath.ToSlash(relative)
	return relative, safePath(relative)
}

func (b *bundler) file(name string) string {
	return filepath.Join(b.root, filepath.FromSlash(name))
}

// loaders are by the end of a file's name. Without one a file is CommonJS.
var loaders = map[string]api.Loader{
	"": api.LoaderJS, ".js": api.LoaderJS, ".mjs": api.LoaderJS, ".cjs": api.LoaderJS,
	".ts": api.LoaderTS, ".mts": api.LoaderTS, ".cts": api.LoaderTS,
	".jsx": api.LoaderJSX, ".tsx": api.LoaderTSX, ".json": api.LoaderJSON,
}

// load reads a file of the set, if it still is what was installed.
func (b *bundler) load(args api.OnLoadArgs) (api.OnLoadResult, error) {
	if err := b.ctx.Err(); err != nil {
		return api.OnLoadResult{}, err
	}
	name, ok := b.inside(args.Path)
	if !ok {
		return api.OnLoadResult{}, fmt.Errorf("deps: %w: %s is not a file of the set", ErrIntegrity, args.Path)
	}
	data, err := b.set.manifest.read(b.set.Dir, name)
	if err != nil {
		return api.OnLoadResult{}, err
	}
	loader, ok := loaders[path.Ext(name)]
	reason := ""
	switch {
	case args.With["type"] == "text":
		loader, ok = api.LoaderText, true
	case args.With["type"] == "bytes":
		loader, ok = api.LoaderBinary, true
	case !ok:
		reason = fmt.Sprintf("%s cannot be used in a sandbox: it is neither JavaScript, TypeScript nor JSON", name)
	case len(data) > maxSource:
		reason = fmt.Sprintf("%s cannot be used in a sandbox: it has %d bytes, at most %d are accepted", name, len(data), maxSource)
	case TooDeep(data, maxNesting):
		reason = fmt.Sprintf("%s cannot be used in a sandbox: it is nested too deeply", name)
	}
	contents := string(data)
	if reason != "" {
		contents, loader = fmt.Sprintf("module.exports = {};\nthrow new Error(%s);\n", quote(reason)), api.LoaderJS
	}
	return api.OnLoadResult{Contents: &contents, Loader: loader, ResolveDir: filepath.Dir(args.Path)}, nil
}

// builtin matches the runtime's own modules, which can do no more than the process.
var builtin = regexp.MustCompile(`^(?:node:.+|(?:` + strings.Join(builtins, "|") + `)(?:/(?:promises|posix|win32|types|consumers|web|strict))?)$`)

var builtins = []string{
	"assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants", "crypto",
	"dgram", "diagnostics_channel", "dns", "domain", "events", "fs", "http", "http2", "https",
	"inspector", "module", "net", "os", "path", "perf_hooks", "process", "punycode", "querystring",
	"readline", "repl", "stream", "string_decoder", "sys", "timers", "tls", "tty", "url", "util",
	"v8", "vm", "wasi", "worker_threads", "zlib",
}
