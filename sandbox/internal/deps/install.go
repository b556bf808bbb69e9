package deps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/conductor/conductor/internal/filelock"
)

const (
	lockName   = "deno.lock"
	bundleName = "bundle.json"
)

// Install returns the set of packages for the options, at once and without a
// network if it was installed before. Several goroutines and processes may ask for
// the same set: one installs, the others wait for it. An installation that fails or
// is cancelled leaves nothing behind.
func Install(ctx context.Context, options *Options) (*Set, error) {
	opts, specs, err := options.withDefaults()
	if err != nil {
		return nil, err
	}
	i := &installer{opts: opts, specs: specs, root: filepath.Join(opts.CacheDir, "deps")}
	i.key = requestHash(&opts, specs)
	if opts.Lock != nil {
		l, err := parseLock(opts.Lock)
		if err != nil {
			return nil, err
		}
		if _, err := l.packages(specs); err != nil {
			return nil, err
		}
		if i.key, err = setHash(specs, opts.Lock); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(i.root, 0o700); err != nil {
		return nil, fmt.Errorf("deps: %w", err)
	}
	if set, err := i.installed(ctx); set != nil || err != nil {
		return set, err
	}
	unlock, err := filelock.Lock(ctx, filepath.Join(i.root, i.key+".lock"))
	if err != nil {
		return nil, fmt.Errorf("deps: waiting for another installation: %w", err)
	}
	defer unlock()
	if set, err := i.installed(ctx); set != nil || err != nil {
		return set, err // another was faster
	}
	return i.install(ctx)
}

// An installer makes one set.
type installer struct {
	opts  Options
	specs []Spec
	root  string
	key   string // what was asked for; with a lock, the hash of the set
}

// installed returns the set if it is there and intact, nil if it is not there.
func (i *installer) installed(ctx context.Context) (*Set, error) {
	hash := i.key
	if i.opts.Lock == nil {
		text, err := os.ReadFile(i.requestFile())
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("deps: %w", err)
		}
		if hash = string(text); len(hash) != len(i.key) || !safePath(hash) || strings.Contains(hash, "/") {
			return nil, fmt.Errorf("deps: %w: %s does not name a set; remove it to install again", ErrIntegrity, i.requestFile())
		}
	}
	return i.open(ctx, hash)
}

// requestFile records which set a request without a lock has got.
func (i *installer) requestFile() string { return filepath.Join(i.root, i.key+".request") }

// open reads and checks a set. It is nil if there is none.
func (i *installer) open(ctx context.Context, hash string) (*Set, error) {
	s := &Set{Dir: filepath.Join(i.root, hash), Hash: hash, specs: i.specs}
	if _, err := os.Stat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	sum, err := os.ReadFile(s.Dir + ".sum")
	if err == nil {
		s.manifest, err = readManifest(s.Dir, string(sum))
	}
	if err == nil {
		err = s.Verify(ctx)
	}
	if err == nil {
		err = s.load()
	}
	if err != nil {
		return nil, fmt.Errorf("deps: the installed set %s: %w", hash, err)
	}
	if found, err := setHash(i.specs, s.Lock); err != nil || found != hash || s.bundle == nil {
		return nil, fmt.Errorf("deps: %w: the set %s is not what its name says", ErrIntegrity, hash)
	}
	return s, nil
}

// load reads what was checked.
func (s *Set) load() error {
	var err error
	if s.Lock, err = s.manifest.read(s.Dir, lockName); err != nil {
		return err
	}
	if s.locked, err = parseLock(s.Lock); err != nil {
		return err
	}
	if s.Packages, err = s.locked.packages(s.specs); err != nil {
		return err
	}
	for n := range s.Packages {
		if p := &s.Packages[n]; p.Registry == "jsr" {
			if p.Exports, err = s.jsrExports(p); err != nil {
				return err
			}
		}
	}
	if _, ok := s.manifest.Files[bundleName]; !ok {
		return nil // it is being made
	}
	text, err := s.manifest.read(s.Dir, bundleName)
	if err != nil {
		return err
	}
	s.bundle = &bundle{}
	return json.Unmarshal(text, s.bundle)
}

// install makes the set in a temporary folder and moves it into place.
func (i *installer) install(ctx context.Context) (set *Set, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, i.opts.Timeout, fmt.Errorf("the installation took more than %v", i.opts.Timeout))
	defer cancel()
	// What an earlier process left when it was killed: nobody else has the lock.
	left, _ := filepath.Glob(filepath.Join(i.root, "tmp-"+i.key+"-*"))
	for _, dir := range left {
		_ = removeAll(dir)
	}
	tmp, err := os.MkdirTemp(i.root, "tmp-"+i.key+"-")
	if err != nil {
		return nil, fmt.Errorf("deps: %w", err)
	}
	defer func() {
		if removeErr := removeAll(tmp); removeErr != nil {
			err = errors.Join(err, fmt.Errorf("deps: %w", removeErr))
		}
	}()
	started := time.Now()
	i.opts.Progress(fmt.Sprintf("installing %s", strings.ReplaceAll(allowText(i.specs), "\n", ", ")))
	if err := i.fetch(ctx, tmp); err != nil {
		return nil, err
	}
	staged := filepath.Join(tmp, "set")
	s := &Set{Dir: staged, specs: i.specs}
	sum, err := i.assemble(ctx, s, tmp)
	if err != nil {
		return nil, err
	}
	if s.Hash, err = setHash(i.specs, s.Lock); err != nil {
		return nil, err
	}
	if i.opts.Lock != nil && s.Hash != i.key {
		return nil, fmt.Errorf("deps: %w: the installation changed it; make a new one by installing without Options.Lock", ErrLock)
	}
	if set, err = i.place(ctx, s, sum); err != nil {
		return nil, err
	}
	i.opts.Progress(fmt.Sprintf("installed %d packages in %v", len(set.Packages), time.Since(started).Round(10*time.Millisecond)))
	return set, nil
}

