// Package deps gives untrusted programs npm and JSR packages without giving them
// the network or a single file.
//
//	set, err := deps.Install(ctx, &deps.Options{
//		Deno: path, CacheDir: cache, Allow: []string{"npm:zod@^3", "jsr:@std/path@1"},
//	})
//	imports := set.NewImports(nil)
//	// give imports.Plugin(ctx) to the esbuild build of the program, then:
//	script, err := imports.Script(ctx) // "" if the preloaded script has it all
//
// # Two steps
//
// Step one has rights and runs no code but Deno's own: `deno install` resolves and
// fetches the allowed packages into a temporary folder, with a cache of its own, an
// explicit environment and no lifecycle scripts. What it left is compared with the
// lock (JSR files once more, by this package), made read-only and renamed into
// place. The folder is named by the hash of the allow list and the lock, and a
// manifest with the SHA-256 of every file goes with it.
//
// Step two has no rights. The host turns the packages into one script, once per
// set, and a waiting process evaluates it before it gets a program. The flags of
// that process stay as they are without packages: --no-npm, --no-remote and no read
// permission.
//
// # Why a script
//
// Deno could also load the packages itself, from its cache or from a node_modules
// folder. Compared with Deno 2.9.6, 2 cores, zod 3, lodash 4 and lodash-es 4:
//
//   - Rights. Both other ways need --no-npm off and the folder readable for the
//     process, also for the layers of the operating system below Deno. A program
//     then imports whatever the folder holds, allowed or only pulled in by
//     something allowed, and any file that Deno's resolver can be talked into
//     (CVE-2026-49406: a main of package.json with ".." in it). JSR packages also
//     need the permission to import from their registry. With the script
//     import("npm:x") fails whatever x is, and there is nothing to read.
//   - Time. From the cache folder the three take 110 to 150 ms of each run, from
//     node_modules 105, and as a module from memory 100, half of it Deno's own parse
//     of each module. As a script that is evaluated they take 15 ms to load and 40
//     to run, both before the program arrives if the process is a waiting one: its
//     first use of a package then takes 1.3 ms.
//   - State. Deno's analysis of CommonJS and its output of TypeScript are written
//     to a cache folder, which must not outlive a run.
//
// The price is that this package bundles. CommonJS, JSON, subpaths and node: imports
// work. Native addons, imports of .wasm files, files that a package reads at run time
// and sources over 8 MB do not: such a module throws when it is used, with the
// reason. A package sees an empty process.env with NODE_ENV "production", and no
// address of its own.
//
// # The folder
//
// [Set.Dir] holds deno.lock, manifest.json, bundle.json, node_modules as Deno lays
// it out and jsr/<scope>/<name>/<version>/ with the sources of JSR packages. Types
// for a type checker are there: node_modules/<name> for an npm package, and for a
// JSR package the file that [Package.Exports] names, which is TypeScript.
//
// # Integrity
//
// [Install] compares every file with the manifest each time it returns a set that
// was there before, [Set.Verify] does it again, and each file that goes into a
// script later is compared as it is read. Whoever can write to the cache folder as
// they like can replace the manifest too, and Deno itself: the folder has to be the
// host's own.
//
// # Concurrency
//
// Everything is safe for concurrent use, also by several processes on one cache
// folder. An [Imports] belongs to one program.
package deps

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Defaults of [Options].
const (
	DefaultMinAge   = 24 * time.Hour
	DefaultTimeout  = 5 * time.Minute
	DefaultMaxBytes = 256 << 20
)

var (
	// ErrNotAllowed means that a program imports what is not in the allow list.
	// Add it there if the program should have it.
	ErrNotAllowed = errors.New("package is not allowed")
	// ErrIntegrity means that bytes are not those that were published, locked or
	// installed. Nothing of them was used.
	ErrIntegrity = errors.New("integrity check failed")
	// ErrLock means that [Options.Lock] does not fit the allow list. Make a new
	// one by installing without it.
	ErrLock = errors.New("lock does not fit")
	// ErrTooYoung means that only versions younger than [Options.MinAge] fit.
	ErrTooYoung = errors.New("package is too young")
	// ErrTooLarge means that the packages exceed [Options.MaxBytes].
	ErrTooLarge = errors.New("packages are too large")
)

