package deps_test

import (
	"archive/tar"
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox/internal/deps"
)

func TestNotAllowed(t *testing.T) {
	r := newRegistry(t)
	left(r)
	set := install(t, options(t, r, "npm:left@^1"))
	for _, c := range []struct{ specifier, says string }{
		{"lefft", "did you mean left?"},
		{"npm:leftt@1", "did you mean left?"},
		{"right", "allowed are npm:left@^1"},
		{"jsr:left", "allowed are npm:left@^1"},
		{"deep", "only because another package needs it"},
		{"npm:deep@2", "only because another package needs it"},
		{"npm:left@2", "1.2.3 is installed from npm:left@^1"},
		{"npm:left@^1.3", "1.2.3 is installed"},
		{"left/../deep", "no path in a package"},
		{"npm:left@1/../deep/lib/main.js", "no path in a package"},
		{"left/index.js?x", "no path in a package"},
		{"left/node_modules/../../deep", "no path in a package"},
	} {
		_, err := set.Resolve(c.specifier)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("Resolve(%q): got %v, want it to say %q", c.specifier, err, c.says)
		}
		if _, built := tryCompile(set, "import "+`"`+c.specifier+`"`); built == nil || built.Error() != err.Error() {
			t.Errorf("building an import of %q: got %v, want %v", c.specifier, built, err)
		}
	}
	for _, specifier := range []string{"left", "npm:left", "npm:left@1", "npm:left@^1", "npm:left@^1.2.0", "npm:left@~1.2.1", "npm:left@1.2.3", "npm:/left"} {
		found, err := set.Resolve(specifier)
		if err != nil || found.ID != "npm:left@1.2.3" {
			t.Errorf("Resolve(%q) = %v, %v", specifier, found, err)
		}
	}
	for _, specifier := range []string{"./left", "../left", "/left", "https://a.example/x.js", "file:///etc/passwd", "host", "conductor-exports:npm:left@1.2.3", "conductor-entry:0"} {
		if _, err := tryCompile(set, "import "+`"`+specifier+`"`); err == nil || errors.Is(err, deps.ErrNotAllowed) {
			t.Errorf("building an import of %q: got %v, want the refusal of the sandbox", specifier, err)
		}
	}
}

func TestTarballs(t *testing.T) {
	target := filepath.Join(t.TempDir(), "canary")
	for name, c := range map[string]struct {
		attack func(p *published)
		kind   error // nil if the installation succeeds without the member
	}{
		"tampered": {func(p *published) {
			p.tarball = (&published{files: map[string]string{"index.js": "evil"}}).pack("left", "1.2.3")
		}, deps.ErrIntegrity},
		"not a tarball":  {func(p *published) { p.tarball = []byte("<html>") }, deps.ErrIntegrity},
		"other checksum": {func(p *published) { p.integrity = "sha512-" + strings.Repeat("A", 86) + "==" }, deps.ErrIntegrity},
		"traversal": {func(p *published) {
			p.entries = []tar.Header{{Name: "package/" + strings.Repeat("../", 30) + target, Typeflag: tar.TypeReg, Size: 1, Mode: 0o644}}
		}, os.ErrInvalid},
		"symlink": {func(p *published) {
			p.entries = []tar.Header{{Name: "package/x.js", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}}
		}, nil},
		"hard link": {func(p *published) {
			p.entries = []tar.Header{{Name: "package/x.js", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}
		}, nil},
		"fifo": {func(p *published) { p.entries = []tar.Header{{Name: "package/x.js", Typeflag: tar.TypeFifo}} }, nil},
		"huge": {func(p *published) {
			p.entries = []tar.Header{{Name: "package/huge.bin", Typeflag: tar.TypeReg, Size: 16 << 20, Mode: 0o644}}
		}, deps.ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			r := newRegistry(t)
			left(r)
			c.attack(r.packages["npm/left"]["1.2.3"])
			o := options(t, r, "npm:left@^1")
			o.MaxBytes = 8 << 20
			if c.kind == nil {
				set := install(t, o)
				if _, err := os.Lstat(filepath.Join(set.Dir, "node_modules", "left", "x.js")); !errors.Is(err, os.ErrNotExist) {
					t.Errorf("the member was unpacked: %v", err)
				}
				return
			}
			if c.kind == os.ErrInvalid {
				c.kind = nil // any refusal
			}
			refused(t, o, c.kind)
			if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("it was written outside of the folder: %v", err)
			}
		})
	}
}

func TestLifecycleScripts(t *testing.T) {
	leaktest.Check(t)
	r := newRegistry(t)
	canary := filepath.Join(t.TempDir(), "canary")
	scripts := map[string]any{}
	for _, name := range []string{"preinstall", "install", "postinstall", "prepare", "prepublish"} {
		scripts[name] = "echo x > " + canary
	}
	r.add("evil@1.0.0", map[string]any{"main": "index.js", "scripts": scripts, "bin": "index.js"}, map[string]string{
		"index.js": "exports.x = 1", "binding.gyp": "{}",
	})
	set := install(t, options(t, r, "npm:evil"))
	want(t, run(t, set, `import { x } from "evil"; export default () => x;`), "1")
	if _, err := os.Stat(canary); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a lifecycle script ran: %v", err)
	}
}

