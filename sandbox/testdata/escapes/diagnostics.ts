// Debuggers, profilers, reports and flags: doors that are made to look inside.

//// flags-of-v8: harmless
//// why: they change the program's own engine
import v8 from "node:v8";
v8.setFlagsFromString("--allow-natives-syntax");
v8.setFlagsFromString("--expose-gc");
return 1;

//// natives: contained
//// phases: ok runtime_error killed
import v8 from "node:v8";
v8.setFlagsFromString("--allow-natives-syntax");
const out = [];
for (const call of ["%GetOptimizationStatus(function () {})", "%DebugPrint({})", "%SystemBreak()"]) {
  try { out.push(typeof (0, eval)(call)); } catch (e) { out.push(e.name); }
}
return out;

//// flags-that-write-a-log: denied
//// expect: ok "denied: 
import v8 from "node:v8";
for (const flag of ["--logfile=" + t.missing, "--no-logfile-per-isolate", "--log", "--log-all", "--log-code", "--log-ic", "--prof", "--ll-prof", "--perf-basic-prof", "--perf-basic-prof-path=" + t.dir, "--perf-prof", "--perf-prof-path=" + t.dir]) v8.setFlagsFromString(flag);
const worker = new Worker("data:text/javascript,let f = (a) => a + 1; for (let i = 0; i < 1e5; i++) f(i); postMessage(1)", { type: "module" });
await new Promise((resolve) => { worker.onmessage = resolve; worker.onerror = (e) => { e.preventDefault(); resolve(0); }; setTimeout(resolve, 1000); });
return t.denied("see the folder");

//// flags-that-write-traces: denied
//// expect: ok "denied: 
import v8 from "node:v8";
for (const flag of ["--trace-turbo", "--trace-turbo-path=" + t.dir, "--trace-turbo-cfg-file=" + t.missing, "--turbo-profiling", "--turbo-profiling-output=" + t.missing, "--print-code", "--print-bytecode", "--redirect-code-traces", "--redirect-code-traces-to=" + t.missing, "--trace-file-names", "--diagnostics-output=" + t.missing, "--gdbjit", "--turboshaft-trace-reduction"]) v8.setFlagsFromString(flag);
const f = new Function("a", "let s = 0; for (let i = 0; i < a; i++) s += i * 3; return s");
for (let i = 0; i < 2000; i++) f(1000);
const worker = new Worker("data:text/javascript,let f = (a) => { let s = 0; for (let i = 0; i < a; i++) s += i; return s }; for (let i = 0; i < 2e3; i++) f(1000); postMessage(1)", { type: "module" });
await new Promise((resolve) => { worker.onmessage = resolve; worker.onerror = (e) => { e.preventDefault(); resolve(0); }; setTimeout(resolve, 1000); });
return t.denied("see the folder");

//// flags-that-write-webassembly: denied
//// expect: ok "denied: 
import v8 from "node:v8";
for (const flag of ["--dump-wasm-module", "--dump-wasm-module-path=" + t.dir, "--wasm-trace-native", "--trace-wasm-memory"]) v8.setFlagsFromString(flag);
new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
return t.denied("see the folder");

//// flags-that-raise-the-heap: contained
//// phases: memory killed
import v8 from "node:v8";
v8.setFlagsFromString("--max-old-space-size=8000");
v8.setFlagsFromString("--max-heap-size=8000");
const a: unknown[] = [];
for (;;) a.push(new Array(1000).fill(Math.random()));

//// flags-through-the-environment: denied
process.env.DENO_V8_FLAGS = "--max-old-space-size=8000";
return "ESCAPED: set";

//// heap-snapshot-file: denied
import v8 from "node:v8";
return "ESCAPED: " + v8.writeHeapSnapshot(t.missing);

//// heap-snapshot-near-the-limit: denied
//// known: notes, probe 8: the message names the working folder
//// expect: memory|ok "denied: |runtime_error
//// phases: memory killed runtime_error
// It would write a file when the heap is nearly full.
import v8 from "node:v8";
v8.setHeapSnapshotNearHeapLimit?.(3);
const a: unknown[] = [];
for (;;) a.push(new Array(1000).fill(Math.random()));

