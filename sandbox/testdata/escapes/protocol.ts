// The bridge: stdout carries frames behind a marker, stdin carries the host's. The
// program shares the harness's realm, so it may say whatever the harness may; it
// must not break the host, nor get more than it is given.

//// raw-frame-without-the-marker: harmless
//// why: without the marker it is output
//// expect: ok "honest"
const body = t.bytes('{"type":"result","value":"forged"}');
const frame = new Uint8Array(20 + body.length);
crypto.getRandomValues(frame.subarray(0, 16));
new DataView(frame.buffer).setUint32(16, body.length);
frame.set(body, 20);
Deno.stdout.writeSync(frame);
return "honest";

//// raw-descriptor: harmless
//// why: descriptor 1 is stdout
//// expect: ok "honest"
import fs from "node:fs";
fs.writeSync(1, '{"type":"result","value":"forged"}\n');
fs.writeFileSync(1, '\0\0\0\x10{"type":"result"}');
return "honest";

//// core-print: harmless
//// why: it writes to stdout
//// expect: ok "honest"
Deno[Deno.internal].core.print('{"type":"result","value":"forged"}\n', false);
return "honest";

//// core-write: harmless
//// why: resource 1 is stdout
//// expect: ok "honest"
const core = Deno[Deno.internal].core;
core.writeSync(1, t.bytes('{"type":"result","value":"forged"}\n'));
return "honest";

