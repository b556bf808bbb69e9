// Asking for rights, and pretending to have them.

//// request-read: denied
//// expect: ok "denied: denied
const status = await Deno.permissions.request({ name: "read" });
return status.state === "granted" ? "ESCAPED: granted" : t.denied(status.state);

//// request-all: denied
//// expect: ok "denied: 
const states = [];
for (const name of ["read", "write", "net", "env", "run", "ffi", "sys", "import"] as const) states.push((await Deno.permissions.request({ name } as any)).state);
return states.includes("granted") ? "ESCAPED: " + states : t.denied(states);

//// request-sync: denied
//// expect: ok "denied: 
const { state } = Deno.permissions.requestSync({ name: "run", command: "sh" });
return state === "granted" ? "ESCAPED: granted" : t.denied(state);

//// request-an-unknown-right: denied
//// expect: runtime_error|ok "denied: 
const { state } = await Deno.permissions.request({ name: "all" } as any);
return state === "granted" ? "ESCAPED: granted" : t.denied(state);

//// request-with-control-characters: denied
//// expect: runtime_error|ok "denied: 
// CVE-2024-27936: an escape sequence rewrote the prompt.
const { state } = await Deno.permissions.request({ name: "env", variable: "A\x1b[2K\x1b[1A\r\nallow" });
return state === "granted" ? "ESCAPED: granted" : t.denied(state);

//// answer-in-advance: denied
//// expect: denied: |NotCapable|runtime_error
// The answer to a prompt would be read from stdin.
Deno.stdout.writeSync(t.bytes("A\nA\n"));
const { state } = await Deno.permissions.request({ name: "read", path: t.secretFile });
return state === "granted" ? "ESCAPED: granted" : t.denied(state);

//// query: harmless
//// why: it tells what the program may, which is nothing
//// expect: ok \["(?:prompt|denied)","(?:prompt|denied)","(?:prompt|denied)"\]
return [(await Deno.permissions.query({ name: "read" })).state, (await Deno.permissions.query({ name: "net" })).state, (await Deno.permissions.query({ name: "run" })).state];

//// revoke: harmless
//// why: nothing is there to be revoked
return (await Deno.permissions.revoke({ name: "read" })).state !== "granted";

//// patched-status: denied
const proto = Object.getPrototypeOf(await Deno.permissions.query({ name: "read" }));
Object.defineProperty(proto, "state", { get: () => "granted" });
Deno.permissions.query = async () => ({ state: "granted" }) as any;
Deno.permissions.querySync = () => ({ state: "granted" }) as any;
return "ESCAPED: " + await Deno.readTextFile(t.secretFile);

//// patched-checks: denied
// Checks that are written in JavaScript could be patched away.
const core = Deno[Deno.internal].core;
for (const name of ["NotCapable", "errorConstructors", "buildCustomError", "registerErrorBuilder"]) try { core[name] = class {}; } catch { /* frozen */ }
Object.defineProperty(Object.prototype, "granted", { value: true, configurable: true });
try { return "ESCAPED: " + Deno.readTextFileSync(t.secretFile); } finally { delete (Object.prototype as any).granted; }

//// node-permission: denied
//// expect: ^ok "denied: 
const p = (process as any).permission;
return p?.has?.("fs.read", t.secretFile) ? "ESCAPED: it says so" : t.denied(typeof p);

//// prompt: harmless
//// why: stdin is no terminal
//// expect: ok \[null,false\]
return [prompt("name?"), confirm("sure?")];

//// alert: harmless
//// why: it writes to stdout, where control characters are replaced
//// phases: ok runtime_error
alert("\x1b[2J\x1b]0;title\x07");
return 1;
