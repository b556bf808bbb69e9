// The trusted part of a sandbox process. It reads one program from stdin, runs it and
// reports over stdout. The program shares its realm, so nothing here
// is a security boundary: the host treats whatever arrives as the program's word.
// What is captured at the start only keeps an honest program that patches a
// built-in from breaking its own run.
//
// A frame from the host is a 4-byte big-endian length and that many bytes of JSON.
// A frame to the host is the same behind a 16-byte marker that the host chose,
// which tells frames from what the program writes to stdout by itself.

const PROTOCOL = 1;
const MAX_DEPTH = 1000;
const MAX_TEXT = 2000;
const MAX_TARGET = 250;
const MAX_ARGS = 2 << 20;
const READ_SIZE = 64 << 10;

const { Console, core, inspectArgs } = Deno[Deno.internal];
const { parse, stringify } = JSON;
const { keys, defineProperty } = Object;
const { isArray, from: arrayFrom } = Array;
const { captureStackTrace } = Error;
const { isFinite } = Number;
const { createObjectURL } = URL;
const { isView } = ArrayBuffer;
const symbolFor = Symbol.for;
const AsyncFunction = (async () => {}).constructor;
const { build, exit } = Deno;
const { max } = Math;
const toText = String;
const waitUntil = Atomics.wait;
const neverSignalled = new Int32Array(new SharedArrayBuffer(4));
const stdin = Deno.stdin;
const read = stdin.read.bind(stdin);
const readSync = stdin.readSync.bind(stdin);
const [REF, UNREF] = ["REF", "UNREF"].map((name) =>
  Object.getOwnPropertySymbols(Object.getPrototypeOf(stdin)).find((symbol) => symbol.description === name)
);
const writeSync = Deno.stdout.writeSync.bind(Deno.stdout);
const encoder = new TextEncoder();
const encode = encoder.encode.bind(encoder);
const decoder = new TextDecoder();
const decode = decoder.decode.bind(decoder);
const bound = (method) => Function.prototype.call.bind(method);
const copyInto = bound(Uint8Array.prototype.set);
const part = bound(Uint8Array.prototype.subarray);
const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const slice = bound(String.prototype.slice);
const toJSONOfDate = bound(Date.prototype.toISOString);
const getMonotonic = performance.now.bind(performance);

let marker = new Uint8Array(0);
let ended = false;

// --- frames ---------------------------------------------------------------

function send(json) {
  const body = encode(json);
  const frame = new Uint8Array(marker.length + 4 + body.length);
  copyInto(frame, marker);
  viewOf(frame).setUint32(marker.length, body.length);
  copyInto(frame, body, marker.length + 4);
  for (let at = 0; at < frame.length; ) at += writeSync(part(frame, at));
}

// While calls are open the process waits for the host; otherwise only for the
// program, so that a program with nothing left to wait for is noticed at once.
let openCalls = 0;

function waitForHost(yes) {
  stdin[yes ? REF : UNREF]?.();
}

// Each read goes through a thread of its own, so one of them takes all that is there.
let received = new Uint8Array(READ_SIZE);
let from = 0;
let to = 0;

async function receive() {
  for (;;) {
    const size = 4 + (to - from < 4 ? 0 : viewOf(part(received, from, to)).getUint32(0));
    if (size > 4 && to - from >= size) {
      from += size;
      return parse(decode(part(received, from - size + 4, from)));
    }
    if (received.length - from < size) {
      const larger = new Uint8Array(max(size, READ_SIZE));
      copyInto(larger, part(received, from, to));
      [received, from, to] = [larger, 0, to - from];
    }
    const n = await read(part(received, to));
    if (n === null) exit(0); // the host is gone
    to += n;
  }
}

// Until the program runs there is nothing to do but wait, which costs less when it
// is not asynchronous.
function readFullySync(size) {
  const bytes = new Uint8Array(size);
  for (let at = 0; at < size; ) {
    const n = readSync(part(bytes, at));
    if (n === null) exit(0);
    at += n;
  }
  return bytes;
}

function receiveSync() {
  return parse(decode(readFullySync(viewOf(readFullySync(4)).getUint32(0))));
}

// --- values ---------------------------------------------------------------

class NotJSON extends Error {}

function refuse(path, what) {
  throw new NotJSON((path || "it") + " is " + what);
}