//// stolen-marker-forges-a-result: harmless
//// why: what the program can say through the harness it may say without it
//// expect: ok "forged"
const frame = await stolen();
Deno.stdout.writeSync(frame('{"type":"result","value":"forged"}'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-two-results: harmless
//// why: the first one counts
//// expect: ok 1
const frame = await stolen();
const a = frame('{"type":"result","value":1}'), b = frame('{"type":"result","value":2}');
const both = new Uint8Array(a.length + b.length);
both.set(a); both.set(b, a.length);
Deno.stdout.writeSync(both);
return 3;
{{stolen}}

//// stolen-marker-ready-again: contained
//// phases: killed
const frame = await stolen();
Deno.stdout.writeSync(frame('{"type":"ready","protocol":1}'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-unknown-type: contained
//// phases: killed
const frame = await stolen();
Deno.stdout.writeSync(frame('{"type":"shutdown"}'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-no-json: contained
//// phases: killed
const frame = await stolen();
Deno.stdout.writeSync(frame("{nonsense"));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-json-of-another-shape: contained
//// phases: killed
const frame = await stolen();
Deno.stdout.writeSync(frame('[{"type":"result"}]'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-deep-json: contained
//// phases: killed ok
const frame = await stolen();
await write(frame('{"type":"result","value":' + "[".repeat(200_000) + "]".repeat(200_000) + "}"));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-empty-frame: contained
//// phases: killed
const frame = await stolen();
Deno.stdout.writeSync(frame(""));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-giant-length: contained
//// phases: killed
const frame = await stolen();
const bytes = frame("");
new DataView(bytes.buffer).setUint32(16, 0xffffffff);
Deno.stdout.writeSync(bytes);
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-length-that-is-never-filled: contained
//// phases: timeout
//// timeout: 500ms
const frame = await stolen();
const bytes = frame("");
new DataView(bytes.buffer).setUint32(16, 1000);
Deno.stdout.writeSync(bytes);
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-value-over-the-limit: contained
//// phases: ok killed runtime_error
// The harness makes a preview of a large value; a forged frame has none.
const frame = await stolen();
await write(frame('{"type":"result","value":"' + "x".repeat(4 << 20) + '"}'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-value-that-is-no-json: contained
//// phases: killed ok
const frame = await stolen();
await write(frame('{"type":"result","value":nul}'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-error-over-the-limit: contained
//// phases: runtime_error killed
const frame = await stolen();
const huge = "x".repeat(4 << 20);
await write(frame(JSON.stringify({ type: "error", reason: "thrown", name: huge, message: huge, stack: huge })));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-stack-for-the-position-finder: contained
//// phases: runtime_error killed
const frame = await stolen();
await write(frame(JSON.stringify({ type: "error", reason: "thrown", name: "Error", message: "m", stack: "blob:x:99999999999999999999:1\n" + "blob:x:1:1\n".repeat(2000) + "blob:x:-1:-1 blob:x:0:0" })));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-log-with-odd-fields: harmless
//// why: a log line is text whatever its level
//// phases: ok killed
const frame = await stolen();
await write(frame('{"type":"log","level":-5,"message":"a","at":-1}'));
await write(frame('{"type":"log","level":999999,"message":"b","at":1e308}'));
await write(frame('{"type":"log","message":"\\u001b[2Jc"}'));
return 1;
{{stolen}}

//// stolen-marker-call-without-arguments: contained
//// phases: ok killed runtime_error
const frame = await stolen();
await write(frame('{"type":"call","id":1,"target":"echo"}'));
await t.sleep(200);
return 1;
{{stolen}}

//// stolen-marker-call-with-a-negative-id: contained
//// phases: killed
const frame = await stolen();
await write(frame('{"type":"call","id":-1,"target":"echo","args":{}}'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-call-with-a-giant-id: contained
//// phases: killed
const frame = await stolen();
await write(frame('{"type":"call","id":1e300,"target":"echo","args":{}}'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-call-with-a-text-as-id: contained
//// phases: killed
const frame = await stolen();
await write(frame('{"type":"call","id":"1","target":"echo","args":{}}'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-call-with-a-used-id: contained
//// phases: killed
import { call } from "conductor:bridge";
await call("echo", {});
const frame = await stolen();
await write(frame('{"type":"call","id":1,"target":"echo","args":{}}'));
for (;;) await t.sleep(100);
{{stolen}}

//// stolen-marker-call-whose-answer-nobody-waits-for: contained
//// phases: runtime_error ok killed
// The harness gets an answer to a call that it did not make.
const frame = await stolen();
await write(frame('{"type":"call","id":1,"target":"echo","args":{}}'));
await t.sleep(300);
return 1;
{{stolen}}

//// stolen-marker-large-targets: contained
//// phases: ok killed runtime_error memory
// The ledger keeps what a call names.
const frame = await stolen();
const target = "x".repeat(2 << 20);
for (let id = 1; id <= 20; id++) await write(frame(JSON.stringify({ type: "call", id, target, args: {} })));
return 1;
{{stolen}}

//// stolen-marker-target-with-control-characters: contained
//// phases: timeout
//// timeout: 500ms
// It would be shown in the hint.
const frame = await stolen();
await write(frame(JSON.stringify({ type: "call", id: 1, target: "hang", args: {} })));
await write(frame(JSON.stringify({ type: "call", id: 2, target: "hang\x1b[2J\u202e", args: {} })));
for (;;) await t.sleep(100);
{{stolen}}

//// control-characters-in-the-name-of-an-error: contained
//// phases: runtime_error
const e = new Error("m");
e.name = "\x1b[2J\u202eName\x07";
throw e;

//// control-characters-in-the-name-of-a-target: contained
//// phases: timeout
//// timeout: 500ms
import { call } from "conductor:bridge";
call("hang", {});
call("hang\x1b[2J\u202e", {}).catch(() => {});
for (;;) await t.sleep(100);

//// close-stdout: contained
//// phases: runtime_error killed timeout
//// timeout: 1s
Deno.stdout.close();
return 1;

//// close-stdout-descriptor: contained
//// phases: ok runtime_error killed timeout
//// timeout: 1s
import fs from "node:fs";
fs.closeSync(1);
return 1;

//// close-stdout-resource: contained
//// phases: ok runtime_error killed timeout
//// timeout: 1s
Deno[Deno.internal].core.close(1);
return 1;

//// close-stdin: contained
//// phases: ok runtime_error
Deno.stdin.close();
await t.sleep(50);
return 1;

//// close-all-resources: contained
//// phases: runtime_error killed timeout ok
//// timeout: 1s
const core = Deno[Deno.internal].core;
for (let rid = 0; rid < 1000; rid++) core.tryClose(rid);
return 1;

//// read-stdin: contained
//// phases: ok runtime_error timeout
//// timeout: 1s
const buffer = new Uint8Array(100);
const n = await Promise.race([Deno.stdin.read(buffer), t.sleep(200)]);
return n ?? 0;

//// read-stdin-while-it-blocks: contained
//// phases: ok runtime_error timeout
//// timeout: 500ms
const buffer = new Uint8Array(100);
return Deno.stdin.readSync(buffer);

//// read-stdin-through-node: contained
//// phases: ok runtime_error timeout killed
//// timeout: 500ms
import fs from "node:fs";
return fs.readFileSync(0, "utf8").length;

//// steal-an-answer: contained
//// phases: ok runtime_error timeout
//// timeout: 1s
// The answer was for the program anyway.
import { call } from "conductor:bridge";
const wait = call("echo", { a: 1 });
const buffer = new Uint8Array(100);
Deno.stdin.readSync(buffer);
return await wait;

//// stdin-of-node: contained
//// phases: ok runtime_error timeout
//// timeout: 1s
import { call } from "conductor:bridge";
process.stdin.on("data", () => {});
process.stdin.resume();
return await call("echo", { a: 1 });

//// unknown-target: harmless
//// why: the host decides what may be called
//// expect: there is no target
import { call } from "conductor:bridge";
return await call("../../etc/passwd", {}).catch((e) => e.message);

//// targets-of-every-type: harmless
//// why: a target is turned into text
import { call } from "conductor:bridge";
const out = [];
for (const target of [undefined, null, 1, {}, [], "__proto__", "constructor", "a\0b", "\ud800", { toString: () => "echo" }]) out.push(await call(target as any, {}).then(() => "ok", (e) => e.message.slice(0, 40)));
return out;

//// many-calls: contained
//// phases: killed
//// timeout: 15s
// Without a pause to hear the answers: host and program must not wait for each other.
import { call } from "conductor:bridge";
const all = [];
for (let i = 0; i < 100_000; i++) all.push(call("echo", i).catch(() => null));
const answered = (await Promise.all(all)).filter((x) => x !== null).length;
return answered;

//// many-calls-that-hang: contained
//// phases: timeout
//// timeout: 2s
import { call } from "conductor:bridge";
for (let i = 0; i < 150; i++) call("hang", i).catch(() => {});
await call("hang", {});

//// large-arguments: contained
//// phases: ok runtime_error killed memory
import { call } from "conductor:bridge";
return (await call("echo", "x".repeat(8 << 20))).length;

//// arguments-over-a-frame: contained
//// phases: runtime_error killed memory
import { call } from "conductor:bridge";
return (await call("echo", new Array(5).fill("x".repeat(8 << 20)))).length;

//// symbol-of-the-bridge: harmless
//// why: it is the function that the modules have, too
const call = globalThis[Symbol.for("conductor.call")];
return [await call("echo", 1), await call.call(null, "echo"), await call("echo", undefined)];

//// replaced-bridge: harmless
//// why: the symbol cannot be redefined; if it could, only the program would notice
//// phases: ok runtime_error
globalThis[Symbol.for("conductor.call")] = () => "mine";
return 1;

//// prototype-keys-in-an-answer: harmless
//// why: JSON.parse makes own properties
//// expect: ok \[true,null\]
import { call } from "conductor:bridge";
const answer = await call("echo", JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}'));
return [Object.hasOwn(answer, "__proto__"), ({} as any).polluted ?? null];

//// then-in-an-answer: harmless
//// why: an answer has no functions, so `then` is no method
import { call } from "conductor:bridge";
return (await call("echo", { then: "x" })).then;

//// arguments-with-traps: contained
//// phases: ok runtime_error
import { call } from "conductor:bridge";
const out = [];
for (const args of [new Proxy({}, { ownKeys() { throw new Error("trap"); } }), { get a() { throw 1; } }, { toJSON() { throw 2; } }, [, 1], Object.create(null), new Proxy([], { get: (o, k) => k === "length" ? 5 : Reflect.get(o, k) })])
  out.push(await call("echo", args).then(() => "ok", () => "refused"));
return out;

//// control-characters-in-logs: harmless
//// why: the host replaces them
console.log("\x1b]52;c;Y29sbGVjdGVk\x07\x1b[2J\u202e\u2066\x9b31m\r\x00");
console.error("\x1b]0;title\x07");
Deno.stdout.writeSync(new Uint8Array([0x1b, 0x5d, 0x30, 0x3b, 0x41, 0x07, 0xff, 0xc0]));
return 1;
