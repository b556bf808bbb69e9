// Workers have the program's rights, and must not have more.

//// reads: denied, os
const code = `Deno.readTextFile("${t.secretFile}").then((s) => postMessage("ESCAPED: " + s), (e) => postMessage("denied: " + e.name))`;
const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
return await new Promise((resolve) => worker.onmessage = (e) => resolve(e.data));

//// asks-for-more: denied
//// expect: status 70|unstable|Can't escalate|NotCapable|denied: 
const code = `Deno.readTextFile("${t.secretFile}").then((s) => postMessage("ESCAPED: " + s), (e) => postMessage("denied: " + e.name))`;
const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module", deno: { permissions: { read: true } } } as any);
return await new Promise((resolve) => worker.onmessage = (e) => resolve(e.data));

//// asks-for-all: denied
//// expect: status 70|unstable|Can't escalate|NotCapable|denied: 
const worker = new Worker("data:text/javascript,postMessage(Deno.readTextFileSync('/etc/passwd'))", { type: "module", deno: { permissions: "inherit", namespace: true } } as any);
return await new Promise((resolve) => { worker.onmessage = (e) => resolve("ESCAPED: " + e.data); worker.onerror = (e) => { e.preventDefault(); resolve(t.denied(e.message)); }; });

//// of-a-file: denied
//// expect: denied: .*(?:Requires|read)|NotCapable
const worker = new Worker("file://" + t.secretJs, { type: "module" });
return await new Promise((resolve) => { worker.onerror = (e) => { e.preventDefault(); resolve(t.denied(e.message)); }; setTimeout(() => resolve("ESCAPED: it runs"), 1000); });

//// of-a-file-that-is-no-module: denied
//// expect: denied: .*(?:Requires|read)|NotCapable
const worker = new Worker("file://" + t.secretFile, { type: "module" });
return await new Promise((resolve) => { worker.onerror = (e) => { e.preventDefault(); resolve(t.denied(e.message)); }; setTimeout(() => resolve("ESCAPED: it runs"), 1000); });

//// of-a-url: denied, os
const worker = new Worker(t.url + "collected.js", { type: "module" });
return await new Promise((resolve) => { worker.onerror = (e) => { e.preventDefault(); resolve(t.denied(e.message)); }; setTimeout(() => resolve("ESCAPED: it runs"), 1000); });

//// with-a-static-import: denied, os
// A worker has a static graph of its own.
const code = `import s from "file://${t.secretFile}" with { type: "text" }; postMessage("ESCAPED: " + s);`;
const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
return await new Promise((resolve) => { worker.onmessage = (e) => resolve(e.data); worker.onerror = (e) => { e.preventDefault(); resolve(t.denied(e.message)); }; });

//// with-a-static-json-import: denied, os
const code = `import s from "file://${t.secretJson}" with { type: "json" }; postMessage("ESCAPED: " + s.secret);`;
const worker = new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
return await new Promise((resolve) => { worker.onmessage = (e) => resolve(e.data); worker.onerror = (e) => { e.preventDefault(); resolve(t.denied(e.message)); }; });

//// with-a-literal-dynamic-import: denied, os
const code = `import("file://${t.secretJson}", { with: { type: "json" } }).then((m) => postMessage("ESCAPED: " + m.default.secret), (e) => postMessage("denied: " + e.message))`;
const worker = new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
return await new Promise((resolve) => worker.onmessage = (e) => resolve(e.data));

//// classic-import-scripts: denied
//// expect: denied: |NotSupported|runtime_error
const code = `try { importScripts("file://${t.secretJs}"); postMessage("ESCAPED: loaded") } catch (e) { postMessage("denied: " + e) }`;
const worker = new Worker("data:text/javascript," + encodeURIComponent(code), { type: "classic" });
return await new Promise((resolve) => worker.onmessage = (e) => resolve(e.data));

