package deps_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"

	"github.com/conductor/conductor/sandbox"
	"github.com/conductor/conductor/sandbox/internal/deps"
)

var findDeno = sync.OnceValues(func() (string, error) {
	deno, err := sandbox.FindDeno(context.Background(), nil)
	return deno.Path, err
})

// deno returns the path of Deno. Without one the test is skipped; under CI that is
// a failure.
func deno(t testing.TB) string {
	t.Helper()
	path, err := findDeno()
	if err != nil && os.Getenv("CI") == "" {
		t.Skipf("this test needs Deno: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// options are for the registry and a cache folder of the test's own.
func options(t testing.TB, r *registry, allow ...string) *deps.Options {
	t.Helper()
	o := &deps.Options{Deno: deno(t), CacheDir: cacheDir(t), Allow: allow, Timeout: time.Minute}
	if r != nil {
		o.Env = r.env()
	}
	return o
}

// cacheDir is a folder that is removed although sets in it are read-only.
func cacheDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { thaw(dir) })
	return dir
}

func thaw(dir string) {
	_ = filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(file, 0o700)
		}
		return nil
	})
}

func install(t testing.TB, o *deps.Options) *deps.Set {
	t.Helper()
	set, err := deps.Install(context.Background(), o)
	if err != nil {
		t.Fatalf("Install: %v", err)
	}
	return set
}

// refused installs and wants an error of a kind, and nothing left behind.
func refused(t testing.TB, o *deps.Options, kind error) error {
	t.Helper()
	set, err := deps.Install(context.Background(), o)
	if err == nil {
		t.Fatalf("Install: got the set %s, want an error", set.Hash)
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Fatalf("Install: got %v, want %v", err, kind)
	}
	nothingLeft(t, o.CacheDir)
	return err
}

// nothingLeft wants no set and no temporary folder in a cache folder: locks stay.
func nothingLeft(t testing.TB, cache string) {
	t.Helper()
	entries, _ := os.ReadDir(filepath.Join(cache, "deps"))
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}

// A built program and the scripts that it needs.
type built struct {
	code, script string
}

// compile builds a program as the sandbox does: its text is an ES module.
func compile(t testing.TB, set *deps.Set, code string) built {
	t.Helper()
	b, err := tryCompile(set, code)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func tryCompile(set *deps.Set, code string) (built, error) {
	imports := set.NewImports(func(specifier string) bool { return specifier == "host" })
	result := api.Build(api.BuildOptions{
		Stdin:    &api.StdinOptions{Contents: code, Sourcefile: "program.ts", Loader: api.LoaderTS},
		Bundle:   true,
		Format:   api.FormatESModule,
		Platform: api.PlatformNeutral,
		Outfile:  "bundle.js",
		Plugins: []api.Plugin{imports.Plugin(context.Background()), {Name: "rest", Setup: func(build api.PluginBuild) {
			build.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(args api.OnResolveArgs) (api.OnResolveResult, error) {
				if strings.HasPrefix(args.Path, "node:") {
					return api.OnResolveResult{Path: args.Path, External: true}, nil
				}
				return api.OnResolveResult{}, fmt.Errorf("cannot import %q", args.Path)
			})
		}}},
	})
	if said := append(result.Errors, result.Warnings...); len(said) > 0 {
		if err, ok := said[0].Detail.(error); ok {
			return built{}, err
		}
		return built{}, errors.New(said[0].Text)
	}
	script, err := imports.Script(context.Background())
	return built{string(result.OutputFiles[0].Contents), script}, err
}

// harness stands for the sandbox's: it evaluates what the host sends and then
// imports the program from memory. It prints the program's value.
const harness = `
const { preload, script, code } = JSON.parse(await new Response(Deno.stdin.readable).text());
const evaluate = (text) => new (async () => {}).constructor(text)();
await evaluate(preload);
await globalThis[Symbol.for("conductor.packages")].all();
if (script) await evaluate(script);
const program = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
console.log(JSON.stringify(await program.default()));
`

// run runs a program in a Deno without any permission, with the flags that the
// sandbox uses for programs without packages, and returns its JSON.
func run(t testing.TB, set *deps.Set, code string) string {
	t.Helper()
	b := compile(t, set, code)
	dir := t.TempDir()
	main := filepath.Join(dir, "harness.js")
	if err := os.WriteFile(main, []byte(harness), 0o600); err != nil {
		t.Fatal(err)
	}
	input, err := json.Marshal(map[string]string{"preload": set.Preload(), "script": b.script, "code": b.code})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, deno(t), "run", "--quiet", "--no-prompt", "--no-remote", "--no-npm", "--cached-only",
		"--no-config", "--no-lock", "--node-modules-dir=none", "--no-code-cache", "--deny-import", main)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + filepath.Join(dir, "none"), "DENO_DIR=" + filepath.Join(dir, "deno"), "NO_COLOR=1"}
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatalf("running the program: %v: %s", err, stderr.String())
	}
	return strings.TrimSpace(string(output))
}

// want compares what a program returned.
func want(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// tamper overwrites a file of a set.
func tamper(t testing.TB, file, text string) {
	t.Helper()
	for _, step := range []error{os.Chmod(filepath.Dir(file), 0o700), os.Chmod(file, 0o600), os.WriteFile(file, []byte(text), 0o600)} {
		if step != nil {
			t.Fatal(step)
		}
	}
}
