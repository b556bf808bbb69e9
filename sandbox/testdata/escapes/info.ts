// What the program learns of the host without asking.

//// exec-path: harmless
//// why: it names the Deno that runs, which is no secret
//// known: notes, probe 48: Deno tells its own path
return Deno.execPath();

//// process-exec-path: harmless
//// why: it names the Deno that runs, which is no secret
//// known: notes, probe 49
return process.execPath;

//// argv: harmless
//// why: nothing is passed in arguments but flags and the harness's path
//// known: notes, probe 50
return [process.argv, process.argv0, process.execArgv];

//// main-module: harmless
//// why: it is the harness in a temporary folder with a random name
//// known: notes, probe 51
return Deno.mainModule;

//// cwd: harmless
//// why: it is an empty folder with a random name, removed after the run
//// known: notes, probe 8
//// expect: /cwd"
return Deno.cwd();

//// process-cwd: harmless
//// why: it is an empty folder with a random name, removed after the run
//// known: notes, probe 9
return process.cwd();

//// node-bootstrap-arguments: harmless
//// why: the same as process.argv0
//// known: notes, probe 49
return Deno[Deno.internal].__nodeBootstrapArgs?.argv0 ?? "";

//// path-resolve: harmless
//// why: the same as the working folder
//// known: notes, probe 9
import path from "node:path";
return path.resolve("x");

//// require-main: harmless
//// why: the same as the main module
//// known: notes, probe 51
import { createRequire } from "node:module";
const require = createRequire("file:///x.js");
return [require.main?.filename ?? "", (process as any).mainModule?.filename ?? ""];

//// process-ids: harmless
//// why: numbers that no right follows from
return [typeof Deno.pid, typeof Deno.ppid, typeof process.pid, typeof process.ppid];

//// arguments: harmless
//// why: the host passes none
//// expect: ok \[\]
return Deno.args;

//// versions: harmless
//// why: which Deno runs is public
return [Deno.version, navigator.userAgent, process.version, process.arch, process.platform];

//// processors: harmless
//// why: a number that no right follows from
return navigator.hardwareConcurrency;

//// memory-usage: harmless
//// why: it is the process's own
return typeof Deno.memoryUsage().rss;

//// resource-usage: harmless
//// why: it is the process's own
return typeof process.resourceUsage().maxRSS;

//// stack: harmless
//// why: the stack of a program names the memory from which it was loaded
return new Error("x").stack;

//// stack-after-an-await: harmless
//// why: the stack of a program names the memory from which it was loaded
await null;
return new Error("x").stack;

//// stack-of-a-call: harmless
//// why: the stack of a program names the memory from which it was loaded
import { call } from "conductor:bridge";
return await call("nothing", {}).catch((e) => e.stack);

//// stack-of-a-callback-of-the-harness: harmless
//// why: the stack of a program names the memory from which it was loaded
//// expect: ok
// The harness calls this getter while it copies the value.
return { get stack() { return new Error("x").stack; } };

//// stack-of-a-refused-value: harmless
//// why: the stack of a program names the memory from which it was loaded
import { call } from "conductor:bridge";
return await call("echo", 1n as any).catch((e) => e.stack);

//// call-sites: harmless
//// why: frames of the program name the memory from which it was loaded
Error.prepareStackTrace = (_, sites) => sites.map((s) => [s.getFileName(), s.getFunctionName(), s.getEvalOrigin()]);
Error.stackTraceLimit = 100;
const found = await (async () => { await null; return (new Error() as any).stack; })();
return found;

//// call-sites-in-a-log: harmless
//// why: frames of the program name the memory from which it was loaded
console.log({ get a() { return new Error("x").stack; }, [Symbol.for("Deno.customInspect")]() { return new Error("y").stack; } });
return 1;

//// import-meta: harmless
//// why: it names the memory from which the program was loaded
return [import.meta.url, import.meta.filename, import.meta.dirname, import.meta.main];

