// The environment of the host, of the process, and ways to change them.

//// get: denied
return "ESCAPED: " + Deno.env.get(t.envName);

//// to-object: denied
return "ESCAPED: " + JSON.stringify(Deno.env.toObject());

//// has: denied
return "ESCAPED: " + Deno.env.has(t.envName);

//// set: denied
Deno.env.set("DENO_DIR", t.dir);
return "ESCAPED: set";

//// delete: denied
Deno.env.delete("HOME");
return "ESCAPED: deleted";

//// process-env: denied
return "ESCAPED: " + process.env[t.envName];

//// process-env-keys: denied
return "ESCAPED: " + Object.keys(process.env);

//// process-env-spread: denied
return "ESCAPED: " + JSON.stringify({ ...process.env });

//// process-env-descriptor: denied
return "ESCAPED: " + JSON.stringify(Object.getOwnPropertyDescriptor(process.env, t.envName)) + Reflect.has(process.env, t.envName);

//// process-env-set: denied
process.env.NODE_OPTIONS = "--require=" + t.secretCjs;
return "ESCAPED: set";

//// process-env-after-swapping-deno: denied
// A Node layer that asks the global Deno could be given another.
const patch = (o, k, value) => { try { Object.defineProperty(o, k, { value, configurable: true }); } catch { /* fixed */ } };
patch(Deno.permissions, "querySync", () => ({ state: "granted" }));
patch(Deno, "permissions", { querySync: () => ({ state: "granted" }) });
patch(Deno.env, "has", () => true);
return "ESCAPED: " + process.env[t.envName];

//// load-env-file: denied, os
// CVE-2026-49983: it did not ask for the permission to set variables.
process.loadEnvFile(t.secretEnv);
return "ESCAPED: " + process.env.SECRET;

//// parse-env: harmless
//// why: it parses text that the program has
import { parseEnv } from "node:util";
return parseEnv("A=1").A;

//// home-folder: denied
import os from "node:os";
return "ESCAPED: " + os.homedir();

//// temporary-folder: harmless
//// why: it is a constant if no variable says otherwise
//// phases: ok runtime_error
import os from "node:os";
return os.tmpdir();

//// no-color: harmless
//// why: the host sets NO_COLOR itself
//// expect: ok true
return Deno.noColor;

//// time-zone: harmless
//// why: the host sets TZ=UTC itself
//// expect: ok "UTC"
return Intl.DateTimeFormat().resolvedOptions().timeZone;

//// locale: harmless
//// why: the environment names none
//// expect: ok "en
return Intl.DateTimeFormat().resolvedOptions().locale;

//// worker-threads-environment: denied
//// expect: Requires env|denied: 
import { Worker } from "node:worker_threads";
const worker = new Worker(`require("node:worker_threads").parentPort.postMessage(String(process.env["${t.envName}"]))`, { eval: true, env: { A: "1" } });
return await new Promise((resolve) => {
  worker.on("message", (m) => resolve(m === "undefined" ? t.denied(m) : "ESCAPED: " + m));
  worker.on("error", (e) => resolve(t.denied(e.message)));
});

//// worker-threads-share-env: denied
//// expect: Requires env|denied: 
import { Worker, SHARE_ENV } from "node:worker_threads";
const worker = new Worker(`require("node:worker_threads").parentPort.postMessage(JSON.stringify(process.env))`, { eval: true, env: SHARE_ENV });
return await new Promise((resolve) => {
  worker.on("message", (m) => resolve("ESCAPED: " + m));
  worker.on("error", (e) => resolve(t.denied(e.message)));
});

//// vm-environment: denied
import vm from "node:vm";
return "ESCAPED: " + vm.runInThisContext(`process.env["${t.envName}"]`);

//// wasi-environment: denied
//// expect: runtime_error|denied: 
import { WASI } from "node:wasi";
const wasi = new WASI({ version: "preview1", env: process.env, args: [] } as any);
return "ESCAPED: " + wasi;
