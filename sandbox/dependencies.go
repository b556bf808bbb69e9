package sandbox

import (
	"context"
	"fmt"
	"time"

	"github.com/conductor/conductor/sandbox/internal/deps"
)

// Dependencies are npm and jsr packages that programs may import. They are installed
// in a step of their own, which runs no code of the packages and no program: Deno
// resolves and fetches them into a folder below [Options.CacheDir], which is named by
// its content and never changed again; every file is compared with its checksum when
// the folder is used. Lifecycle scripts never run. A program then gets the packages
// as code, without the network and without a file.
//
// Packages that need a native addon, a .wasm import or files at run time do not
// work; they say so when they are used.
type Dependencies struct {
	// Allow lists the packages: "npm:zod@^3", "jsr:@std/path@1". A program imports
	// them by that specifier, or by the bare name, with a subpath or without. What a
	// package needs itself is installed too, and cannot be imported.
	Allow []string
	// Lock, if not nil, is what [Sandbox.Lock] returned elsewhere: exactly those
	// versions and bytes are installed. Without it the versions that were found
	// first stay in use on this machine.
	Lock []byte
	// MinAge is how long ago a version must have been published to be chosen. Zero
	// means 24 hours, less than zero no age at all.
	MinAge time.Duration
	// Env is added to the environment of the installation, which inherits nothing:
	// NPM_CONFIG_REGISTRY, JSR_URL, DENO_AUTH_TOKENS, DENO_CERT, DENO_TLS_CA_STORE,
	// SSL_CERT_FILE, SSL_CERT_DIR and the proxy variables.
	Env []string
}

// Errors of an installation, wrapped by those of [New] and [Sandbox.Run].
var (
	// ErrIntegrity means that bytes are not those that were published, locked or
	// installed. Nothing of them was used.
	ErrIntegrity = deps.ErrIntegrity
	// ErrLock means that [Dependencies.Lock] does not fit the allow list.
	ErrLock = deps.ErrLock
	// ErrTooYoung means that only versions younger than [Dependencies.MinAge] fit.
	ErrTooYoung = deps.ErrTooYoung
)

// install returns the installed packages, or nil if there are none.
func (s *Sandbox) install(ctx context.Context, d *Dependencies) (*deps.Set, error) {
	if len(d.Allow) == 0 {
		return nil, nil
	}
	cache, err := s.opts.cacheDir()
	if err != nil {
		return nil, err
	}
	set, err := deps.Install(ctx, &deps.Options{
		Deno: s.deno.Path, CacheDir: cache,
		Allow: d.Allow, Lock: d.Lock, MinAge: d.MinAge, Env: d.Env,
		Progress: s.opts.Progress,
	})
	if err != nil {
		return nil, fmt.Errorf("sandbox: Dependencies: %w", err)
	}
	return set, nil
}

// Lock returns the exact versions and checksums of the packages of a profile, nil
// meaning [Options.Profile], installing them first if need be: it goes into
// [Dependencies.Lock] of other machines. It is nil if there are none.
func (s *Sandbox) Lock(ctx context.Context, profile *Profile) ([]byte, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.runs.Done()
	p, err := s.prepare(ctx, profile)
	if err != nil || p.packages == nil {
		return nil, err
	}
	return p.packages.Lock, nil
}
