// Built-ins that the program changes under the harness. It may break its own run;
// the host must not hang or misjudge, and an honest value stays honest.

//// object-then: contained
//// phases: ok runtime_error timeout
//// timeout: 1s
Object.defineProperty(Object.prototype, "then", { value(resolve) { resolve("then"); }, configurable: true });
return { a: 1 };

//// object-then-getter: contained
//// phases: ok runtime_error timeout killed
//// timeout: 1s
Object.defineProperty(Object.prototype, "then", { get() { throw new Error("then"); }, configurable: true });
return { a: 1 };

//// object-to-json: contained
//// phases: ok runtime_error
(Object.prototype as any).toJSON = function () { return "to-json"; };
return { a: 1 };

//// object-proto-setter: contained
//// phases: ok runtime_error
Object.defineProperty(Object.prototype, "__proto__", { set() { throw new Error("proto"); }, get() { return null; } });
return { a: 1 };

//// fields-of-a-reply: contained
//// phases: ok runtime_error timeout killed
//// timeout: 1s
import { call } from "conductor:bridge";
const o: any = Object.prototype;
o.error = { message: "from the prototype" }; o.value = "from the prototype"; o.id = 99;
return await call("echo", 1).catch((e) => e.message);

//// fields-of-a-descriptor: contained
//// phases: ok runtime_error
const o: any = Object.prototype;
o.get = () => "got"; o.set = () => {}; o.writable = false; o.enumerable = false;
return { a: 1, b: [2] };

//// array-iterator: contained
//// phases: ok runtime_error
Array.prototype[Symbol.iterator] = function* () { yield "evil"; };
return [1, new Set([2]), new Map([["a", 3]])];

//// array-iterator-prototype: contained
//// phases: ok runtime_error timeout
//// timeout: 1s
Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: false, value: 1 });
return new Set([1]);

//// species: contained
//// phases: ok runtime_error
class Evil extends Uint8Array { static get [Symbol.species]() { return Array as any; } }
Object.defineProperty(Uint8Array, Symbol.species, { get: () => Evil });
Object.defineProperty(Promise, Symbol.species, { get: () => { throw new Error("species"); } });
return [1, 2];

//// function-call-apply-and-bind: contained
//// phases: ok runtime_error
Function.prototype.call = Function.prototype.apply = function () { return "evil"; } as any;
Function.prototype.bind = function () { return () => "evil"; } as any;
return { a: 1 };

//// promise-then: contained
//// phases: ok runtime_error timeout
//// timeout: 1s
Promise.prototype.then = function () { return new Promise(() => {}); } as any;
return { a: 1 };

//// promise-constructor: contained
//// phases: ok runtime_error timeout
//// timeout: 1s
import { call } from "conductor:bridge";
(globalThis as any).Promise = class { constructor() { throw new Error("promise"); } };
return call("echo", 1);

//// json: contained
//// phases: ok
//// expect: ok \{"a":1\}
JSON.stringify = () => '{"type":"result","value":"evil"}';
JSON.parse = () => ({ type: "evil" });
return { a: 1 };

//// reflect-and-object: contained
//// phases: ok
//// expect: ok \{"a":1\}
Object.keys = () => ["evil"]; Object.defineProperty = () => ({}) as any; Object.getOwnPropertyNames = () => [];
Reflect.ownKeys = () => ["evil"]; Reflect.get = () => "evil";
return { a: 1 };

//// is-array: contained
//// phases: ok
//// expect: ok \[1\]
Array.isArray = (() => false) as any;
return [1];

//// text-methods: contained
//// phases: ok
String.prototype.slice = () => "evil"; String.prototype.indexOf = () => 0; (String.prototype as any).toString = () => "evil";
(globalThis as any).String = () => "evil";
return { "a b": 1 };

//// regular-expressions: contained
//// phases: ok runtime_error
RegExp.prototype.test = () => true; RegExp.prototype.exec = () => { throw new Error("exec"); };
return { "a b": { c: 1 } };

