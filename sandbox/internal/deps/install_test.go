package deps_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox/internal/deps"
)

func TestMain(m *testing.M) {
	if allow := os.Getenv("DEPS_TEST_INSTALL"); allow != "" {
		os.Exit(installForAnother(allow))
	}
	os.Exit(m.Run())
}

// installForAnother is the other process of TestConcurrent.
func installForAnother(allow string) int {
	set, err := deps.Install(context.Background(), &deps.Options{
		Deno: os.Getenv("DEPS_TEST_DENO"), CacheDir: os.Getenv("DEPS_TEST_CACHE"), Allow: []string{allow},
		Env: strings.Fields(os.Getenv("DEPS_TEST_ENV")),
	})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Print(set.Hash)
	return 0
}

// left is a package with one that it needs.
func left(r *registry) {
	r.add("left@1.2.3", map[string]any{"main": "index.js", "dependencies": map[string]any{"deep": "^2"}},
		map[string]string{"index.js": "exports.name = () => 'left of ' + require('deep');"})
	r.add("deep@2.0.0", map[string]any{"main": "./lib/main.js"}, map[string]string{"lib/main.js": "module.exports = 'deep';"})
}

func TestInstall(t *testing.T) {
	leaktest.Check(t)
	r := newRegistry(t)
	left(r)
	o := options(t, r, "npm:left@^1")
	set := install(t, o)
	want(t, run(t, set, `import { name } from "left"; export default () => name();`), `"left of deep"`)

	for _, p := range set.Packages {
		if !strings.HasPrefix(p.Integrity, "sha512-") {
			t.Errorf("%s has the integrity %q", p.Name, p.Integrity)
		}
		if direct := p.Name == "left"; direct != (p.Spec != "") {
			t.Errorf("%s has the spec %q", p.Name, p.Spec)
		}
	}
	if info, err := os.Stat(filepath.Join(set.Dir, "node_modules", "left", "index.js")); err != nil || info.Mode().Perm()&0o222 != 0 {
		t.Errorf("a file is %v, %v; want it read-only", info.Mode(), err)
	}
	if info, err := os.Stat(set.Dir); err != nil || info.Mode().Perm()&0o222 != 0 {
		t.Errorf("the folder is %v, %v; want it read-only", info.Mode(), err)
	}

	// Installed once, it needs no registry.
	before := r.count("")
	r.Close()
	again := install(t, o)
	if again.Hash != set.Hash || r.count("") != before {
		t.Errorf("installed again: hash %s, %d requests; want %s and none", again.Hash, r.count("")-before, set.Hash)
	}
	// With the lock as well, and in the same folder.
	o.Lock = set.Lock
	if again = install(t, o); again.Dir != set.Dir {
		t.Errorf("with the lock it is in %s, want %s", again.Dir, set.Dir)
	}
	if err := again.Verify(context.Background()); err != nil {
		t.Error(err)
	}
}

// TestLock has two machines agree on versions and on the name of the set.
func TestLock(t *testing.T) {
	r := newRegistry(t)
	left(r)
	first := install(t, options(t, r, "npm:left"))
	r.add("left@1.3.0", map[string]any{"main": "index.js"}, map[string]string{"index.js": "exports.name = () => 'newer';"})

	o := options(t, r, "npm:left")
	o.Lock = first.Lock
	second := install(t, o)
	if second.Hash != first.Hash {
		t.Errorf("got the hash %s, want %s", second.Hash, first.Hash)
	}
	want(t, run(t, second, `import { name } from "left"; export default () => name();`), `"left of deep"`)

	for name, allow := range map[string]string{"another package": "npm:deep", "more": "npm:right"} {
		t.Run(name, func(t *testing.T) {
			o := options(t, r, "npm:left", allow)
			o.Lock = first.Lock
			if name == "more" {
				r.add("right@1.0.0", nil, nil)
			}
			err := refused(t, o, nil)
			if !errors.Is(err, deps.ErrLock) {
				t.Errorf("got %v, want %v", err, deps.ErrLock)
			}
		})
	}
}

func TestLockMismatch(t *testing.T) {
	leaktest.Check(t)
	r := newRegistry(t)
	left(r)
	first := install(t, options(t, r, "npm:left"))
	// The same version with other bytes, and the registry stands by them.
	r.add("left@1.2.3", map[string]any{"main": "index.js", "dependencies": map[string]any{"deep": "^2"}},
		map[string]string{"index.js": "exports.name = () => 'evil';"})
	o := options(t, r, "npm:left")
	o.Lock = first.Lock
	err := refused(t, o, deps.ErrIntegrity)
	if !strings.Contains(err.Error(), "locked") {
		t.Errorf("%v; want it to speak of the lock", err)
	}
}

func TestConcurrent(t *testing.T) {
	leaktest.Check(t)
	r := newRegistry(t)
	left(r)
	o := options(t, r, "npm:left@^1")
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	hashes := make([]string, 10)
	for n := range 8 {
		all.Go(func() {
			set, err := deps.Install(context.Background(), o)
			if err != nil {
				t.Error(err)
				return
			}
			hashes[n] = set.Hash
		})
	}
	for n := range 2 {
		all.Go(func() {
			cmd := exec.Command(executable)
			cmd.Env = append(os.Environ(), "DEPS_TEST_INSTALL=npm:left@^1", "DEPS_TEST_DENO="+o.Deno,
				"DEPS_TEST_CACHE="+o.CacheDir, "DEPS_TEST_ENV="+strings.Join(o.Env, " "))
			output, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("the other process: %v: %s", err, output)
			}
			hashes[8+n] = string(output)
		})
	}
	all.Wait()
	for _, hash := range hashes {
		if hash != hashes[0] || hash == "" {
			t.Fatalf("got the hashes %q, want one", hashes)
		}
	}
	if n := r.count(".tgz"); n != 2 {
		t.Errorf("%d tarballs were fetched, want 2: one installation", n)
	}
}