// plain copies a value into what JSON can hold, or says where it cannot.
function plain(value, path, seen, depth) {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return isFinite(value) ? value : null;
    case "undefined":
      return undefined;
    case "bigint":
      refuse(path, "a BigInt: convert it with Number(x) or String(x)");
    case "symbol":
      refuse(path, "a symbol");
    case "function":
      refuse(path, "a function: call it, or leave it out");
  }
  if (value === null) return null;
  if (core.isPromise(value)) refuse(path, "a Promise: await it");
  if (depth > MAX_DEPTH) refuse(path ? slice(path, 0, 40) + "…" : path, "nested more than " + MAX_DEPTH + " levels deep");
  if (seen.has(value)) refuse(path, "a reference to an object that contains it (a cycle)");
  seen.add(value);
  const copy = plainObject(value, path, seen, depth + 1);
  seen.delete(value);
  return copy;
}

function plainObject(value, path, seen, depth) {
  if (core.isDate(value)) return isFinite(+value) ? toJSONOfDate(value) : null;
  if (core.isBoxedPrimitive(value)) return plain(value.valueOf(), path, seen, depth);
  if (core.isNativeError(value)) {
    const { name, message } = describe(value);
    return { name, message };
  }
  if (typeof value.toJSON === "function") return plain(value.toJSON(), path, seen, depth);
  if (isArray(value)) return plainList(value, path, seen, depth);
  if (core.isSet(value) || isView(value) && !core.isDataView(value)) return plainList(arrayFrom(value), path, seen, depth);
  const copy = { __proto__: null };
  if (core.isMap(value)) {
    for (const [key, item] of value) {
      if (typeof key !== "string") return plainList(arrayFrom(value), path, seen, depth);
      assign(copy, key, plain(item, path + ".get(" + stringify(key) + ")", seen, depth));
    }
    return copy;
  }
  for (const key of keys(value)) assign(copy, key, plain(value[key], path + step(key), seen, depth));
  return copy;
}

function plainList(list, path, seen, depth) {
  const copy = [];
  for (let i = 0; i < list.length; i++) {
    const item = plain(list[i], path + "[" + i + "]", seen, depth);
    copy[i] = item === undefined ? null : item;
  }
  return copy;
}

function assign(target, key, value) {
  if (value !== undefined) defineProperty(target, key, { __proto__: null, value, enumerable: true });
}

function step(key) {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? "." + key : "[" + stringify(key) + "]";
}

function toJSON(value, path) {
  return stringify(plain(value, path, new Set(), 0));
}

// --- errors ---------------------------------------------------------------

function text(value) {
  return slice(toText(value), 0, MAX_TEXT);
}

function attempt(get) {
  try {
    return get();
  } catch {
    return undefined;
  }
}

function describe(thrown) {
  const isError = attempt(() => core.isNativeError(thrown) || thrown instanceof Error) ?? false;
  if (!isError) {
    const shown = attempt(() => inspectArgs(["%o", thrown], { depth: 2 })) ?? typeof thrown;
    const message = typeof thrown === "string" ? thrown : shown;
    return { name: "", message: text(message), stack: "" };
  }
  return {
    name: attempt(() => text(thrown.name)) ?? "Error",
    message: attempt(() => text(thrown.message)) ?? "",
    stack: attempt(() => slice(toText(thrown.stack), 0, 10 * MAX_TEXT)) ?? "",
  };
}

// --- the bridge -----------------------------------------------------------

const waiting = { __proto__: null };
let lastCall = 0;

// ToolError is what a failed call rejects with. data is what the tool returned. It
// is a global, for `instanceof`.
class ToolError extends Error {
  constructor(message, data) {
    super(message);
    if (data !== undefined) this.data = data;
  }
}
defineProperty(ToolError.prototype, "name", { value: "ToolError", writable: true, configurable: true });

function call(target, args) {
  const site = {};
  captureStackTrace(site, call);
  return new Promise((resolve, reject) => {
    let json;
    try {
      json = toJSON(args === undefined ? {} : args, "args");
    } catch (thrown) {
      throw thrown instanceof NotJSON ? new TypeError("the arguments of " + text(target) + " cannot be encoded as JSON: " + thrown.message) : thrown;
    }
    const name = toText(target);
    if (name.length > MAX_TARGET || json.length > MAX_ARGS) throw new RangeError("a call may have " + MAX_ARGS + " bytes of arguments, this one has " + json.length);
    const id = ++lastCall;
    waiting[id] = { resolve, reject, site };
    if (openCalls++ === 0) waitForHost(true);
    send('{"type":"call","id":' + id + ',"target":' + stringify(name) + ',"args":' + json + "}");
    listen();
  });
}

