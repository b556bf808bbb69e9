package deps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// RegistrySymbol is the registered symbol under which a script offers its packages:
// a function that takes the ID of an [Import] and resolves when it can be read.
const RegistrySymbol = "conductor.packages"

// emptyEnv and emptyMeta are objects in each script. As values for esbuild's own
// replacement they would be modules, in whose naming its goroutines race.
const (
	emptyEnv  = "conductorEnv"
	emptyMeta = "conductorMeta"
)

// A bundle is a script that offers modules of packages, and what they export.
type bundle struct {
	// Script is the body of an async function. It imports nothing and evaluates
	// no package until it is asked for it.
	Script string `json:"script"`
	// Modules are by the ID of an [Import].
	Modules map[string]module `json:"modules"`
}

// A module is what is known of a module without running it.
type module struct {
	// Names are its exports.
	Names []string `json:"names,omitempty"`
	// Dynamic means that it is CommonJS, or re-exports CommonJS: its exports are
	// known when it has run.
	Dynamic bool `json:"dynamic,omitempty"`
}

// buildOptions are common to reading exports and making the script.
func (s *Set) buildOptions(ctx context.Context, imports []*Import) (api.BuildOptions, error) {
	root, err := filepath.EvalSymlinks(s.Dir)
	if err != nil {
		return api.BuildOptions{}, fmt.Errorf("deps: %w", err)
	}
	b := &bundler{ctx: ctx, set: s, root: root, imports: imports}
	return api.BuildOptions{
		// Names of files go into the script: they begin here.
		AbsWorkingDir: root,
		Bundle:        true,
		Format:        api.FormatESModule,
		Platform:      api.PlatformNeutral,
		Target:        api.ESNext,
		// As Deno resolves packages.
		MainFields:       []string{"main"},
		Conditions:       []string{"deno", "node"},
		LegalComments:    api.LegalCommentsNone,
		MinifyWhitespace: true,
		TreeShaking:      api.TreeShakingTrue,
		TsconfigRaw:      "{}",
		Outdir:           filepath.Join(root, "out"), // nothing is written
		Metafile:         true,
		LogLevel:         api.LogLevelSilent,
		Define: map[string]string{
			// A program may not read the environment; packages that look at it
			// when they start shall find it empty instead of failing.
			"process.env":          emptyEnv,
			"process.env.NODE_ENV": `"production"`,
			"import.meta":          emptyMeta,
			"import.meta.url":      `"file:///package.js"`,
			"__filename":           `"/package.js"`,
			"__dirname":            `"/"`,
			"global":               "globalThis",
		},
		Plugins: []api.Plugin{{Name: "packages", Setup: b.setup}},
	}, nil
}

// makeBundle makes the script for the imports.
func (s *Set) makeBundle(ctx context.Context, imports []*Import) (*bundle, error) {
	made := &bundle{}
	var err error
	if made.Modules, err = s.readExports(ctx, imports); err != nil {
		return nil, err
	}
	options, err := s.buildOptions(ctx, imports)
	if err != nil {
		return nil, err
	}
	var table strings.Builder
	for n, i := range imports {
		fmt.Fprintf(&table, "%s:()=>import(%q),", quote(i.ID), fmt.Sprint(entryPrefix, n))
	}
	options.Stdin = &api.StdinOptions{Contents: fmt.Sprintf(registrySource, table.String(), RegistrySymbol), Sourcefile: registryFile, ResolveDir: options.AbsWorkingDir}
	result := api.Build(options)
	if err := buildError(ctx, result.Errors); err != nil {
		return nil, err
	}
	made.Script = fmt.Sprintf("const %s = {}, %s = {};\n", emptyEnv, emptyMeta) + string(result.OutputFiles[0].Contents)
	return made, nil
}

// registrySource is the script around the packages. What a package throws when it
// starts is kept for those who import it.
const registrySource = `
const table = {__proto__: null, %s};
const pending = {__proto__: null}, loaded = {__proto__: null};
const load = (id) => pending[id] ??= table[id]().then((namespace) => void (loaded[id] = namespace));
load.get = (id) => loaded[id];
load.all = async () => {
	for (const id in table) await load(id).catch(() => {});
};
Object.defineProperty(globalThis, Symbol.for(%q), {value: load, configurable: true});
`

