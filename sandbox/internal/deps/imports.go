package deps

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
)

const (
	// moduleSpace holds the virtual modules by ID.
	moduleSpace = "conductor-package"
	// loadPrefix and exportsPrefix, with an ID, name the parts of a virtual module
	// whose exports are not known.
	loadPrefix    = "conductor-load:"
	exportsPrefix = "conductor-exports:"
	// maxImports bounds the work that one program can cause.
	maxImports = 64
	// maxKept is how many scripts besides the preloaded one a set remembers.
	maxKept = 16
)

// Imports are the packages that one program imports. It is for one build at a time.
type Imports struct {
	set *Set
	own func(specifier string) bool

	mu   sync.Mutex // esbuild resolves and loads from several goroutines
	used map[string]*Import
}

// NewImports begins a program. own reports the specifiers that are the host's, such
// as its virtual modules; they are left to other plugins. It may be nil.
func (s *Set) NewImports(own func(specifier string) bool) *Imports {
	if own == nil {
		own = func(string) bool { return false }
	}
	return &Imports{set: s, own: own, used: map[string]*Import{}}
}

// Plugin makes the imports of packages in an esbuild build virtual modules, which
// read from what [Imports.Script] or [Set.Preload] has put into the process. It
// must come before a plugin that refuses what it does not know. An import that is
// not allowed is an error of the build, with the text of [Set.Resolve].
func (i *Imports) Plugin(ctx context.Context) api.Plugin {
	return api.Plugin{Name: "packages", Setup: func(build api.PluginBuild) {
		build.OnResolve(api.OnResolveOptions{Filter: PackageSpecifier.String()}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			if i.own(args.Path) {
				return api.OnResolveResult{}, nil
			}
			found, err := i.set.Resolve(args.Path)
			if err != nil {
				return api.OnResolveResult{}, err
			}
			return api.OnResolveResult{Path: found.ID, Namespace: moduleSpace}, i.use(found)
		})
		build.OnResolve(api.OnResolveOptions{Filter: "^(?:" + loadPrefix + "|" + exportsPrefix + ")"}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
			if args.Namespace != moduleSpace {
				return api.OnResolveResult{}, nil // not for programs
			}
			return api.OnResolveResult{Path: args.Path, Namespace: moduleSpace}, nil
		})
		build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: moduleSpace}, func(args api.OnLoadArgs) (api.OnLoadResult, error) {
			source, err := "", error(nil)
			if id, ok := strings.CutPrefix(args.Path, exportsPrefix); ok {
				source = exportsSource(id)
			} else if id, ok := strings.CutPrefix(args.Path, loadPrefix); ok {
				source = loadSource(id)
			} else {
				source, err = i.source(ctx, args.Path)
			}
			return api.OnLoadResult{Contents: &source, Loader: api.LoaderJS}, err
		})
	}}
}

func (i *Imports) use(found *Import) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.used[found.ID] = found
	if len(i.used) > maxImports {
		return fmt.Errorf("a program may import %d modules of packages, this one has more", maxImports)
	}
	return nil
}

func (i *Imports) source(ctx context.Context, id string) (string, error) {
	i.mu.Lock()
	found := i.used[id]
	i.mu.Unlock()
	m, err := i.set.module(ctx, found)
	return m.source(id), err
}

// Script returns what a process must evaluate before the program that was built. It
// is empty if the program imports no package, or none that [Set.Preload] does not
// offer. A process runs it as
//
//	await new (async () => {}).constructor(script)();
//
// which puts a function at [RegistrySymbol]. Its method all evaluates the packages,
// which a waiting process does ahead of time. If a process has run the preload, it
// must run a script that is not empty, too: the last one counts, so that a program
// never sees two instances of one package.
func (i *Imports) Script(ctx context.Context) (string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	var used []*Import
	preloaded := true
	for id, found := range i.used {
		used = append(used, found)
		if _, ok := i.set.bundle.Modules[id]; !ok {
			preloaded = false
		}
	}
	if preloaded {
		return "", nil
	}
	slices.SortFunc(used, func(x, y *Import) int { return strings.Compare(x.ID, y.ID) })
	b, err := i.set.scripts.get(importKey(used), func() (*bundle, error) { return i.set.makeBundle(ctx, used) })
	if err != nil {
		return "", err
	}
	return b.Script, nil
}

func importKey(imports []*Import) string {
	var ids []string
	for _, i := range imports {
		ids = append(ids, i.ID)
	}
	return strings.Join(ids, "\n")
}

// module returns what an import exports, reading it if it is not preloaded.
func (s *Set) module(ctx context.Context, i *Import) (module, error) {
	if m, ok := s.bundle.Modules[i.ID]; ok {
		return m, nil
	}
	// One key for the exports of one module, which no list of IDs has.
	b, err := s.scripts.get("exports of "+i.ID, func() (*bundle, error) {
		modules, err := s.readExports(ctx, []*Import{i})
		return &bundle{Modules: modules}, err
	})
	if err != nil {
		return module{}, err
	}
	return b.Modules[i.ID], nil
}

// A cache keeps what was made last. One thing is made at a time.
type cache struct {
	mu   sync.Mutex
	keys []string // oldest first
	made map[string]*bundle
}

func (c *cache) get(key string, make func() (*bundle, error)) (*bundle, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if b, ok := c.made[key]; ok {
		return b, nil
	}
	b, err := make()
	if err != nil {
		return nil, err
	}
	if len(c.keys) == maxKept {
		delete(c.made, c.keys[0])
		c.keys = slices.Delete(c.keys, 0, 1)
	}
	if c.made == nil {
		c.made = map[string]*bundle{}
	}
	c.keys, c.made[key] = append(c.keys, key), b
	return b, nil
}