func TestMinAge(t *testing.T) {
	r := newRegistry(t)
	left(r)
	r.packages["npm/left"]["1.2.3"].when = time.Now().Add(-time.Hour)
	err := refused(t, options(t, r, "npm:left@^1"), deps.ErrTooYoung)
	if strings.Contains(err.Error(), "--min") {
		t.Errorf("%v; want no advice on Deno's flags", err)
	}
	// One that another package needs is as new to this machine as one that is asked for.
	r.packages["npm/left"]["1.2.3"].when = time.Now().Add(-48 * time.Hour)
	r.packages["npm/deep"]["2.0.0"].when = time.Now().Add(-time.Hour)
	refused(t, options(t, r, "npm:left@^1"), deps.ErrTooYoung)

	r.packages["npm/deep"]["2.0.0"].when = time.Now().Add(-48 * time.Hour)
	left1 := r.add("left@1.1.0", map[string]any{"main": "index.js"}, nil)
	left1.when = time.Now().Add(-100 * 24 * time.Hour)
	o := options(t, r, "npm:left@^1")
	o.MinAge = 30 * 24 * time.Hour
	if set := install(t, o); set.Packages[0].Version != "1.1.0" {
		t.Errorf("got the version %s, want the older 1.1.0", set.Packages[0].Version)
	}
	o = options(t, r, "npm:left@^1")
	r.packages["npm/left"]["1.2.3"].when = time.Now()
	o.MinAge = -1
	if set := install(t, o); set.Packages[1].Version != "1.2.3" {
		t.Errorf("got the version %s, want 1.2.3: any age was allowed", set.Packages[1].Version)
	}
}

// TestTamperedCache changes an installed set in every way.
func TestTamperedCache(t *testing.T) {
	r := newRegistry(t)
	left(r)
	for name, attack := range map[string]func(set *deps.Set) error{
		"a file": func(set *deps.Set) error {
			tamper(t, filepath.Join(set.Dir, "node_modules", ".deno", "left@1.2.3", "node_modules", "left", "index.js"), "exports.name = () => 'evil'")
			return nil
		},
		"the bundle":   func(set *deps.Set) error { tamper(t, filepath.Join(set.Dir, "bundle.json"), "{}"); return nil },
		"the manifest": func(set *deps.Set) error { tamper(t, filepath.Join(set.Dir, "manifest.json"), "{}"); return nil },
		"the lock":     func(set *deps.Set) error { tamper(t, filepath.Join(set.Dir, "deno.lock"), "{}"); return nil },
		"a new file":   func(set *deps.Set) error { return os.WriteFile(filepath.Join(set.Dir, "x.js"), nil, 0o600) },
		"a file less":  func(set *deps.Set) error { return os.Remove(filepath.Join(set.Dir, "bundle.json")) },
		"a link":       func(set *deps.Set) error { return os.Symlink("/etc/passwd", filepath.Join(set.Dir, "x.js")) },
		"a file for a link": func(set *deps.Set) error {
			link := filepath.Join(set.Dir, "node_modules", "left")
			return errors.Join(os.Remove(link), os.Symlink(".deno/deep@2.0.0/node_modules/deep", link))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(t, r, "npm:left@^1")
			set := install(t, o)
			thaw(set.Dir)
			if err := attack(set); err != nil {
				t.Fatal(err)
			}
			if _, err := deps.Install(context.Background(), o); !errors.Is(err, deps.ErrIntegrity) {
				t.Errorf("Install: got %v, want %v", err, deps.ErrIntegrity)
			}
			if name != "the manifest" { // of which the set has its own copy
				if err := set.Verify(context.Background()); !errors.Is(err, deps.ErrIntegrity) {
					t.Errorf("Verify: got %v, want %v", err, deps.ErrIntegrity)
				}
			}
		})
	}
}

// TestTamperedWhileInUse has a set that was checked before the attack.
func TestTamperedWhileInUse(t *testing.T) {
	r := newRegistry(t)
	left(r)
	r.packages["npm/left"]["1.2.3"].files["other.js"] = "exports.other = 1"
	set := install(t, options(t, r, "npm:left@^1"))
	for _, file := range []string{"index.js", "other.js"} {
		tamper(t, filepath.Join(set.Dir, "node_modules", ".deno", "left@1.2.3", "node_modules", "left", file), "exports.name = () => 'evil'; exports.other = 2")
	}
	want(t, run(t, set, `import { name } from "left"; export default () => name();`), `"left of deep"`)
	if _, err := tryCompile(set, `import { other } from "left/other.js"; export default () => other;`); !errors.Is(err, deps.ErrIntegrity) {
		t.Errorf("bundling a changed file: got %v, want %v", err, deps.ErrIntegrity)
	}
}

