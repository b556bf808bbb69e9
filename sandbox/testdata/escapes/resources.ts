// Time, memory, output. Each must end in a phase that says what happened.

//// endless-loop: contained
//// phases: timeout
//// timeout: 500ms
for (;;) {}

//// endless-microtasks: contained
//// phases: timeout memory
//// timeout: 500ms
const again = () => Promise.resolve().then(again);
await again();

//// endless-next-ticks: contained
//// phases: timeout
//// timeout: 500ms
const again = () => process.nextTick(again);
again();
await t.sleep(1);

//// endless-timers: contained
//// phases: timeout
//// timeout: 500ms
setInterval(() => {}, 1);
await new Promise(() => {});

//// endless-sleep: contained
//// phases: timeout
//// timeout: 500ms
await t.sleep(1e9);

//// endless-catch: contained
//// phases: timeout runtime_error
//// timeout: 500ms
const again = () => { for (;;) try { again(); } catch { /* on */ } };
again();

//// regular-expression: contained
//// phases: timeout
//// timeout: 500ms
return /^(a+)+$/.test("a".repeat(50) + "b");

//// atomics-wait: contained
//// phases: timeout runtime_error
//// timeout: 500ms
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);

//// atomics-wait-async: contained
//// phases: timeout runtime_error
//// timeout: 500ms
await (Atomics as any).waitAsync(new Int32Array(new SharedArrayBuffer(4)), 0, 0).value;

//// big-numbers: contained
//// phases: timeout runtime_error
//// timeout: 500ms
let n = 3n;
for (;;) n = n * n;

//// big-number-as-text: contained
//// phases: timeout runtime_error ok
//// timeout: 1s
return (2n ** 30_000_000n).toString().length;

//// slow-key-derivation: contained
//// phases: timeout
//// timeout: 500ms
import { pbkdf2Sync } from "node:crypto";
pbkdf2Sync("a", "b", 2 ** 31 - 1, 64, "sha512");

//// slow-key-derivations-in-threads: contained
//// phases: timeout
//// timeout: 500ms
import { pbkdf2 } from "node:crypto";
for (let i = 0; i < 8; i++) pbkdf2("a", "b", 2 ** 31 - 1, 64, "sha512", () => {});
await t.sleep(60_000);

//// webassembly-loop: contained
//// phases: timeout
//// timeout: 500ms
// (module (func (export "f") (loop br 0)))
const code = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11]);
(new WebAssembly.Instance(new WebAssembly.Module(code)).exports.f as any)();

//// slow-sort: contained
//// phases: timeout
//// timeout: 500ms
[3, 1, 2].sort(() => { for (;;); });

//// synchronous-sqlite: contained
//// phases: timeout
//// timeout: 500ms
import { DatabaseSync } from "node:sqlite";
new DatabaseSync(":memory:").prepare("with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n").get();

//// heap: contained
//// phases: memory
const a: unknown[] = [];
for (;;) a.push({ a: [a.length] });

//// heap-of-text: contained
//// phases: memory runtime_error
const a: string[] = [];
for (let i = 0; ; i++) a.push(("x".repeat(1 << 20) + i).split("").join(""));

//// heap-in-a-worker: contained
//// phases: memory runtime_error timeout killed
//// timeout: 8s
const worker = new Worker("data:text/javascript,const a = []; for (;;) a.push(new Array(1000).fill(Math.random()))", { type: "module" });
for (;;) await t.sleep(100);

//// text-that-doubles: contained
//// phases: runtime_error memory
let s = "x";
for (;;) { s += s; s.charCodeAt(1); }

//// array-that-is-too-long: contained
//// phases: runtime_error memory
return new Array(2 ** 32 - 1).fill(0).length;

//// map-that-is-too-large: contained
//// phases: runtime_error memory
const m = new Map();
for (let i = 0; ; i++) m.set(i, i);

//// promises: contained
//// phases: ok memory
const all = [];
for (let i = 0; i < 200_000; i++) all.push(new Promise((resolve) => setTimeout(resolve, 1)));
await Promise.all(all);
return all.length;

//// timers: contained
//// phases: ok memory timeout
//// timeout: 5s
for (let i = 0; i < 1_000_000; i++) setTimeout(() => {}, 1e6);
return 1;

//// array-buffers: contained
//// needs: rlimits
//// phases: runtime_error memory killed
const a = [];
for (;;) a.push(new Uint8Array(64 << 20).fill(1));

//// resizable-array-buffer: contained
//// needs: rlimits
//// phases: runtime_error memory killed
const b = new ArrayBuffer(1, { maxByteLength: 4 * 2 ** 30 });
for (let n = 1; ; n += 64 << 20) { b.resize(n); new Uint8Array(b).fill(1); }

//// webassembly-memory: contained
//// needs: rlimits
//// phases: runtime_error memory killed
const a = [];
for (;;) { const m = new WebAssembly.Memory({ initial: 1024 }); new Uint8Array(m.buffer).fill(1); a.push(m); }