// readExports finds the names that each import exports.
func (s *Set) readExports(ctx context.Context, imports []*Import) (map[string]module, error) {
	options, err := s.buildOptions(ctx, imports)
	if err != nil {
		return nil, err
	}
	for n := range imports {
		name := fmt.Sprint(entryPrefix, n)
		options.EntryPointsAdvanced = append(options.EntryPointsAdvanced, api.EntryPoint{InputPath: name, OutputPath: fmt.Sprint("entry", n)})
	}
	result := api.Build(options)
	if err := buildError(ctx, result.Errors); err != nil {
		return nil, err
	}
	var meta struct {
		Inputs map[string]struct {
			Format string `json:"format"`
		} `json:"inputs"`
		Outputs map[string]struct {
			Exports    []string `json:"exports"`
			EntryPoint string   `json:"entryPoint"`
		} `json:"outputs"`
	}
	if err := json.Unmarshal([]byte(result.Metafile), &meta); err != nil {
		return nil, fmt.Errorf("deps: bundling: %w", err)
	}
	modules := map[string]module{}
	for n, i := range imports {
		output, ok := meta.Outputs[fmt.Sprintf("out/entry%d.js", n)]
		file := slices.IndexFunc(result.OutputFiles, func(f api.OutputFile) bool {
			return filepath.Base(f.Path) == fmt.Sprintf("entry%d.js", n)
		})
		if !ok || file < 0 {
			return nil, fmt.Errorf("deps: bundling %s: there is no output", i.ID)
		}
		if meta.Inputs[output.EntryPoint].Format != "esm" || strings.Contains(string(result.OutputFiles[file].Contents), "__reExport(") {
			modules[i.ID] = module{Dynamic: true}
			continue
		}
		slices.Sort(output.Exports)
		modules[i.ID] = module{Names: output.Exports}
	}
	return modules, nil
}

// buildError makes one error of what esbuild found.
func buildError(ctx context.Context, messages []api.Message) error {
	if ctx.Err() != nil {
		return fmt.Errorf("deps: bundling: %w", context.Cause(ctx))
	}
	if len(messages) == 0 {
		return nil
	}
	m := messages[0]
	if err, ok := m.Detail.(error); ok && errors.Is(err, ErrIntegrity) {
		return err
	}
	where := ""
	if m.Location != nil {
		where = fmt.Sprintf(" %s:%d", filepath.ToSlash(m.Location.File), m.Location.Line)
	}
	return fmt.Errorf("deps: bundling%s: %s", where, m.Text)
}

func quote(text string) string {
	quoted, _ := json.Marshal(text) // a string always can be
	return string(quoted)
}

// source is the virtual module by which a program imports one of a script.
func (m module) source(id string) string {
	var b strings.Builder
	if m.Dynamic {
		// Imports are evaluated in their order: first it is loaded, then read.
		path := quote(exportsPrefix + id)
		fmt.Fprintf(&b, "import %s;\nexport * from %s;\nexport { default } from %s;\n", quote(loadPrefix+id), path, path)
		return b.String()
	}
	fmt.Fprintf(&b, "%sconst namespace = load.get(%s);\nconst get = (name) => namespace[name];\n", loadSource(id), quote(id))
	for n, name := range m.Names {
		// Marked as pure, so that what a program does not use is not in it.
		fmt.Fprintf(&b, "const $%d = /* @__PURE__ */ get(%s);\nexport { $%d as %s };\n", n, quote(name), n, quote(name))
	}
	return b.String()
}

// loadSource waits for a module.
func loadSource(id string) string {
	return fmt.Sprintf("const load = globalThis[Symbol.for(%q)];\nawait load(%s);\n", RegistrySymbol, quote(id))
}

// exportsSource is a CommonJS module: esbuild reads its exports when it runs. Of a
// module without a default the default is the whole of it, as programs expect it of
// CommonJS.
func exportsSource(id string) string {
	return fmt.Sprintf(`const namespace = globalThis[Symbol.for(%q)].get(%s);
const { default: main = namespace } = namespace;
module.exports = Object.create(null, { ...Object.getOwnPropertyDescriptors(namespace), default: { value: main, enumerable: true }, __esModule: { value: true } });
`, RegistrySymbol, quote(id))
}