function settle({ id, value, error }) {
  const { resolve, reject, site } = waiting[id];
  delete waiting[id];
  if (--openCalls === 0) waitForHost(false);
  if (!error) return resolve(value);
  const failure = new ToolError(error.message, error.data);
  // The stack of the call, not of this loop, is what its author can use.
  defineProperty(failure, "stack", { value: "ToolError: " + error.message + slice(site.stack, site.stack.indexOf("\n")), writable: true, configurable: true });
  reject(failure);
}

// --- the program ----------------------------------------------------------

function end(json) {
  if (ended) return;
  ended = true;
  send(json);
  // The host ends the process now. Until then nothing more should happen: what Deno
  // does at the end of a program takes longer than the smallest program.
  waitUntil(neverSignalled, 0, 0, 1000);
}

function fail(reason, thrown) {
  end(stringify({ type: "error", reason, ...describe(thrown) }));
}

// evaluate runs a script of packages, which registers them under a symbol. They are
// not the program's: what they throw is thrown where it imports them.
async function evaluate(packages) {
  await new AsyncFunction(packages)();
  await globalThis[symbolFor("conductor.packages")].all();
}

// compile makes a function of the program. Of a mistake that only V8 finds it says
// where it is in a module, but not in a function.
async function compile(code) {
  try {
    return new AsyncFunction("$$run", code);
  } catch (thrown) {
    await import(createObjectURL(new Blob([code], { type: "text/javascript" }))).catch(({ stack }) => {
      defineProperty(thrown, "stack", { value: stack });
    });
    throw thrown;
  }
}

async function run({ code, packages, maxValue, maxWhole }) {
  let value;
  try {
    if (packages) await evaluate(packages);
    let main;
    const program = await compile(code);
    await program((body) => (main = body));
    value = await main();
  } catch (thrown) {
    return fail("thrown", thrown);
  }
  let json;
  try {
    json = toJSON(value, "");
  } catch (thrown) {
    return fail(thrown instanceof NotJSON ? "value" : "thrown", thrown);
  }
  if (json === undefined) return end('{"type":"result"}');
  const bytes = json.length * 3 <= maxValue ? null : encode(json);
  if (!bytes || bytes.length <= maxValue) return end('{"type":"result","value":' + json + "}");
  const whole = bytes.length <= maxWhole ? ',"whole":' + json : "";
  end('{"type":"result","value":' + preview(value, bytes, maxValue) + whole + "}");
}

// preview stands for a value that is larger than the host accepts. Its text is a
// quarter of that, since quoting can double it.
function preview(value, bytes, maxValue) {
  return stringify({
    truncated: true,
    type: isArray(value) ? "array" : typeof value,
    length: isArray(value) || typeof value === "string" ? value.length : keys(value).length,
    bytes: bytes.length,
    preview: decode(part(bytes, 0, maxValue >> 2)),
  });
}

globalThis.console = new Console((message, level) => {
  if (!ended) send(stringify({ type: "log", level, message, at: getMonotonic() }));
});
defineProperty(globalThis, symbolFor("conductor.call"), { value: call });
defineProperty(globalThis, "ToolError", { value: ToolError, writable: true, configurable: true });
globalThis.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail("unhandled", event.reason);
});
globalThis.addEventListener("error", (event) => {
  event.preventDefault();
  fail("unhandled", event.error);
});
globalThis.addEventListener("beforeunload", () => fail("stalled"));

// listen hears the answers to calls while there are open ones, so that a program which
// makes one after the other sends the next before it reads again, for which Deno wakes a
// thread. Elsewhere than on Linux it always listens, to notice that the host is gone: there
// the process dies with it. (A timer for that would cost more than the whole run.)
const alwaysListens = build.os !== "linux";
let listening = false;

async function listen() {
  if (listening) return;
  listening = true;
  do settle(await receive()); while (alwaysListens || openCalls > 0);
  listening = false;
}

// Not awaited at the top level: a promise that waits there would hide that the
// event loop has run dry.
async function serve() {
  const hello = receiveSync();
  marker = Uint8Array.fromHex(hello.marker);
  if (hello.packages) await evaluate(hello.packages);
  send(stringify({ type: "ready", protocol: PROTOCOL, deno: Deno.version.deno }));
  const program = receiveSync();
  waitForHost(false);
  if (alwaysListens) listen();
  run(program);
}

serve();