//// import-meta-resolve: harmless
//// why: it cannot resolve against memory
//// phases: ok runtime_error
return import.meta.resolve("./x");

//// uncaught-error: harmless
//// why: the host shows the message and the program's own position
//// phases: runtime_error
//// expect: not caught: x
setTimeout(() => { throw new Error("x"); });
await t.sleep(5000);

//// error-that-deno-prints: harmless
//// why: the host shows the message and the program's own position
//// phases: runtime_error
globalThis.addEventListener("error", (e) => e.stopImmediatePropagation(), { capture: true });
reportError(new Error("x"));
await t.sleep(100);
throw new Error("y");

//// error-of-deno-in-a-worker: harmless
//// why: the worker's error names the memory from which it was loaded; where memory is bounded there is no worker
//// phases: runtime_error memory
const worker = new Worker(URL.createObjectURL(new Blob(["throw new Error('in the worker')"], { type: "text/javascript" })), { type: "module" });
await t.sleep(5000);

//// trace-on-stderr: harmless
//// why: the stack of a program names the memory from which it was loaded
console.trace("here");
process.emitWarning("careful");
new Error().stack;
return 1;

//// deprecation-warning: harmless
//// why: it is the program's own doing
//// phases: ok runtime_error
import util from "node:util";
util.deprecate(() => 1, "old", "DEP1")();
await t.sleep(50);
return 1;

//// crash-report-of-v8: harmless
//// why: the host keeps V8's report to itself
//// phases: memory
const a: unknown[] = [];
for (;;) a.push(new Array(1000).fill(Math.random()));

//// crash-report-of-a-panic: contained
//// phases: killed runtime_error
// Deno's own report of a panic names files.
const core = Deno[Deno.internal].core;
core.ops.op_panic?.("on purpose");
process.abort();

//// warning-of-v8-flags: harmless
//// why: it is the program's own doing
import v8 from "node:v8";
v8.setFlagsFromString("--no-such-flag");
await t.sleep(50);
return 1;

//// host-name: denied
return "ESCAPED: " + Deno.hostname();

//// os-host-name: denied
import os from "node:os";
return "ESCAPED: " + os.hostname();

//// user: denied
import os from "node:os";
return "ESCAPED: " + os.userInfo().username;

//// user-id: denied
return "ESCAPED: " + Deno.uid();

//// process-user-id: denied
return "ESCAPED: " + process.getuid();

//// process-groups: denied
//// expect: Requires|not a function
return "ESCAPED: " + (process as any).getgroups();

//// os-release: denied
return "ESCAPED: " + Deno.osRelease();

//// os-version: denied
import os from "node:os";
return "ESCAPED: " + os.version() + os.release();

//// uptime: denied
return "ESCAPED: " + Deno.osUptime();

//// load-average: denied
return "ESCAPED: " + Deno.loadavg();

//// system-memory: denied
return "ESCAPED: " + Deno.systemMemoryInfo().total;

//// os-memory: denied
import os from "node:os";
return "ESCAPED: " + os.totalmem();

//// processors-in-detail: denied
import os from "node:os";
return "ESCAPED: " + os.cpus()[0].model;

//// network-interfaces: denied
return "ESCAPED: " + JSON.stringify(Deno.networkInterfaces());

//// os-network-interfaces: denied
import os from "node:os";
return "ESCAPED: " + JSON.stringify(os.networkInterfaces());

//// priority: denied
import os from "node:os";
return "ESCAPED: " + os.getPriority(t.parent);

//// constrained-memory: denied
return "ESCAPED: " + process.constrainedMemory();

//// console-size: denied
//// expect: runtime_error
return "ESCAPED: " + JSON.stringify(Deno.consoleSize());

//// resources: harmless
//// why: the three streams, and no more
//// expect: ok \{"0":"stdin","1":"stdout","2":"stderr"\}
return Deno[Deno.internal].core.resources();
