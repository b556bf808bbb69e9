// Native code and memory.

//// open-library: denied
return "ESCAPED: " + Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } }).symbols.getpid();

//// open-own-library: denied
return "ESCAPED: " + Deno.dlopen(t.secretFile, {});

//// open-the-process-itself: denied
//// expect: Requires|runtime_error
return "ESCAPED: " + Deno.dlopen(null as any, { getpid: { parameters: [], result: "i32" } }).symbols.getpid();

//// process-dlopen: denied
//// expect: Requires
process.dlopen({ exports: {} }, "/lib/x86_64-linux-gnu/libc.so.6");
return "ESCAPED: loaded";

//// pointer-from-a-number: denied
return "ESCAPED: " + Deno.UnsafePointer.create(4096n);

//// pointer-of-a-buffer: denied
return "ESCAPED: " + Deno.UnsafePointer.value(Deno.UnsafePointer.of(new Uint8Array(8)));

//// pointer-view: denied
//// expect: Requires|runtime_error
return "ESCAPED: " + new Deno.UnsafePointerView({} as any).getUint8();

//// pointer-view-cstring: denied
//// expect: Requires|runtime_error
return "ESCAPED: " + Deno.UnsafePointerView.getCString({ __proto__: null } as any);

//// array-buffer-from-a-pointer: denied
//// expect: Requires|runtime_error
return "ESCAPED: " + Deno.UnsafePointerView.getArrayBuffer({} as any, 8).byteLength;

//// function-pointer: denied
//// expect: Requires|runtime_error
return "ESCAPED: " + new Deno.UnsafeFnPointer({} as any, { parameters: [], result: "void" }).call();

//// callback: denied
return "ESCAPED: " + Deno.UnsafeCallback.threadSafe({ parameters: [], result: "void" }, () => {});

//// window-surface: denied
//// expect: Requires|runtime_error
return "ESCAPED: " + new (Deno as any).UnsafeWindowSurface({ system: "x11", windowHandle: null, displayHandle: null, width: 1, height: 1 });

//// native-addon-op: denied
//// expect: Requires|runtime_error|denied: 
const { op_napi_open } = Deno[Deno.internal].core.ops;
if (!op_napi_open) return t.denied("absent");
return "ESCAPED: " + op_napi_open(t.secretFile, globalThis, globalThis.Buffer, Buffer, () => {}, () => {}, Symbol(), Symbol());

//// gpu: harmless
//// why: an adapter is an object without a device of the host here; the OS layers close /dev/dri
return typeof await navigator.gpu?.requestAdapter();

//// gpu-device: contained
//// phases: ok runtime_error killed
const adapter = await navigator.gpu?.requestAdapter();
const device = await adapter?.requestDevice();
if (!device) return "none";
const buffer = device.createBuffer({ size: 1 << 20, usage: 3, mappedAtCreation: false });
buffer.destroy();
return "a device";

//// structured-clone-of-handles: denied
//// expect: denied: |runtime_error
const copy = structuredClone({ a: Deno.stdin, b: Deno.permissions }, {});
return t.denied(Object.keys(copy));

//// deserialize-noise: contained
//// phases: runtime_error ok killed
// Bytes for V8's own deserializer.
import v8 from "node:v8";
const good = v8.serialize({ a: [1, new Date(), new Map([[1, 2]]), new Uint8Array(9)] });
let survived = 0;
for (let i = 0; i < good.length; i++) {
  const bad = Buffer.from(good);
  bad[i] ^= 0x55;
  try { v8.deserialize(bad); survived++; } catch { /* refused */ }
}
return survived;

//// core-deserialize-host-objects: contained
//// phases: runtime_error ok killed
const core = Deno[Deno.internal].core;
const bytes = core.serialize({ a: new Uint8Array(4) }, {});
const out = [];
for (let i = 0; i < bytes.length; i++) {
  const bad = bytes.slice();
  bad[i] = 0x5c; // the tag of a host object
  try { out.push(typeof core.deserialize(bad, { hostObjects: [{}] })); } catch { /* refused */ }
}
return out.length;

//// webassembly: harmless
//// why: it computes, and has the imports that the program gives it
const module = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
return new WebAssembly.Instance(module) instanceof WebAssembly.Instance;

