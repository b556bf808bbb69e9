package typecheck

import "testing"

// right are programs that run as they are meant to. None of them may be refused.
var right = []struct{ name, code string }{
	{"expression", `1 + 1`},
	{"empty return", `return`},
	{"typical", `import * as crm from "./mcp/crm";
const { records } = await crm.query({ soql: "SELECT Id FROM Account", limit: 10 });
return records.map((r) => r.Name?.toUpperCase() ?? r.Id);`},
	{"with the ending", `import * as crm from "./mcp/crm.ts";
export default (await crm.whoami()).roles.includes("admin")`},
	{"last expression", `import { query } from "./mcp/crm";
const all = await query({ soql: "x" });
all.records.length`},
	{"last expression is a property", `const o = { a: 1 };
o.a`},
	{"unused things", `import * as crm from "./mcp/crm";
import { query as q } from "./mcp/crm";
const unused = 1;
function never(a, b) {}
return 2`},
	{"no types", `function add(a, b) { return a + b }
const sum = (list) => list.reduce((x, y) => x + y, 0);
return add(1, 2) + sum([1, 2])`},
	{"array that begins empty", `const out = [];
for (let i = 0; i < 3; i++) out.push({ i, name: "n" + i });
return out.filter((o) => o.i > 1).map((o) => o.name)`},
	{"object that begins empty", `const out = {};
out.total = 1;
out["count"] = 2;
for (const k of ["a", "b"]) out[k] = (out[k] || 0) + 1;
return out`},
	{"array of arrays", `const grid = [];
grid[0] = [];
grid[0].push("x");
return grid`},
	{"let without a type", `let best;
for (const n of [1, 5, 2]) if (best === undefined || n > best) best = n;
return best * 2`},
	{"null, set in a callback", `import { query } from "./mcp/crm";
let found = null;
(await query({ soql: "x" })).records.forEach((r) => { if (r.Name) found = r });
if (found) return found.Name;
return "none"`},
	{"typed null, set in a callback", `let found: { name: string } | null = null;
["a"].forEach((name) => { found = { name } });
return found?.name`},
	{"lookup by any key", `const prices = { apple: 1, pear: 2 };
const total = Object.keys(prices).reduce((n, k) => n + prices[k], 0);
return total`},
	{"JSON.parse", `const data = JSON.parse('{"a":{"b":[1]}}');
return data.a.b[0].toFixed(2)`},
	{"catch without a type", `import * as crm from "./mcp/crm";
try { await crm.raw() } catch (e) { console.error(e.message, e.data?.code); return e.stack }`},
	{"ToolError", `import * as crm from "./mcp/crm";
try { await crm.raw({ a: 1 }) } catch (e) { if (e instanceof ToolError) return { m: e.message, d: e.data.content[0] }; throw e }`},
	{"Promise.all", `import * as crm from "./mcp/crm";
const [me, accounts] = await Promise.all([crm.whoami(), crm.query({ soql: "x" })]);
return me.email + accounts.records.length`},
	{"allSettled", `import { query } from "./mcp/crm";
const results = await Promise.allSettled(["a", "b"].map((soql) => query({ soql })));
return results.filter((r) => r.status === "fulfilled").map((r) => r.value.done)`},
	{"string names", `import { "get-tickets" as tickets } from "./mcp/odd-names";
import * as odd from "./mcp/odd-names";
const all = await odd["get-tickets"]({ project: "x" });
await odd["delete"]({ id: all[0].id });
await odd.delete({ id: 1 });
return (await tickets({ project: "y" }))[0].title`},
	{"dynamic import", `const crm = await import("./mcp/crm");
return (await crm.whoami()).email`},
	{"destructuring with defaults", `const { a = 1, ...rest } = JSON.parse("{}");
const [x, , y = 2] = [1, 2];
return { a, rest, x, y }`},
	{"return in branches", `if (Math.random() > 2) return "a";
for (const x of [1]) { if (x) return { x }; }
return null`},
	{"code after a return", `return 1;
console.log("never")`},
	{"default export of a function", `export default function main() { return 1 }`},
	{"exported declarations", `export const a = 1;
export function f() { return a }
return f()`},
	{"types of its own", `interface Row { id: number; name?: string }
type Map2<K extends string, V> = { [P in K]: V };
enum Color { Red, Green }
class Box<T> { #v: T; constructor(v: T) { this.#v = v } get() { return this.#v } }
const rows: Row[] = [{ id: Color.Green }];
const m: Map2<"a", number> = { a: new Box(1).get() };
return [rows, m] as const`},
	{"generics and closures", `function groupBy<T, K extends PropertyKey>(list: T[], key: (t: T) => K) {
  const out = {} as Record<K, T[]>;
  for (const t of list) (out[key(t)] ??= []).push(t);
  return out;
}
const counter = (() => { let n = 0; return () => ++n })();
return [groupBy([1, 2, 3], (n) => n % 2 ? "odd" : "even").odd.length, counter()]`},
	{"satisfies and as", `const conf = { a: 1 } satisfies Record<string, number>;
return (conf as any).b?.c`},
	{"new library", `const by = Object.groupBy([1, 2, 3], (n) => (n > 1 ? "big" : "small"));
const m = Map.groupBy([1, 2], (n) => n % 2);
const firsts = [1, 2, 3].values().filter((n) => n > 1).map((n) => n * 2).take(1).toArray();
const s = new Set([1]).union(new Set([2]));
const { promise, resolve } = Promise.withResolvers<number>();
resolve([3, 1].toSorted().at(-1)!);
return [by.big?.length, m.get(1), firsts, [...s], await promise, "a-b".replaceAll("-", ""), structuredClone({ a: 1 }).a, await Array.fromAsync([1])]`},
	{"regular expressions", `const m = /(?<year>\d{4})-(\d+)/v.exec("2026-11");
const all = [..."a1b2".matchAll(/[a-z](\d)/g)].map((x) => x[1]);
return m?.groups?.year ?? all.join()`},
	{"Map and Set", `const counts = new Map();
for (const w of "a b a".split(" ")) counts.set(w, (counts.get(w) ?? 0) + 1);
const seen = new Set();
seen.add(1).add("x");
return Object.fromEntries([...counts.entries()].sort((a, b) => b[1] - a[1]))`},
	{"fetch", `const r = await fetch("https://example.com/?" + new URLSearchParams({ q: "x", n: "1" }), { method: "POST", body: JSON.stringify({}), headers: { "content-type": "application/json" }, signal: AbortSignal.timeout(1000) });
if (!r.ok) throw new Error("status " + r.status);
const body = await r.json();
return [body.items.length, r.headers.get("etag"), new URL(r.url).searchParams.get("q")]`},
	{"web platform", `const bytes = new TextEncoder().encode("x");
const hash = await crypto.subtle.digest("SHA-256", bytes);
const hex = Array.from(new Uint8Array(hash)).map((b) => b.toString(16).padStart(2, "0")).join("");
const t = setTimeout(() => {}, 10); clearTimeout(t);
await new Promise((resolve) => setTimeout(resolve, 1));
const b = new Blob(["a"], { type: "text/plain" });
const text = await new Response(b.stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
for await (const chunk of new ReadableStream({ start(c) { c.enqueue("a"); c.close() } })) console.log(chunk);
return [hex, crypto.randomUUID(), btoa(atob("eA==")), new TextDecoder().decode(bytes), performance.now(), text.byteLength, navigator.userAgent]`},
	{"Node", `import { readFileSync } from "node:fs";
import path from "node:path";
import * as os from "node:os";
return [path.join("a", "b"), Buffer.from("x").toString("hex"), process.env.NODE_ENV, typeof readFileSync, os.EOL]`},
	{"labels, switch, generators", `outer: for (const a of [1, 2]) { for (const b of [1]) { if (a === b) continue outer; } }
block: { if (Math.random() > 2) break block; }
function* ids() { let i = 0; while (true) yield i++ }
const it = ids();
switch (it.next().value) { case 0: return "zero"; default: return "other" }`},
	{"awaiting nothing", `const x = await 5;
return await x`},
	{"async helper and recursion", `const walk = async (n) => (n <= 0 ? [] : [n, ...(await walk(n - 1))]);
return walk(3)`},
	{"using", `using lock = { [Symbol.dispose]() {} };
await using other = { async [Symbol.asyncDispose]() {} };
return 1`},
	{"shorthand and spread", `const a = 1, o = { a, ["b" + a]: 2, get c() { return 3 } };
return { ...o, d: [...Object.entries(o)] }`},
	{"comparison of what is any", `import { raw } from "./mcp/crm";
const r = await raw({});
if (r.status === "x" || r === null) return r[0]?.deep.er();
return r + 1`},
	{"enum values that widen", `import { update_account } from "./mcp/crm";
const stage = "won";
return update_account({ id: "1", fields: { stage, amount: 1 }, owner: { email: "a" } })`},
	{"optional chaining of results", `import { update_account } from "./mcp/crm";
const r = await update_account({ id: "1", fields: { stage: "open", amount: 1 }, owner: { email: "a" } });
return [r.owner?.email.length, r.updatedAt?.slice(0, 10), new Date(r.updatedAt ?? 0).getTime()]`},
	{"comments that suppress", `// @ts-expect-error
const a = 1;
// @ts-ignore
return a.b`},
	{"bridge", `import { call } from "conductor:bridge";
return (await call("crm.query", { soql: "x" })).records`},
	{"constant conditions", `while (true) { break }
if ({}) console.log([] ?? 1);
return (1, 2)`},
	{"functions with properties and this", `function Counter() { this.n = 0 }
Counter.prototype.inc = function () { return ++this.n };
const obj = { n: 1, inc() { return this.n++ } };
return obj.inc()`},
	{"sort and date", `const rows = [{ at: "2026-01-01", n: 2 }];
rows.sort((a, b) => +new Date(b.at) - +new Date(a.at) || b.n - a.n);
return Intl.NumberFormat("en").format(rows[0].n)`},
}

func TestRightPrograms(t *testing.T) {
	c := newChecker(t, Options{})
	for _, test := range right {
		t.Run(test.name, func(t *testing.T) {
			for _, d := range check(t, c, program(test.code)) {
				t.Errorf("%d:%d: TS%d: %s (%s)", d.Line, d.Column, d.Code, d.Message, d.Hint)
			}
		})
	}
}