//// set-methods: contained
//// phases: ok runtime_error
Set.prototype.has = () => true; Set.prototype.add = function () { throw new Error("add"); }; Set.prototype.delete = () => false;
return { a: { b: 1 } };

//// set-that-sees-no-cycles: contained
//// phases: ok runtime_error
Set.prototype.has = () => false;
const a: any = {};
a.a = a;
return a;

//// byte-arrays: contained
//// phases: ok runtime_error killed timeout
//// timeout: 1s
(globalThis as any).Uint8Array = class { constructor() { throw new Error("bytes"); } };
return { a: 1 };

//// byte-arrays-that-lie: contained
//// phases: ok runtime_error killed timeout
//// timeout: 1s
Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), "length", { get: () => 1e9 });
Object.defineProperty(Object.getPrototypeOf(Uint8Array.prototype), "buffer", { get: () => new ArrayBuffer(100) });
return { a: 1 };

//// data-view: contained
//// phases: ok runtime_error killed timeout
//// timeout: 1s
DataView.prototype.setUint32 = function () {};
return { a: 1 };

//// text-encoder: contained
//// phases: ok
//// expect: ok \{"a":1\}
TextEncoder.prototype.encode = () => new Uint8Array(3);
(globalThis as any).TextEncoder = class {};
return { a: 1 };

//// stdout: contained
//// phases: ok
//// expect: ok \{"a":1\}
Deno.stdout.writeSync = () => { throw new Error("write"); };
Object.getPrototypeOf(Deno.stdout).writeSync = () => 0;
return { a: 1 };

//// stdin: contained
//// phases: ok runtime_error
Object.getPrototypeOf(Deno.stdin).read = () => Promise.resolve(null);
return { a: 1 };

//// exit: contained
//// phases: ok
(Deno as any).exit = () => {};
return { a: 1 };

//// prepare-stack-trace: contained
//// phases: runtime_error
Error.prepareStackTrace = () => { throw new Error("prepare"); };
throw new Error("x");

//// prepare-stack-trace-that-returns-an-object: contained
//// phases: runtime_error
Error.prepareStackTrace = () => ({ toString() { throw new Error("nested"); } });
throw new Error("x");

//// capture-stack-trace: contained
//// phases: ok
import { call } from "conductor:bridge";
Error.captureStackTrace = () => { throw new Error("capture"); };
return await call("echo", 1);

//// has-instance: contained
//// phases: runtime_error
Object.defineProperty(Error, Symbol.hasInstance, { value: () => { throw new Error("instance"); } });
throw { message: "x" };

//// console: contained
//// phases: ok
(globalThis as any).console = null;
return { a: 1 };

//// event-target: contained
//// phases: ok runtime_error
EventTarget.prototype.dispatchEvent = () => { throw new Error("dispatch"); };
EventTarget.prototype.addEventListener = () => {};
return { a: 1 };

//// next-tick: contained
//// phases: ok runtime_error timeout
//// timeout: 1s
process.nextTick = () => {};
(globalThis as any).queueMicrotask = () => {};
(globalThis as any).setTimeout = () => 0;
return { a: 1 };

//// everything-is-deleted: contained
//// phases: ok runtime_error killed timeout
//// timeout: 1s
for (const key of Reflect.ownKeys(globalThis)) if (key !== Symbol.for("conductor.call")) try { delete globalThis[key as any]; } catch { /* fixed */ }
return { a: 1 };

//// everything-is-frozen: contained
//// phases: ok runtime_error killed timeout
//// timeout: 1s
for (const o of [Object.prototype, Array.prototype, Function.prototype, Promise.prototype, globalThis, Error.prototype, Uint8Array.prototype]) try { Object.freeze(o); } catch { /* not possible */ }
return { a: 1 };

