package typecheck

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// install puts packages into a folder as Deno lays them out: the real files out of
// reach of a search that walks up, links to them under their names.
func install(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func link(t *testing.T, dir, name, target string) string {
	t.Helper()
	path := filepath.Join(dir, "node_modules", name)
	if err := os.Symlink(target, path); err != nil {
		t.Skipf("packages are laid out with links: %v", err)
	}
	return path
}

func TestPackages(t *testing.T) {
	dir := install(t, map[string]string{
		"node_modules/.deno/shape@1/node_modules/shape/package.json": `{"name":"shape","main":"./index.cjs","exports":{
			".":{"types":"./index.d.ts","require":"./index.cjs"},
			"./v2":{"import":{"types":"./v2/index.d.mts","default":"./v2/index.mjs"}},
			"./parts/*":{"default":"./lib/*.js"}}}`,
		"node_modules/.deno/shape@1/node_modules/shape/index.d.ts":     `import { Named } from "dependency"; export declare function parse(text: string): Named;`,
		"node_modules/.deno/shape@1/node_modules/shape/v2/index.d.mts": `export declare const two: 2;`,
		"node_modules/.deno/shape@1/node_modules/shape/lib/leg.d.ts":   `export default function leg(n: number): string;`,
		// What the package needs is only beside it.
		"node_modules/.deno/shape@1/node_modules/dependency/package.json": `{"types":"d.d.ts"}`,
		"node_modules/.deno/shape@1/node_modules/dependency/d.d.ts":       `export interface Named { name: string }`,
		"node_modules/.deno/old@1/node_modules/old/package.json":          `{"main":"lib/old"}`,
		"node_modules/.deno/old@1/node_modules/old/lib/old.d.ts":          `declare function old(n: number): string; declare namespace old { const version: string } export = old;`,
		"node_modules/.deno/bare@1/node_modules/bare/package.json":        `{"main":"bare.js"}`,
		"jsr/@std/path/1/mod.ts":                                          `export function join(...parts: string[]): string { return parts.join("/") }`,
	})
	shape := link(t, dir, "shape", ".deno/shape@1/node_modules/shape")
	old := link(t, dir, "old", ".deno/old@1/node_modules/old")
	bare := link(t, dir, "bare", ".deno/bare@1/node_modules/bare")
	c := newChecker(t, Options{Servers: 1})
	checked := func(code string) []Diagnostic {
		t.Helper()
		p := program(code)
		p.PackageDir = dir
		p.Packages = []Package{
			{Specifier: "shape", Dir: shape},
			{Specifier: "npm:shape@^1", Dir: shape},
			{Specifier: "npm:shape@^1/v2", Dir: shape, Path: "v2"},
			{Specifier: "shape/parts/leg", Dir: shape, Path: "parts/leg"},
			{Specifier: "shape/nothing", Dir: shape, Path: "nothing"},
			{Specifier: "old", Dir: old},
			{Specifier: "bare", Dir: bare},
			{Specifier: "jsr:@std/path", File: filepath.Join(dir, "jsr/@std/path/1/mod.ts")},
			{Specifier: "gone", Dir: filepath.Join(dir, "gone")},
		}
		return check(t, c, p)
	}
	for _, test := range []struct {
		name, code string
		want       []Diagnostic
	}{
		{"all right", `import { parse } from "shape";
import * as shape from "npm:shape@^1";
import { two } from "npm:shape@^1/v2";
import leg from "shape/parts/leg";
import old from "old";
import { version } from "old";
import anything, { at, all } from "bare";
import { join } from "jsr:@std/path";
import { x } from "gone";
import nothing from "shape/nothing";
return [parse("a").name, shape.parse("b").name, two + 1, leg(1).length, old(1).length, version.length, anything.at.all(), at(all), join("a").length, x.y, nothing.z]`, nil},
		{"npm", `import { parse } from "npm:shape@^1";
return parse("a").nome`, []Diagnostic{{2, 19, 2339, "Property 'nome' does not exist on type 'Named'.", ""}}},
		{"subpath", `import leg from "shape/parts/leg";
return leg("a")`, []Diagnostic{{2, 12, 2345, "Argument of type 'string' is not assignable to parameter of type 'number'.", ""}}},
		{"jsr", `import { join } from "jsr:@std/path";
return join(1)`, []Diagnostic{{2, 13, 2345, "Argument of type 'number' is not assignable to parameter of type 'string'.", ""}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, checked(test.code)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	// A server that may read these is also good for programs without them.
	if found := check(t, c, program(`return missing`)); len(found) != 1 {
		t.Errorf("without packages it says %v", found)
	}
}

// TestOutsideIsOutOfReach: a type can be imported from any path, and what the server
// says of it would tell the program what the file holds.
func TestOutsideIsOutOfReach(t *testing.T) {
	c := newChecker(t, Options{Servers: 1})
	if err := c.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !c.walled() {
		t.Skip("this system has no layer that keeps a server from files")
	}
	secret := filepath.Join(t.TempDir(), "secret.ts")
	if err := os.WriteFile(secret, []byte(`export const key = "hunter2" as const;`), 0o644); err != nil {
		t.Fatal(err)
	}
	found := check(t, c, program(`let x: typeof import("`+filepath.ToSlash(secret)+`").key = 5; return x`))
	if len(found) != 1 || found[0].Code != 2307 {
		t.Errorf("it says %v", found)
	}
}