// assemble turns what Deno fetched into the folder of the set.
func (i *installer) assemble(ctx context.Context, s *Set, tmp string) (sum string, err error) {
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		return "", fmt.Errorf("deps: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(tmp, "work", lockName))
	if err != nil {
		return "", fmt.Errorf("deps: deno wrote no lock: %w", err)
	}
	l, err := parseLock(text)
	if err != nil {
		return "", err
	}
	if _, err := l.packages(i.specs); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(s.Dir, lockName), text, 0o444); err != nil {
		return "", fmt.Errorf("deps: %w", err)
	}
	if err := takeModules(filepath.Join(tmp, "work", "node_modules"), filepath.Join(s.Dir, "node_modules")); err != nil {
		return "", fmt.Errorf("deps: %w", err)
	}
	if err := takeJSR(l, filepath.Join(tmp, "deno", "remote"), s.Dir); err != nil {
		return "", err
	}
	// Bundling reads through a manifest: the first one is of what was fetched.
	if s.manifest, err = makeManifest(ctx, s.Dir); err != nil {
		return "", err
	}
	if err := s.load(); err != nil {
		return "", err
	}
	i.opts.Progress("bundling")
	if s.bundle, err = s.makeBundle(ctx, s.mainImports()); err != nil {
		return "", err
	}
	if text, err = json.Marshal(s.bundle); err != nil {
		return "", fmt.Errorf("deps: %w", err)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, bundleName), text, 0o444); err != nil {
		return "", fmt.Errorf("deps: %w", err)
	}
	if s.manifest, err = makeManifest(ctx, s.Dir); err != nil {
		return "", err
	}
	if sum, err = s.manifest.write(s.Dir); err != nil {
		return "", fmt.Errorf("deps: %w", err)
	}
	if err := freeze(s.Dir); err != nil {
		return "", fmt.Errorf("deps: %w", err)
	}
	return sum, nil
}

// takeModules moves node_modules without the notes that Deno keeps there for
// itself and without the commands of packages.
func takeModules(from, to string) error {
	if err := os.Rename(from, to); errors.Is(err, fs.ErrNotExist) {
		return nil // there are JSR packages only
	} else if err != nil {
		return err
	}
	return filepath.WalkDir(to, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		switch entry.Name() {
		case ".bin":
			if entry.IsDir() {
				if err := os.RemoveAll(file); err != nil {
					return err
				}
				return fs.SkipDir
			}
		case ".initialized", ".setup-cache.bin", ".deno.lock":
			if filepath.Dir(file) == filepath.Join(to, ".deno") || filepath.Dir(filepath.Dir(file)) == filepath.Join(to, ".deno") {
				return os.Remove(file)
			}
		}
		return nil
	})
}

// place moves a finished set to its name, unless it is there already because
// another request got the same.
func (i *installer) place(ctx context.Context, s *Set, sum string) (*Set, error) {
	unlock, err := filelock.Lock(ctx, filepath.Join(i.root, "place.lock"))
	if err != nil {
		return nil, fmt.Errorf("deps: waiting for another installation: %w", err)
	}
	defer unlock()
	set, err := i.open(ctx, s.Hash)
	if err != nil {
		return nil, err
	}
	if set == nil {
		dir := filepath.Join(i.root, s.Hash)
		if err := os.WriteFile(dir+".sum", []byte(sum), 0o600); err != nil {
			return nil, fmt.Errorf("deps: %w", err)
		}
		if err := os.Rename(s.Dir, dir); err != nil {
			return nil, fmt.Errorf("deps: %w", errors.Join(err, os.Remove(dir+".sum")))
		}
		if err := os.Chmod(dir, 0o555); err != nil {
			return nil, fmt.Errorf("deps: %w", err)
		}
		s.Dir, set = dir, s
	}
	if i.opts.Lock == nil {
		// Written beside and renamed, so that nobody reads half of it.
		file := i.requestFile()
		if err := os.WriteFile(file+".new", []byte(s.Hash), 0o600); err != nil {
			return nil, fmt.Errorf("deps: %w", err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			return nil, fmt.Errorf("deps: %w", err)
		}
	}
	return set, nil
}