//// of-a-worker: denied, os
const inner = `Deno.readTextFile("${t.secretFile}").then((s) => postMessage("ESCAPED: " + s), (e) => postMessage("denied: " + e.name))`;
const outer = `const w = new Worker("data:text/javascript," + encodeURIComponent(${JSON.stringify(inner)}), { type: "module" }); w.onmessage = (e) => postMessage(e.data);`;
const worker = new Worker("data:text/javascript," + encodeURIComponent(outer), { type: "module" });
return await new Promise((resolve) => worker.onmessage = (e) => resolve(e.data));

//// node-thread-reads: denied, os
import { Worker } from "node:worker_threads";
const code = `const { parentPort } = require("node:worker_threads"); try { parentPort.postMessage("ESCAPED: " + require("node:fs").readFileSync("${t.secretFile}", "utf8")) } catch (e) { parentPort.postMessage("denied: " + e.name) }`;
const worker = new Worker(code, { eval: true });
return await new Promise((resolve) => { worker.on("message", resolve); worker.on("error", (e) => resolve(t.denied(e))); });

//// node-thread-with-flags: denied
//// expect: denied: |runtime_error
import { Worker } from "node:worker_threads";
const code = `const { parentPort } = require("node:worker_threads"); try { parentPort.postMessage("ESCAPED: " + require("node:fs").readFileSync("${t.secretFile}", "utf8")) } catch (e) { parentPort.postMessage("denied: " + e.name) }`;
const worker = new Worker(code, { eval: true, execArgv: ["--allow-all", "-A"], argv: ["-A"] });
return await new Promise((resolve) => { worker.on("message", resolve); worker.on("error", (e) => resolve(t.denied(e))); });

//// node-thread-of-a-file: denied
//// expect: denied: |Requires
import { Worker } from "node:worker_threads";
const worker = new Worker(t.secretCjs);
return await new Promise((resolve) => { worker.on("error", (e) => resolve(t.denied(e))); worker.on("exit", (code) => resolve(code ? t.denied(code) : "ESCAPED: it ran")); });

//// shared-and-service-workers: denied
//// expect: ^ok "denied: 
return t.denied([typeof SharedWorker, typeof navigator.serviceWorker]);

//// writes-frames: harmless
//// why: a worker writes to the same stdout, and forges no more than the program
//// phases: ok memory
const code = `Deno.stdout.writeSync(new TextEncoder().encode("from the worker")); postMessage(1)`;
const worker = new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
return await new Promise((resolve) => worker.onmessage = (e) => resolve(e.data));

//// outlives-the-result: harmless
//// why: the process is killed when it has reported
//// phases: ok memory
const code = `for (;;) { Deno.stdout.writeSync(new TextEncoder().encode("x")); }`;
new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
await t.sleep(50);
return "done";

//// busy-forever: contained
//// phases: timeout
//// timeout: 800ms
const code = `for (;;) {}`;
for (let i = 0; i < 3; i++) new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
for (;;) await t.sleep(1000);

//// closes-stdout: contained
//// phases: ok runtime_error killed timeout
//// timeout: 2s
const code = `Deno.stdout.close(); postMessage(1)`;
const worker = new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
return await new Promise((resolve) => { worker.onmessage = (e) => resolve(e.data); worker.onerror = (e) => { e.preventDefault(); resolve(2); }; });

//// ends-the-process: contained
//// phases: ok runtime_error timeout
//// timeout: 2s
const worker = new Worker("data:text/javascript,Deno.exit(0)", { type: "module" });
await t.sleep(300);
return 1;

//// many: contained
//// needs: rlimits
//// phases: memory killed runtime_error timeout
//// timeout: 5s
for (let i = 0; i < 300; i++) new Worker("data:text/javascript,setInterval(() => {}, 1000)", { type: "module" });
await t.sleep(60_000);

//// many-and-busy: contained
//// needs: rlimits
//// phases: memory killed runtime_error timeout
//// timeout: 5s
for (let i = 0; i < 3000; i++) new Worker("data:text/javascript,for (;;) {}", { type: "module" });
await t.sleep(60_000);