// Options say what to install, and how.
type Options struct {
	// Deno is the path of the executable.
	Deno string
	// CacheDir holds the installed sets, in its folder deps.
	CacheDir string
	// Allow lists packages as [ParseSpec] reads them.
	Allow []string
	// Lock, if not nil, is the [Set.Lock] of an earlier installation. Exactly its
	// versions and bytes are installed. Without it the versions found first stay
	// in use on this machine until the cache folder is removed.
	Lock []byte
	// MinAge is how long ago a version must have been published to be chosen. Zero
	// means [DefaultMinAge], less than zero no age at all. It does not apply to
	// what is in Lock.
	MinAge time.Duration
	// Env is added to the environment of the installation, which otherwise
	// inherits nothing: no credential reaches a registry unless it is here.
	// Accepted are NPM_CONFIG_REGISTRY, JSR_URL, DENO_AUTH_TOKENS, DENO_CERT,
	// DENO_TLS_CA_STORE, SSL_CERT_FILE, SSL_CERT_DIR and the proxy variables.
	Env []string
	// Timeout bounds an installation. Zero means [DefaultTimeout].
	Timeout time.Duration
	// MaxBytes bounds what an installation puts on the disk. Zero means
	// [DefaultMaxBytes].
	MaxBytes int64
	// Progress is told what an installation is doing, in words for people.
	Progress func(string)
}

// acceptedEnv are the names in [Options.Env].
var acceptedEnv = []string{
	"NPM_CONFIG_REGISTRY", "JSR_URL", "DENO_AUTH_TOKENS", "DENO_CERT", "DENO_TLS_CA_STORE",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "no_proxy",
}

// registryEnv are those of them that decide whose packages are installed.
var registryEnv = []string{"NPM_CONFIG_REGISTRY", "JSR_URL"}

func (o *Options) withDefaults() (Options, []Spec, error) {
	if o == nil {
		return Options{}, nil, errors.New("deps: Options is nil: Deno, CacheDir and Allow are needed")
	}
	opts := *o
	for _, needed := range []struct{ name, value string }{{"Deno", opts.Deno}, {"CacheDir", opts.CacheDir}} {
		if needed.value == "" {
			return opts, nil, fmt.Errorf("deps: Options.%s is empty", needed.name)
		}
	}
	specs, err := parseAll(opts.Allow)
	if err != nil {
		return opts, nil, err
	}
	for _, variable := range opts.Env {
		name, _, ok := strings.Cut(variable, "=")
		if !ok || !slices.Contains(acceptedEnv, name) {
			return opts, nil, fmt.Errorf("deps: Options.Env has %q, accepted are %s", name, strings.Join(acceptedEnv, ", "))
		}
	}
	switch {
	case opts.MinAge == 0:
		opts.MinAge = DefaultMinAge
	case opts.MinAge < 0:
		opts.MinAge = 0
	}
	if opts.Timeout < 0 || opts.MaxBytes < 0 {
		return opts, nil, errors.New("deps: Options.Timeout and Options.MaxBytes must be 0 or more")
	}
	if opts.Timeout == 0 {
		opts.Timeout = DefaultTimeout
	}
	if opts.MaxBytes == 0 {
		opts.MaxBytes = DefaultMaxBytes
	}
	if opts.Progress == nil {
		opts.Progress = func(string) {}
	}
	opts.Allow, opts.Env = slices.Clone(opts.Allow), slices.Clone(opts.Env)
	return opts, specs, nil
}

// A Package is one installed package.
type Package struct {
	// Registry is "npm" or "jsr".
	Registry string
	Name     string
	Version  string
	// Integrity is the registry's checksum, as it stands in the lock.
	Integrity string
	// Spec is the entry of the allow list. It is empty for a package that another
	// one needs: it is installed, and programs cannot import it.
	Spec string
	// Exports are, for a JSR package, its entries ("." and "./name") and the file
	// of each, relative to [Set.Dir].
	Exports map[string]string
}

// A Set is an installed, unchangeable set of packages. It is safe for concurrent
// use.
type Set struct {
	// Dir is the folder of the set. Nothing may be written to it.
	Dir string
	// Hash identifies the set: the same allow list and lock give the same hash on
	// every machine.
	Hash string
	// Packages are sorted by registry and name.
	Packages []Package
	// Lock goes into [Options.Lock] of other machines.
	Lock []byte

	specs    []Spec
	locked   *lock
	manifest *manifest
	bundle   *bundle // of the main entry of each allowed package
	scripts  cache   // of other entries
}

// Verify compares every file of the set with the manifest. Its error wraps
// [ErrIntegrity] if one differs.
func (s *Set) Verify(ctx context.Context) error {
	return s.manifest.verify(ctx, s.Dir)
}

// Preload is the script that makes the main entry of every allowed package
// importable. See [Imports.Script] for how a process runs it.
func (s *Set) Preload() string { return s.bundle.Script }