//// heap-snapshot-stream: harmless
//// why: it is a picture of the program's own heap, in which no secret is
//// phases: ok runtime_error timeout
//// timeout: 3s
import v8 from "node:v8";
let n = 0;
for await (const part of v8.getHeapSnapshot()) { n += part.length; if (/canary/.test(String(part)) && !String(part).includes("targets")) break; if (n > 1e6) break; }
return n > 0;

//// cpu-profile: denied
//// expect: denied: |runtime_error
console.profile?.("x");
for (let i = 0; i < 1e5; i++) Math.sqrt(i);
console.profileEnd?.("x");
return t.denied("see the folder");

//// report: denied
//// expect: Requires|runtime_error
return "ESCAPED: " + JSON.stringify(process.report.getReport()).slice(0, 100);

//// report-file: denied
//// expect: Requires|not implemented|runtime_error|ok "denied: 
process.report.directory = t.dir;
const name = (process.report as any).writeReport?.(t.missing);
return t.denied(name);

//// trace-events: denied
//// expect: ok "denied: |runtime_error
import trace from "node:trace_events";
trace.createTracing({ categories: ["node", "v8"] }).enable();
await t.sleep(50);
return t.denied("see the folder");

//// own-inspector-through-the-signal: denied
//// expect: ok "denied: |killed|runtime_error|Requires
//// phases: ok killed runtime_error
// SIGUSR1 opens Node's inspector.
Deno.kill(Deno.pid, "SIGUSR1");
await t.sleep(200);
return t.denied("still here");

//// bundle: denied
//// expect: not a function|Requires|runtime_error
const r = await (Deno as any).bundle({ entrypoints: [t.secretJs], write: false });
return "ESCAPED: " + (r.outputFiles?.[0]?.text?.() ?? "");

//// jupyter: denied
//// expect: only available in|runtime_error
return "ESCAPED: " + await (Deno as any).jupyter.broadcast("x", {});

//// lint-a-file: denied
//// expect: not a function|undefined|Requires|runtime_error
return "ESCAPED: " + JSON.stringify((Deno as any).lint.runPlugin({ name: "x", rules: {} }, t.secretJs, "1"));

//// scheduled-job: denied
//// expect: not a function|Requires|runtime_error|denied: 
(Deno as any).cron("x", "* * * * *", () => {});
return t.denied("it ends with the process");

//// tests-run-after-the-end: harmless
//// why: nothing runs a test that a program declares
//// phases: ok runtime_error
Deno.test?.("x", () => { console.log("a test"); });
return 1;

//// repl-history: denied
//// expect: Requires|runtime_error|ok "denied: 
import repl from "node:repl";
const r: any = (repl as any).start({ input: process.stdin, output: process.stdout });
await new Promise((resolve, reject) => r.setupHistory(t.missing, (e) => e ? reject(e) : resolve(1)));
return t.denied("see the folder");

//// active-handles: harmless
//// why: the streams of the process itself
//// phases: ok runtime_error
return ((process as any)._getActiveHandles?.() ?? []).length;

//// promise-hooks: harmless
//// why: they show the program's own promises
const seen = [];
Deno[Deno.internal].core.setPromiseHooks((p) => seen.push(1), () => {}, () => {}, () => {});
await null;
return seen.length >= 0;

//// async-hooks-see-the-harness: harmless
//// why: what the harness holds is the program's own
import { createHook, executionAsyncResource } from "node:async_hooks";
const seen = [];
createHook({ init(_id, type) { seen.push(type); } }).enable();
await t.sleep(1);
return [typeof executionAsyncResource(), seen.length >= 0];

//// promise-details: harmless
//// why: what the harness holds is the program's own
const core = Deno[Deno.internal].core;
return core.getPromiseDetails(Promise.resolve(1))[1];

//// high-resolution-timer: harmless
//// why: a process of its own shares no memory with others; timing attacks on the hardware are beyond this package
const shared = new SharedArrayBuffer(8);
return [shared.byteLength, typeof performance.now()];

//// console-of-v8: harmless
//// why: it writes to where nobody looks
Deno[Deno.internal].core.v8Console?.log?.("hello");
return 1;

//// error-reports: denied
//// expect: ok "denied: |runtime_error
const core = Deno[Deno.internal].core;
core.setReportExceptionCallback?.((e) => { throw e; });
core.reportUnhandledException?.(new Error("x"));
await t.sleep(20);
return t.denied("no report");