//// core-is-patched: contained
//// phases: ok runtime_error timeout killed
//// timeout: 1s
const core = Deno[Deno.internal].core;
for (const name of Object.keys(core)) try { if (typeof core[name] === "function") core[name] = () => true; } catch { /* fixed */ }
return { a: 1 };

//// value-with-a-then: harmless
//// why: a thenable is awaited, as in every async function
//// expect: ok "then"
return { then(resolve) { resolve("then"); } };

//// value-with-an-endless-then: contained
//// phases: timeout
//// timeout: 500ms
return { then(resolve) { resolve({ then: this.then }); } };

//// value-with-a-then-that-calls-both: harmless
//// why: the first one counts
return { then(resolve, reject) { resolve(1); reject(2); resolve(3); throw new Error("late"); } };

//// value-with-a-prototype-key: harmless
//// why: it is data
//// expect: ok \{"__proto__":\{"a":1\}\}
return JSON.parse('{"__proto__":{"a":1}}');

//// value-with-an-endless-to-json: contained
//// phases: runtime_error timeout memory
//// timeout: 2s
class A { toJSON() { return new A(); } }
return new A();

//// value-with-changing-keys: contained
//// phases: ok runtime_error timeout memory
//// timeout: 2s
let n = 0;
return new Proxy({}, { ownKeys: () => ["a" + n++, "b"], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }), get: () => n++ });

//// value-with-endless-depth: contained
//// phases: runtime_error timeout memory
//// timeout: 2s
const deeper = () => new Proxy({}, { ownKeys: () => ["a"], getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }), get: (_, k) => k === "a" ? deeper() : undefined });
return deeper();

//// value-with-endless-length: contained
//// phases: runtime_error timeout memory
//// timeout: 2s
return new Proxy([], { get: (_, k) => k === "length" ? 2 ** 52 : k === "toJSON" ? undefined : 1 });

//// value-with-endless-iteration: contained
//// phases: runtime_error timeout memory
//// timeout: 5s
const endless: any = new Set([1]);
endless[Symbol.iterator] = function* () { for (;;) yield "x".repeat(1000); };
return endless;

//// value-with-an-evil-value-of: contained
//// phases: ok runtime_error
return [Object.assign(new Number(1), { valueOf: () => ({}) }), Object.assign(new String("a"), { valueOf() { return this; } })];

//// value-revoked: contained
//// phases: runtime_error
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
return proxy;

//// value-that-ends-the-process: contained
//// phases: runtime_error
return { get a() { Deno.exit(0); } };

//// value-with-lone-surrogates: harmless
//// why: JSON.stringify escapes them
return ["\ud800", "\udc00\ud800", { "\ud800": 1 }];

//// thrown-proxy: contained
//// phases: runtime_error
throw new Proxy(new Error("x"), { get() { throw new Error("trap"); }, getPrototypeOf() { throw new Error("trap"); } });

//// thrown-with-endless-cause: contained
//// phases: runtime_error
const e: any = new Error("x");
e.cause = e; e.errors = [e, e, e];
throw e;

//// thrown-with-evil-getters: contained
//// phases: runtime_error
throw Object.defineProperties(new Error("x"), { name: { get() { Deno.stdout.writeSync(t.bytes("name")); return { toString: () => "n".repeat(1e6) }; } }, stack: { get() { throw 1; } } });

//// thrown-huge: contained
//// phases: runtime_error memory
throw Object.assign(new Error("x".repeat(50_000_000)), { name: "y".repeat(1_000_000) });

//// thrown-that-inspects-forever: contained
//// phases: timeout
//// timeout: 500ms
throw { [Symbol.for("Deno.customInspect")]() { for (;;); }, toString() { for (;;); } };

//// thrown-symbol: contained
//// phases: runtime_error
throw Symbol("x");

//// inherited-then-in-a-module: contained
//// phases: ok runtime_error
export function then(resolve) { resolve({ default: () => "hijacked" }); }
return 1;