//// raw-network-op: denied
//// expect: denied: |Requires
const { ops } = Deno[Deno.internal].core;
if (!ops.op_net_connect_tcp) return t.denied("absent");
return "ESCAPED: " + await ops.op_net_connect_tcp({ hostname: "127.0.0.1", port: t.port });

//// raw-ops-by-name: denied
//// expect: denied: |Requires
// Whichever of the dangerous ones can be reached by any road, with plausible
// arguments.
const internal = Deno[Deno.internal], core = internal.core;
const roads = [core.ops, core, internal, process.binding("fs"), process.binding("os"), process.binding("util")];
const wanted = {
  op_fs_read_file_text_sync: [t.secretFile, false], op_fs_read_file_sync: [t.secretFile, false, 0],
  op_read_file_sync: [t.secretFile], op_fs_open_sync: [t.secretFile, { read: true }, undefined], op_node_fs_open_sync: [t.secretFile, 0, 0],
  op_fs_write_file_sync: [t.missing, undefined, false, true, false, t.bytes("x")], op_fs_read_dir_sync: [t.dir],
  op_get_env: ["HOME"], op_env: [], op_node_process_env: [], op_kill: [t.sibling, "SIGKILL", "Deno.kill()"], op_node_process_kill: [t.sibling, 9],
  op_spawn_child: [{ cmd: "/bin/true", args: [], env: [], clearEnv: false, extraStdio: [], detached: false, needsNpmProcessState: false, stdin: "null", stdout: "null", stderr: "null" }, "Deno.Command().spawn()"],
  op_spawn_sync: [{ cmd: "/bin/true", args: [], env: [], clearEnv: false, extraStdio: [], stdin: "null", stdout: "piped", stderr: "null" }],
  op_ffi_load: [{ path: "libc.so.6", symbols: {} }], op_net_listen_tcp: [{ hostname: "127.0.0.1", port: 0 }, false, false, 1],
  op_net_connect_unix: [t.socket], op_require_read_file: [t.secretFile], op_require_stat: [t.secretFile], op_hostname: [],
  op_node_ipc_pipe: [true], op_node_ipc_read_json: [0], op_fs_file_from_fd: [3], op_node_create_pipe: [],
};
const seen = [];
for (const [name, args] of Object.entries(wanted)) {
  for (const road of roads) {
    const op = road?.[name];
    if (typeof op !== "function") continue;
    try { const value = await op(...args); return "ESCAPED: " + name + " " + (value instanceof Uint8Array ? t.text(value) : value); }
    catch (e) { seen.push(name + " " + e.name); }
  }
}
return t.denied(seen);

//// desktop-ops: denied
//// expect: denied: 
// Deno carries a desktop: clipboard, dialogs, windows, patches of itself.
const { ops } = Deno[Deno.internal].core;
const seen = [];
for (const [name, args] of Object.entries({
  op_desktop_read_clipboard_text: [], op_desktop_write_clipboard_text: ["x"], op_desktop_alert: ["t", "m"],
  op_desktop_query_notification_permission: [], op_desktop_request_notification_permission: [],
  op_desktop_apply_patch: [t.bytes("x"), t.missing, "0"], op_desktop_send_error_report: [t.url, "x"],
})) {
  if (typeof ops[name] !== "function") { seen.push("no " + name); continue; }
  try { seen.push(name + " gave " + JSON.stringify(await Promise.race([ops[name](...args), t.sleep(200)]))); }
  catch (e) { seen.push(name + " " + e.name); }
}
return t.denied(seen.filter((s) => !s.startsWith("no ")));

//// lazily-loaded-ops: denied
//// expect: denied: |runtime_error
// Extensions that are loaded on demand bring their ops with them.
const core = Deno[Deno.internal].core;
const found = [];
for (const name of Reflect.ownKeys(core.ops)) if (/read|open|spawn|kill|connect|listen|exec|fork|env/i.test(String(name))) found.push(String(name));
for (const name of found) {
  if (name === "op_napi_open" || name.startsWith("op_desktop_")) continue;
  try { await core.ops[name](t.secretFile, {}, 0); return "ESCAPED: " + name; } catch { /* refused */ }
}
return t.denied(found);
