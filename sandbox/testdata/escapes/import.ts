// Code from elsewhere, and imports as a way out for data. What reads files through
// imports is in static-graph.ts.

//// http: denied, os
const url = t.url + "collected.js";
return "ESCAPED: " + (await import(url)).default;

//// http-literal: denied
return "ESCAPED: " + (await import("{{url}}collected.js")).default;

//// http-static: denied
import x from "{{url}}collected.js";
return "ESCAPED: " + x;

//// http-json: denied, os
const url = t.url + "collected.json";
return await import(url, { with: { type: "json" } }).then(() => "ESCAPED: fetched", (e) => t.denied(e.message));

//// http-from-a-data-module: denied, os
const url = "data:text/javascript," + encodeURIComponent(`export { default } from "${t.url}collected.js"`);
return "ESCAPED: " + (await import(url)).default;

//// http-from-a-blob-module: denied, os
const url = URL.createObjectURL(new Blob([`import x from "${t.url}collected.js"; export default x`], { type: "text/javascript" }));
return "ESCAPED: " + (await import(url)).default;

//// https-of-a-host-allowed-by-default: denied
//// expect: remote specifier|Requires
// Deno's own list of hosts for imports would carry data out in the path.
const url = ["https:/", "raw.githubusercontent.com", "conductor-escape", "collected", "x.js"].join("/");
return "ESCAPED: " + Object.keys(await import(url));

//// npm: denied
//// expect: npm specifiers were requested|Requires
const name = "npm:collected-data-as-a-name";
return "ESCAPED: " + Object.keys(await import(name));

//// npm-static: denied
import x from "npm:left-pad";
return "ESCAPED: " + x;

//// npm-require: denied
//// expect: runtime_error
import { createRequire } from "node:module";
return "ESCAPED: " + createRequire("file:///x.js")("left-pad");

//// jsr: denied
//// expect: remote specifier|Requires|JSR
const name = "jsr:@collected/data";
return "ESCAPED: " + Object.keys(await import(name));

//// bare-name: denied
//// expect: not a dependency|relative|not prefixed
const name = "fs";
return "ESCAPED: " + Object.keys(await import(name));

//// node-modules: harmless
//// why: Node's modules can do no more than the process may
const name = "node:os";
return typeof (await import(name)).EOL;

//// blob: harmless
//// why: it is code that the program has anyway
const url = URL.createObjectURL(new Blob(["export default 1"], { type: "text/javascript" }));
return (await import(url)).default;

//// data: harmless
//// why: it is code that the program has anyway
const url = "data:text/javascript,export default 1";
return (await import(url)).default;

//// evaluation: harmless
//// why: it is code that the program has anyway
return [eval("1 + 1"), new Function("return 2")(), await (async () => {}).constructor("return 3")()];

//// import-map-in-a-comment: denied
//// expect: not a dependency|relative|not prefixed
// {"imports": {"x": "{{url}}"}}
const name = "x";
return "ESCAPED: " + (await import(name)).default;

//// attributes-of-an-unknown-type: denied
//// expect: runtime_error
const path = "file://" + t.secretFile;
return "ESCAPED: " + (await import(path, { with: { type: "css" } })).default;

//// import-options-that-change: denied, os
let asked = 0;
const path = "file://" + t.secretFile;
const options = { get with() { asked++; return { get type() { asked++; return "text"; } }; } };
return "ESCAPED: " + (await import(path, options)).default;

//// require-json: denied, os
import { createRequire } from "node:module";
return "ESCAPED: " + createRequire("file:///x.js")(t.secretJson).secret;

//// require-commonjs: denied, os
import { createRequire } from "node:module";
return "ESCAPED: " + createRequire("file:///x.js")(t.secretCjs);

//// require-resolve: denied
//// expect: denied: |runtime_error
// It tells whether a file exists.
import { createRequire } from "node:module";
const kinds = [];
for (const path of [t.secretCjs, t.missing]) {
  try { createRequire("file:///x.js").resolve(path); kinds.push("there"); } catch (e) { kinds.push(e.name); }
}
return kinds[0] === kinds[1] ? t.denied(kinds) : "ESCAPED: " + kinds;

//// require-a-package-above: denied, os
// CVE-2026-49406: package.json of a folder was read without the permission.
import { createRequire } from "node:module";
return await Promise.resolve().then(() => "ESCAPED: " + JSON.stringify(createRequire("file://" + t.dir + "/x.js")("./package.json")));

//// require-a-native-addon: denied
//// expect: Requires|runtime_error
import { createRequire } from "node:module";
return "ESCAPED: " + createRequire("file:///x.js")(t.dir + "/addon.node");

//// module-load: denied, os
import Module from "node:module";
return "ESCAPED: " + (Module as any)._load(t.secretJson).secret;

//// module-extensions: denied, os
import Module from "node:module";
const m: any = new Module("x");
(Module as any)._extensions[".js"](m, t.secretCjs);
return "ESCAPED: " + m.exports;

//// module-paths: denied
//// expect: denied: |runtime_error
import Module from "node:module";
(Module as any).globalPaths?.push(t.dir);
process.env = { NODE_PATH: t.dir } as any;
(Module as any)._initPaths?.();
return "ESCAPED: " + (Module as any)._load("secret.cjs");

//// register-hooks: denied
//// expect: denied: |runtime_error
// Hooks that claim to have resolved and loaded a file of the host.
import { registerHooks } from "node:module";
registerHooks({
  resolve: (specifier, context, next) => specifier === "x:y" ? { url: "file://" + t.secretJs, shortCircuit: true } : next(specifier, context),
} as any);
const name = "x:y";
return "ESCAPED: " + (await import(name)).secret;

//// register-hooks-load: denied
//// expect: denied: |runtime_error
import { registerHooks } from "node:module";
registerHooks({ load: (url, context, next) => next("file://" + t.secretJs, { ...context, format: "module" }) } as any);
const name = "data:text/javascript,export const secret = 'denied: own'";
const { secret } = await import(name);
return String(secret);

//// register: denied
//// expect: denied: |runtime_error
import { register } from "node:module";
register("data:text/javascript,export async function load() { return { format: 'module', source: 'export const secret = 1', shortCircuit: true } }");
const path = "file://" + t.secretJs;
return "ESCAPED: " + (await import(path)).secret;

//// vm: harmless
//// why: node:vm is the program's own realm, it has no more rights
import vm from "node:vm";
return vm.runInNewContext("this.constructor.constructor('return 1 + 1')()");

//// vm-import: denied, os
import vm from "node:vm";
const script = new vm.Script(`import("file://${t.secretJs}")`, { importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER } as any);
return "ESCAPED: " + (await script.runInThisContext()).secret;

//// vm-file-name: denied
//// expect: denied: |runtime_error
import vm from "node:vm";
const f = vm.runInThisContext(`(p) => import(p)`, { filename: t.dir + "/x.js" });
return "ESCAPED: " + (await f("./secret.js")).secret;

//// import-sync-op: denied
//// expect: denied: |runtime_error
const { ops } = Deno[Deno.internal].core;
if (!ops.op_import_sync) return t.denied("absent");
return "ESCAPED: " + ops.op_import_sync("file://" + t.secretJs).secret;