//// blobs: contained
//// needs: rlimits
//// phases: runtime_error memory killed
const a = [];
for (;;) a.push(new Blob([new Uint8Array(32 << 20).fill(1)]));

//// buffers: contained
//// needs: rlimits
//// phases: runtime_error memory killed
const a = [];
for (;;) a.push(Buffer.alloc(64 << 20, 1));

//// sqlite-memory: contained
//// needs: rlimits
//// phases: runtime_error memory killed
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync(":memory:");
db.exec("create table a (b)");
for (;;) db.exec("insert into a values (randomblob(50000000))");

//// compression-bomb: contained
//// needs: rlimits
//// phases: runtime_error memory killed
import { gzipSync, gunzipSync } from "node:zlib";
const bomb = gzipSync(new Uint8Array(256 << 20));
const a = [];
for (;;) a.push(gunzipSync(bomb).fill(1));

//// processor-time: contained
//// needs: rlimits
//// phases: killed timeout memory
//// timeout: 4s
for (let i = 0; i < 8; i++) new Worker("data:text/javascript,for (;;) {}", { type: "module" });
for (;;) {}

//// threads: contained
//// needs: rlimits
//// phases: runtime_error memory killed timeout
//// timeout: 10s
import { Worker } from "node:worker_threads";
for (let i = 0; i < 2000; i++) new Worker("setInterval(() => {}, 1000)", { eval: true }).on("error", () => {});
await t.sleep(60_000);

//// cache-that-fills-the-disk: contained
//// known: notes, probe 8: a failure names the run's own folder, beside the working folder
//// needs: rlimits
//// phases: ok runtime_error killed timeout
//// timeout: 5s
const cache = await caches.open("a");
for (let i = 0; i < 100; i++) await cache.put("http://a.example/" + i, new Response(new Uint8Array(16 << 20)));
return 1;

//// deep-recursion: contained
//// phases: runtime_error
const f = (n: number): number => 1 + f(n + 1);
return f(0);

//// deep-recursion-in-a-getter: contained
//// phases: runtime_error
return { get a() { return { get a() { return this; } }; }, get b() { const f = () => f() + 1; return (f as any)(); } };

//// deep-json: contained
//// phases: runtime_error ok
return JSON.parse("[".repeat(100_000) + "]".repeat(100_000));

//// deep-program: contained
//// phases: rejected runtime_error ok memory
// Nesting that a parser follows with its own stack.
return eval("(".repeat(5_000) + "1" + ")".repeat(5_000));

//// descriptors: contained
//// phases: ok runtime_error timeout
//// timeout: 5s
import { DatabaseSync } from "node:sqlite";
const open = [];
for (let i = 0; i < 5_000; i++) { open.push(new BroadcastChannel("c" + i)); if (i < 500) open.push(new DatabaseSync(":memory:")); }
return open.length;

//// stdout-flood: contained
//// phases: ok timeout
//// timeout: 10s
for (let i = 0; i < 500; i++) console.log("x".repeat(100_000));
return 1;

//// stderr-flood: contained
//// phases: ok timeout
//// timeout: 10s
const part = new Uint8Array(100_000).fill(120);
for (let i = 0; i < 500; i++) for (let n = 0; n < part.length;) n += Deno.stderr.writeSync(part.subarray(n));
return 1;

//// line-without-an-end: contained
//// phases: ok timeout
//// timeout: 10s
const part = new Uint8Array(1_000_000).fill(120);
for (let i = 0; i < 50; i++) for (let n = 0; n < part.length;) n += Deno.stdout.writeSync(part.subarray(n));
return 1;

//// endless-output: contained
//// phases: timeout
//// timeout: 1s
const part = new Uint8Array(100_000).fill(120);
for (;;) Deno.stdout.writeSync(part);

//// small-lines: contained
//// phases: ok timeout
//// timeout: 3s
for (let i = 0; i < 50_000; i++) console.log(i);
return 1;

//// log-of-20-megabytes: contained
//// phases: ok killed memory
console.log("x".repeat(20_000_000));
return 1;

//// log-over-a-frame: contained
//// phases: killed memory ok
for (let i = 0; i < 2; i++) console.log("\u0001".repeat(8_000_000));
return 1;

//// value-of-20-megabytes: contained
//// phases: ok memory
return "x".repeat(20_000_000);

//// value-of-many-keys: contained
//// phases: ok memory
const o: any = {};
for (let i = 0; i < 100_000; i++) o["k" + i] = i;
return o;

//// markers-in-a-row: contained
//// phases: ok timeout
//// timeout: 5s
// Zeros and repeats, for the search for the marker.
const part = new Uint8Array(1_000_000);
for (let i = 0; i < 20; i++) for (let n = 0; n < part.length;) n += Deno.stdout.writeSync(part.subarray(n));
return 1;
