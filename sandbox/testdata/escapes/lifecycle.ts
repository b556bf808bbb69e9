// The end of a run: forging it, refusing it, outliving it.

//// exit-zero: contained
//// phases: runtime_error
//// expect: status 0 before
Deno.exit(0);

//// exit-with-a-code: contained
//// phases: runtime_error
Deno.exit(42);

//// process-exit: contained
//// phases: runtime_error
process.exit(0);

//// really-exit: contained
//// phases: runtime_error
(process as any).reallyExit(0);

//// exit-code: harmless
//// why: the host goes by the report, and not by the code
process.exitCode = 3;
Deno.exitCode = 4;
return 1;

//// set-exit-code-op: harmless
//// why: the host goes by the report, and not by the code
Deno[Deno.internal].core.ops.op_set_exit_code?.(9);
return 1;

//// abort: contained
//// phases: killed
process.abort();

//// kill-itself: contained
//// phases: killed runtime_error
Deno.kill(Deno.pid, "SIGKILL");
for (;;) {}

//// segmentation-fault: contained
//// phases: killed timeout runtime_error
//// timeout: 1s
Deno.kill(Deno.pid, "SIGSEGV");
for (;;) await t.sleep(10);

//// pretend-to-run-out-of-memory: contained
//// phases: memory killed runtime_error
// The words of V8's own report, before a trap.
Deno.stderr.writeSync(t.bytes("\n<--- Last few GCs --->\nFatal JavaScript out of memory: Reached heap limit\n"));
Deno.kill(Deno.pid, "SIGTRAP");
for (;;) await t.sleep(10);

//// stop-itself: contained
//// phases: timeout runtime_error
//// timeout: 500ms
process.kill(process.pid, "SIGSTOP");
for (;;) await t.sleep(10);

//// trap-the-end: contained
//// phases: timeout
//// timeout: 500ms
for (const s of ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGUSR2", "SIGPIPE"] as const) try { Deno.addSignalListener(s, () => {}); } catch { /* refused */ }
for (;;) await t.sleep(10);

//// trap-the-end-with-node: contained
//// phases: timeout
//// timeout: 500ms
for (const s of ["SIGTERM", "SIGINT", "SIGHUP", "SIGTSTP", "SIGCONT"]) process.on(s, () => {});
for (;;) await t.sleep(10);

//// promise-that-never-settles: contained
//// phases: runtime_error
await new Promise(() => {});

//// before-unload-that-goes-on: contained
//// phases: runtime_error timeout
//// timeout: 1s
globalThis.addEventListener("beforeunload", (e) => { e.preventDefault(); e.stopImmediatePropagation(); });
await new Promise(() => {});

//// before-unload-that-starts-again: contained
//// phases: runtime_error timeout
//// timeout: 1s
process.on("beforeExit", () => setTimeout(() => {}, 1));
await new Promise(() => {});

//// unload-that-reports: harmless
//// why: the process is killed when it has reported
//// expect: ok "first"
globalThis.addEventListener("unload", () => { Deno.stdout.writeSync(t.bytes("late")); });
process.on("exit", () => { Deno.stdout.writeSync(t.bytes("later")); for (;;); });
return "first";

//// exit-handler-that-stays: contained
//// phases: timeout runtime_error
//// timeout: 500ms
process.on("exit", () => { for (;;); });
globalThis.addEventListener("unload", () => { for (;;); });
Deno.exit(0);

//// timers-after-the-result: harmless
//// why: the process is killed when it has reported
//// expect: ok "first"
setInterval(() => { Deno.stdout.writeSync(t.bytes("late")); }, 1);
return "first";

//// loop-after-the-result: harmless
//// why: the process is killed when it has reported
//// expect: ok "first"
setTimeout(() => { for (;;); }, 0);
queueMicrotask(() => {});
return "first";

//// calls-after-the-result: harmless
//// why: the process is killed when it has reported
//// expect: ok "first"
import { call } from "conductor:bridge";
(async () => { for (;;) await call("echo", {}).catch(() => {}); })();
await t.sleep(20);
return "first";

//// error-after-the-result: harmless
//// why: the first report counts
//// expect: ok "first"
Promise.resolve().then(() => t.sleep(0)).then(() => { throw new Error("late"); });
return "first";

//// rejection-that-nobody-awaits: contained
//// phases: runtime_error
Promise.reject(new Error("lost"));
await t.sleep(5000);

//// rejection-that-is-swallowed: harmless
//// why: it is the program's own error
//// phases: ok runtime_error
globalThis.addEventListener("unhandledrejection", (e) => { e.preventDefault(); e.stopImmediatePropagation(); });
process.on("unhandledRejection", () => {});
Promise.reject(new Error("lost"));
await t.sleep(50);
return 1;

//// error-that-is-swallowed: harmless
//// why: it is the program's own error
//// phases: ok runtime_error
process.on("uncaughtException", () => {});
process.setUncaughtExceptionCaptureCallback?.(() => {});
setTimeout(() => { throw new Error("lost"); });
await t.sleep(50);
return 1;

//// error-in-the-error-handler: contained
//// phases: runtime_error timeout
//// timeout: 1s
globalThis.addEventListener("error", () => { throw new Error("again"); });
setTimeout(() => { throw new Error("first"); });
await t.sleep(5000);

//// finalizers: harmless
//// why: the process is killed when it has reported
const registry = new FinalizationRegistry(() => { for (;;); });
registry.register({}, 1);
return 1;

//// unreferenced-timers: contained
//// phases: runtime_error
Deno.unrefTimer(setInterval(() => {}, 10));
await new Promise(() => {});

//// reload: contained
//// phases: ok runtime_error
try { (globalThis as any).location?.reload?.(); } catch { /* absent */ }
globalThis.close();
await t.sleep(50);
return 1;

//// close-the-window: contained
//// phases: runtime_error ok
globalThis.window?.close?.();
self.close();
await t.sleep(1000);
return 1;

//// default-export-that-is-replaced: contained
//// phases: ok rejected runtime_error
export default async () => { for (const k of Object.keys(globalThis)) delete globalThis[k]; };

//// program-of-nothing-but-an-escape: contained
//// phases: rejected ok runtime_error
}; Deno.exit(0); () => {

//// program-that-imports-itself: contained
//// phases: ok runtime_error timeout
//// timeout: 1s
const url = import.meta.url;
const again = await import(url);
return typeof again.default;

//// program-that-runs-itself-again: contained
//// phases: timeout runtime_error memory ok
//// timeout: 500ms
const url = import.meta.url;
return await (await import(url)).default();
