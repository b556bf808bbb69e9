package deps_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox/internal/deps"
)

// TestKinds has packages of every shape that programs meet.
func TestKinds(t *testing.T) {
	r := newRegistry(t)
	r.add("cjs@1.0.0", map[string]any{"main": "./lib"}, map[string]string{
		"lib/index.js":  "const { join } = require('path'); module.exports = (a) => join('x', a); module.exports.data = require('./data.json'); module.exports.state = require('./state');",
		"lib/data.json": `{"a":[1,2]}`,
		"lib/state.js":  "exports.n = 0;",
		"map.js":        "module.exports = (l, f) => l.map(f); require('./lib/state').n++;",
	})
	r.add("esm@1.0.0", map[string]any{"type": "module", "exports": map[string]any{
		".": map[string]any{"types": "./index.d.ts", "browser": "./browser.js", "import": "./index.js"}, "./sub": "./sub.js", "./in/*": "./inner/*.js",
	}}, map[string]string{
		"index.js":   "import { sep } from 'node:path'; import * as fs from 'fs'; export let count = 0; export const at = await Promise.resolve(7); export class Thing {} export default function main() { return sep + typeof fs.readFileSync + at }; export { shared } from './shared.js'; export const meta = typeof import.meta.url; export const env = process.env.SECRET ?? process.env.NODE_ENV",
		"browser.js": "throw new Error('browser')", "index.d.ts": "export default function main(): string",
		"sub.js": "export { shared } from './shared.js'; export default 'sub'", "shared.js": "export const shared = {}", "inner/a.js": "export const a = 'inner a'",
	})
	r.add("compiled@1.0.0", nil, map[string]string{"index.js": "Object.defineProperty(exports, '__esModule', { value: true }); exports.default = 'def'; exports.named = 'nam';"})
	r.add("stars@1.0.0", map[string]any{"type": "module", "main": "index.js"}, map[string]string{"index.js": "export * from 'compiled'; export const own = 1;"}).fields["dependencies"] = map[string]any{"compiled": "1"}
	r.add("tries@1.0.0", nil, map[string]string{"index.js": "try { require('not-there') } catch (e) { exports.code = e.code } try { exports.n = require('./a.node') } catch (e) { exports.why = e.message }", "a.node": "\x7fELF"})
	r.add("breaks@1.0.0", nil, map[string]string{"index.js": "throw new TypeError('cannot start')"})
	r.add("@types/x@1.0.0", map[string]any{"main": "", "types": "index.d.ts"}, map[string]string{"index.d.ts": "export {}"})
	r.add("@s/scoped@1.0.0", nil, map[string]string{"index.js": "exports.scoped = true", "deep/er.js": "exports.er = 1"})
	set := install(t, options(t, r, "npm:cjs", "npm:esm@1", "npm:compiled", "npm:stars", "npm:tries", "npm:breaks", "npm:@types/x", "npm:@s/scoped"))
	for _, c := range []struct{ name, code, want string }{
		{"CommonJS", `import f, { data } from "cjs"; import * as all from "npm:cjs"; export default () => [f("y"), data, all.data === data, typeof all.default]`, `["x/y",{"a":[1,2]},true,"function"]`},
		{"one instance", `import f from "cjs"; import map from "cjs/map.js"; import bare from "cjs/map"; export default () => [map([1], (x) => x + 1), bare === map, f.state.n]`, `[[2],true,1]`},
		{"ES module", `import main, { at, Thing, meta, env } from "npm:esm@1"; export default () => [main(), at, typeof Thing, meta, env]`, `["/function7",7,"function","string","production"]`},
		{"subpath", `import sub, { shared } from "esm/sub"; import { shared as same } from "esm"; import { a } from "npm:esm@^1/in/a"; export default () => [sub, shared === same, a]`, `["sub",true,"inner a"]`},
		{"namespace", `import * as esm from "esm"; export default () => Object.keys(esm).sort()`, `["Thing","at","count","default","env","meta","shared"]`},
		{"compiled from ES", `import d, { named } from "compiled"; export default () => [d, named]`, `["def","nam"]`},
		{"re-export of CommonJS", `import { named, own } from "stars"; export default () => [named, own]`, `["nam",1]`},
		{"dynamic import", `export default async () => [(await import("@s/scoped")).scoped, (await import("@s/scoped/deep/er.js")).er]`, `[true,1]`},
		{"optional needs", `import t from "tries"; export default () => [t.code, t.why]`, `["MODULE_NOT_FOUND","node_modules/.deno/tries@1.0.0/node_modules/tries/a.node cannot be used in a sandbox: it is neither JavaScript, TypeScript nor JSON"]`},
		{"one that throws", `export default () => import("breaks").catch((e) => e.message)`, `"cannot start"`},
		{"types only", `import type { X } from "@types/x"; export default () => 1`, `1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			want(t, run(t, set, c.code), c.want)
		})
	}
	_, err := tryCompile(set, `import { nothing } from "esm"; export default () => nothing`)
	if err == nil || !strings.Contains(err.Error(), `"nothing"`) {
		t.Errorf("importing a name that is not exported: got %v, want an error", err)
	}
	if _, err := os.Stat(filepath.Join(set.Dir, "node_modules", "@types", "x", "index.d.ts")); err != nil {
		t.Errorf("types cannot be found: %v", err)
	}
}

func std(r *registry) {
	r.addJSR("@std/internal@1.0.1", map[string]any{".": "./mod.ts", "./os": "./os.ts"}, map[string]string{
		"/mod.ts": "export const unused: number = 1;", "/os.ts": "export const isWindows: boolean = false;"})
	r.addJSR("@std/path@1.0.9", map[string]any{".": "./mod.ts", "./posix": "./posix/mod.ts"}, map[string]string{
		"/mod.ts":       `import { isWindows } from "jsr:@std/internal@^1.0.1/os"; import left from "npm:left@^1"; export * from "./posix/mod.ts"; export const about = (): string => left.name() + isWindows;`,
		"/posix/mod.ts": "export function join(...parts: string[]): string { return parts.join('/') }",
		"/secret.ts":    "export {}",
	})
	left(r)
}

func TestJSR(t *testing.T) {
	leaktest.Check(t)
	r := newRegistry(t)
	std(r)
	o := options(t, r, "jsr:@std/path@^1")
	set := install(t, o)
	want(t, run(t, set, `import { join, about } from "@std/path"; import * as posix from "jsr:@std/path@1/posix"; export default () => [join("a", "b"), about(), posix.join("c", "d")]`),
		`["a/b","left of deepfalse","c/d"]`)
	if _, err := set.Resolve("@std/path/secret.ts"); err == nil {
		t.Error("a file that is no export can be imported")
	}
	if _, err := set.Resolve("@std/internal"); !errors.Is(err, deps.ErrNotAllowed) {
		t.Errorf("got %v, want %v", err, deps.ErrNotAllowed)
	}
	for _, p := range set.Packages {
		if p.Name == "@std/path" {
			if _, err := os.Stat(filepath.Join(set.Dir, p.Exports["./posix"])); err != nil {
				t.Errorf("its source cannot be found: %v", err)
			}
		}
	}
	r.Close()
	install(t, o)
}

func TestJSRTampered(t *testing.T) {
	for name, attack := range map[string]func(p *published){
		"other bytes": func(p *published) { p.tarball = []byte("export const evil = 1;") },
		"by address":  func(p *published) { p.files["/mod.ts"] = `export * from "https://a.example/x.ts"` },
		"by file": func(p *published) {
			p.files["/mod.ts"] = `import x from "file:///etc/hostname" with { type: "text" }; export default x`
		},
		"out of it":    func(p *published) { p.fields["."] = "./../../../../etc/hostname" },
		"not released": func(p *published) { p.when = time.Now() },
	} {
		t.Run(name, func(t *testing.T) {
			leaktest.Check(t)
			r := newRegistry(t)
			std(r)
			attack(r.packages["jsr/@std/path"]["1.0.9"])
			err := refused(t, options(t, r, "jsr:@std/path@^1"), nil)
			if name == "other bytes" && !errors.Is(err, deps.ErrIntegrity) || name == "not released" && !errors.Is(err, deps.ErrTooYoung) {
				t.Errorf("got the wrong kind of error: %v", err)
			}
		})
	}
	r := newRegistry(t)
	std(r)
	first := install(t, options(t, r, "jsr:@std/path@^1"))
	r.packages["jsr/@std/path"]["1.0.9"].files["/posix/mod.ts"] = "export const evil = 1;"
	o := options(t, r, "jsr:@std/path@^1")
	o.Lock = first.Lock
	refused(t, o, deps.ErrIntegrity)
}

// TestPublicRegistry installs from npm itself and shows that a program with
// packages can do no more than one without.
func TestPublicRegistry(t *testing.T) {
	leaktest.Check(t)
	npm, err := exec.LookPath("npm")
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err = exec.CommandContext(ctx, npm, "view", "--silent", "ms", "version").Run()
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("the npm registry is needed: %v", err)
		}
		t.Skipf("this test needs the npm registry: %v", err)
	}
	set := install(t, options(t, nil, "npm:zod@^3", "npm:ms@2", "npm:lodash@4"))
	want(t, run(t, set, `
		import { z } from "zod";
		import * as v4 from "npm:zod@^3/v4";
		import ms from "ms";
		import { chunk } from "lodash";
		import camel from "npm:lodash@4/camelCase";
		export default () => [z.object({ a: z.number() }).safeParse({ a: "x" }).success, v4.z.string().parse("s"), ms("2 days"), chunk([1, 2, 3], 2), camel("a b")]`),
		`[false,"s",172800000,[[1,2],[3]],"aB"]`)

	listening := newRegistry(t)
	got := run(t, set, `
		import "zod";
		import fs from "node:fs";
		import { createRequire } from "node:module";
		const dir = `+quote(set.Dir)+`, url = `+quote(listening.URL)+`;
		const dynamic = (s) => import(s), text = (s) => import(s, { with: { type: "text" } }), json = (s) => import(s, { with: { type: "json" } });
		const attempts = {
			other: () => dynamic("npm:left-pad"), allowed: () => dynamic("npm:zod@^3"), locked: () => dynamic("npm:ms@2.1.3"), jsr: () => dynamic("jsr:@std/path"),
			address: () => dynamic("https://esm.sh/zod"), file: () => dynamic("file://" + dir + "/node_modules/ms/index.js"),
			text: () => text("file:///etc/passwd"), json: () => json("file://" + dir + "/bundle.json"),
			read: () => Deno.readTextFile(dir + "/deno.lock"), node: () => fs.readFileSync(dir + "/node_modules/ms/package.json"),
			stat: () => fs.statSync(dir), require: () => createRequire("file://" + dir + "/x.js")("ms"), passwd: () => Deno.readTextFile("/etc/passwd"),
			write: () => Deno.writeTextFile(dir + "/x", "x"), fetch: () => fetch(url), connect: () => Deno.connect({ hostname: "127.0.0.1", port: Number(new URL(url).port) }),
			env: () => Deno.env.toObject(), run: () => new Deno.Command("/bin/sh").output(),
		};
		export default async () => {
			const worked = [];
			for (const [name, attempt] of Object.entries(attempts)) {
				try { await attempt(); worked.push(name) } catch (e) { if (!/Requires .* access|npm specifiers were requested|not a dependency|--no-remote|import access/.test(e.message)) worked.push(name + ": " + e.message) }
			}
			return worked;
		}`)
	want(t, got, "[]")
	if n := listening.count(""); n != 0 {
		t.Errorf("the program made %d requests", n)
	}
}

func quote(text string) string {
	quoted, _ := json.Marshal(text)
	return string(quoted)
}

// BenchmarkInstalled is the price of a set that is there: reading and comparing it.
func BenchmarkInstalled(b *testing.B) {
	o := options(b, nil, "npm:zod@^3", "npm:lodash@4", "npm:lodash-es@4")
	set, err := deps.Install(context.Background(), o)
	if err != nil {
		b.Skipf("this benchmark needs the npm registry: %v", err)
	}
	b.Run("install", func(b *testing.B) {
		for b.Loop() {
			install(b, o)
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			if err := set.Verify(context.Background()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("compile", func(b *testing.B) {
		for b.Loop() {
			compile(b, set, `import { z } from "zod"; import { map } from "lodash-es"; export default () => [z, map]`)
		}
	})
}