func TestRegistryFails(t *testing.T) {
	for name, handle := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"500":      func(w http.ResponseWriter, r *http.Request) bool { http.Error(w, "no", 500); return true },
		"404":      func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true },
		"not JSON": func(w http.ResponseWriter, r *http.Request) bool { _, _ = w.Write([]byte("<html>")); return true },
		"no tarball": func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, ".tgz") {
				return false
			}
			http.NotFound(w, r)
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			r := newRegistry(t)
			left(r)
			r.handle = handle
			refused(t, options(t, r, "npm:left@^1"), nil)
		})
	}
	r := newRegistry(t)
	o := options(t, r, "npm:left@^1")
	r.Close()
	refused(t, o, nil)
}

// TestHangs has a registry that answers the first request and then no more.
func TestHangs(t *testing.T) {
	leaktest.Check(t)
	r := newRegistry(t)
	left(r)
	asked := make(chan struct{}, 100)
	r.handle = func(w http.ResponseWriter, req *http.Request) bool {
		if strings.HasSuffix(req.URL.Path, ".tgz") {
			asked <- struct{}{}
			<-req.Context().Done()
			return true
		}
		return false
	}
	o := options(t, r, "npm:left@^1")
	t.Run("cancel", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		go func() { <-asked; cancel() }()
		if _, err := deps.Install(ctx, o); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		nothingLeft(t, o.CacheDir)
	})
	t.Run("timeout", func(t *testing.T) {
		o.Timeout = 2 * time.Second
		_, err := deps.Install(context.Background(), o)
		if err == nil || !strings.Contains(err.Error(), "more than 2s") {
			t.Errorf("got %v, want it to name the timeout", err)
		}
		nothingLeft(t, o.CacheDir)
	})
	r.mu.Lock()
	r.handle = nil
	r.mu.Unlock()
	o.Timeout = time.Minute
	install(t, o)
}

// TestOutside has packages that point at files of the host.
func TestOutside(t *testing.T) {
	r := newRegistry(t)
	secret := filepath.Join(t.TempDir(), "secret.json")
	if err := os.WriteFile(secret, []byte(`{"key":"hunter2"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	up := strings.Repeat("../", 30) + strings.TrimPrefix(secret, "/")
	r.add("bymain@1.0.0", map[string]any{"main": up}, map[string]string{"a.js": ""})
	r.add("byexports@1.0.0", map[string]any{"exports": map[string]any{".": "./" + up}}, nil)
	r.add("byrequire@1.0.0", nil, map[string]string{"index.js": "module.exports = require('" + up + "')"})
	r.add("byimport@1.0.0", map[string]any{"type": "module"}, map[string]string{"index.js": "import x from '" + secret + "' with { type: 'json' }; export default x;"})
	r.add("byurl@1.0.0", map[string]any{"type": "module"}, map[string]string{"index.js": "import x from 'file://" + secret + "' with { type: 'text' }; export default x;"})
	r.add("byalias@1.0.0", map[string]any{"imports": map[string]any{"#x": "./" + up}}, map[string]string{"index.js": "module.exports = require('#x')"})
	r.add("bytsconfig@1.0.0", map[string]any{"main": "index.ts"}, map[string]string{"index.ts": "export { default } from 'aliased'", "tsconfig.json": `{"compilerOptions":{"paths":{"aliased":["` + secret + `"]}}}`})
	for _, name := range []string{"bymain", "byexports", "byrequire", "byimport", "byurl", "byalias", "bytsconfig"} {
		t.Run(name, func(t *testing.T) {
			set, err := deps.Install(context.Background(), options(t, r, "npm:"+name))
			if err != nil {
				t.Logf("refused: %v", err)
				return
			}
			if strings.Contains(set.Preload(), "hunter2") {
				t.Error("the script has the file")
			}
			got := run(t, set, `export default async () => { try { return Object.keys(await import("`+name+`")) } catch (e) { return e.message } }`)
			if strings.Contains(got, "hunter2") || !strings.Contains(got, "Cannot find") && !strings.Contains(got, "no such module") {
				t.Errorf("the program got %s", got)
			}
		})
	}
}

// TestTooDeep has a source that would end this process.
func TestTooDeep(t *testing.T) {
	r := newRegistry(t)
	files := map[string]string{"index.js": "exports.fine = true", "bangs.js": strings.Repeat("!", 2<<20) + "1", "lists.js": strings.Repeat("[", 2<<20),
		"arrows.js": strings.Repeat("a=>", 1<<20) + "1", "newlines.js": strings.Repeat("!\n", 2<<20) + "1"}
	r.add("deep@1.0.0", nil, files)
	set := install(t, options(t, r, "npm:deep"))
	for file := range files {
		got := run(t, set, `export default async () => { try { return (await import("deep/`+file+`")).fine } catch (e) { return e.message } }`)
		if file != "index.js" && !strings.Contains(got, "nested too deeply") || file == "index.js" && got != "true" {
			t.Errorf("%s: %s", file, got)
		}
	}
}
