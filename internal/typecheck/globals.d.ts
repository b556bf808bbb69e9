// What a program in the sandbox has besides the language itself: the part of the web
// platform that Deno offers without permissions. A test compares it with a running
// sandbox. There is no DOM.

/** What a failed call of a tool rejects with. */
declare class ToolError extends Error {
  constructor(message?: string, data?: any);
  /** What the tool returned. */
  data: any;
}

declare module "conductor:bridge" {
  export function call(target: string, args?: unknown): Promise<any>;
}
declare module "node:*";

declare var self: typeof globalThis;
declare var global: any;
declare var process: any;
declare var Buffer: any;
type Buffer = any;
declare namespace NodeJS {
  type Timeout = any;
}

interface Console {
  log(...data: any[]): void;
  info(...data: any[]): void;
  warn(...data: any[]): void;
  error(...data: any[]): void;
  debug(...data: any[]): void;
  trace(...data: any[]): void;
  dir(item?: any, options?: any): void;
  dirxml(...data: any[]): void;
  table(data?: any, columns?: string[]): void;
  assert(condition?: any, ...data: any[]): void;
  count(label?: string): void;
  countReset(label?: string): void;
  group(...data: any[]): void;
  groupCollapsed(...data: any[]): void;
  groupEnd(): void;
  time(label?: string): void;
  timeLog(label?: string, ...data: any[]): void;
  timeEnd(label?: string): void;
  clear(): void;
}
declare var console: Console;

// A timer is a number in browsers and an object here; a program only hands it back.
declare function setTimeout(handler: (...args: any[]) => void, delay?: number, ...args: any[]): any;
declare function setInterval(handler: (...args: any[]) => void, delay?: number, ...args: any[]): any;
declare function setImmediate(handler: (...args: any[]) => void, ...args: any[]): any;
declare function clearTimeout(timer?: any): void;
declare function clearInterval(timer?: any): void;
declare function clearImmediate(timer?: any): void;
declare function queueMicrotask(callback: () => void): void;
declare function structuredClone<T = any>(value: T, options?: { transfer?: any[] }): T;
declare function atob(text: string): string;
declare function btoa(text: string): string;
declare function reportError(error: any): void;

interface Performance {
  readonly timeOrigin: number;
  now(): number;
  mark(name: string, options?: any): any;
  measure(name: string, start?: any, end?: string): any;
  toJSON(): any;
  [member: string]: any;
}
declare var performance: Performance;
declare var navigator: { readonly userAgent: string; readonly hardwareConcurrency: number; readonly language: string; readonly languages: string[]; [member: string]: any };

type BufferSource = ArrayBufferView | ArrayBufferLike;
type BlobPart = BufferSource | Blob | string;
type BodyInit = BlobPart | FormData | URLSearchParams | ReadableStream<any> | AsyncIterable<Uint8Array>;
type HeadersInit = Headers | [string, string][] | string[][] | Record<string, string>;
type RequestInfo = Request | string;

// --- addresses --------------------------------------------------------------

declare class URL {
  constructor(url: string | URL, base?: string | URL);
  static canParse(url: string | URL, base?: string | URL): boolean;
  static parse(url: string | URL, base?: string | URL): URL | null;
  static createObjectURL(blob: Blob): string;
  static revokeObjectURL(url: string): void;
  hash: string;
  host: string;
  hostname: string;
  href: string;
  readonly origin: string;
  password: string;
  pathname: string;
  port: string;
  protocol: string;
  search: string;
  readonly searchParams: URLSearchParams;
  username: string;
  toString(): string;
  toJSON(): string;
}

declare class URLSearchParams {
  constructor(init?: Iterable<string[]> | Record<string, any> | string | URLSearchParams);
  readonly size: number;
  append(name: string, value: any): void;
  delete(name: string, value?: string): void;
  get(name: string): string | null;
  getAll(name: string): string[];
  has(name: string, value?: string): boolean;
  set(name: string, value: any): void;
  sort(): void;
  forEach(callback: (value: string, key: string, parent: URLSearchParams) => void): void;
  entries(): IteratorObject<[string, string]>;
  keys(): IteratorObject<string>;
  values(): IteratorObject<string>;
  [Symbol.iterator](): IteratorObject<[string, string]>;
  toString(): string;
}

declare class URLPattern {
  constructor(input?: any, base?: any, options?: any);
  test(input: any, base?: string): boolean;
  exec(input: any, base?: string): any;
  [member: string]: any;
}

// --- fetch ------------------------------------------------------------------

declare class Headers {
  constructor(init?: HeadersInit);
  append(name: string, value: string): void;
  delete(name: string): void;
  get(name: string): string | null;
  getSetCookie(): string[];
  has(name: string): boolean;
  set(name: string, value: string): void;
  forEach(callback: (value: string, key: string, parent: Headers) => void): void;
  entries(): IteratorObject<[string, string]>;
  keys(): IteratorObject<string>;
  values(): IteratorObject<string>;
  [Symbol.iterator](): IteratorObject<[string, string]>;
}

interface Body {
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>> | null;
  readonly bodyUsed: boolean;
  arrayBuffer(): Promise<ArrayBuffer>;
  blob(): Promise<Blob>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  formData(): Promise<FormData>;
  json(): Promise<any>;
  text(): Promise<string>;
}

interface RequestInit {
  method?: string;
  headers?: HeadersInit;
  body?: BodyInit | null;
  signal?: AbortSignal | null;
  redirect?: "follow" | "error" | "manual";
  cache?: string;
  credentials?: string;
  mode?: string;
  keepalive?: boolean;
  integrity?: string;
  referrer?: string;
  referrerPolicy?: string;
  priority?: string;
  duplex?: "half";
  client?: any;
}

interface Request extends Body {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly signal: AbortSignal;
  readonly redirect: string;
  clone(): Request;
}
declare var Request: { new (input: RequestInfo | URL, init?: RequestInit): Request; prototype: Request };

interface ResponseInit {
  status?: number;
  statusText?: string;
  headers?: HeadersInit;
}

interface Response extends Body {
  readonly headers: Headers;
  readonly ok: boolean;
  readonly redirected: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly type: string;
  readonly url: string;
  clone(): Response;
}
declare var Response: {
  new (body?: BodyInit | null, init?: ResponseInit): Response;
  prototype: Response;
  error(): Response;
  json(data: any, init?: ResponseInit): Response;
  redirect(url: string | URL, status?: number): Response;
};
declare function fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;

declare class Blob {
  constructor(parts?: Iterable<BlobPart>, options?: { type?: string; endings?: string });
  readonly size: number;
  readonly type: string;
  arrayBuffer(): Promise<ArrayBuffer>;
  bytes(): Promise<Uint8Array<ArrayBuffer>>;
  slice(start?: number, end?: number, type?: string): Blob;
  stream(): ReadableStream<Uint8Array<ArrayBuffer>>;
  text(): Promise<string>;
}
declare class File extends Blob {
  constructor(parts: Iterable<BlobPart>, name: string, options?: { type?: string; lastModified?: number });
  readonly name: string;
  readonly lastModified: number;
}
type FormDataEntryValue = File | string;
declare class FormData {
  append(name: string, value: any, filename?: string): void;
  delete(name: string): void;
  get(name: string): FormDataEntryValue | null;
  getAll(name: string): FormDataEntryValue[];
  has(name: string): boolean;
  set(name: string, value: any, filename?: string): void;
  forEach(callback: (value: FormDataEntryValue, key: string, parent: FormData) => void): void;
  entries(): IteratorObject<[string, FormDataEntryValue]>;
  keys(): IteratorObject<string>;
  values(): IteratorObject<FormDataEntryValue>;
  [Symbol.iterator](): IteratorObject<[string, FormDataEntryValue]>;
}

// --- events -----------------------------------------------------------------

declare class Event {
  constructor(type: string, init?: any);
  readonly type: string;
  readonly target: any;
  readonly currentTarget: any;
  readonly defaultPrevented: boolean;
  readonly timeStamp: number;
  preventDefault(): void;
  stopPropagation(): void;
  stopImmediatePropagation(): void;
  [member: string]: any;
}
declare class CustomEvent<T = any> extends Event {
  readonly detail: T;
}
declare class MessageEvent<T = any> extends Event {
  readonly data: T;
}
declare class ErrorEvent extends Event {
  readonly message: string;
  readonly error: any;
}
declare class CloseEvent extends Event {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}
declare class ProgressEvent extends Event {}
declare class PromiseRejectionEvent extends Event {
  readonly promise: Promise<any>;
  readonly reason: any;
}
declare class EventTarget {
  addEventListener(type: string, listener: any, options?: any): void;
  removeEventListener(type: string, listener: any, options?: any): void;
  dispatchEvent(event: Event): boolean;
}
declare function addEventListener(type: string, listener: (event: any) => any, options?: any): void;
declare function removeEventListener(type: string, listener: (event: any) => any, options?: any): void;
declare function dispatchEvent(event: Event): boolean;

declare class AbortSignal extends EventTarget {
  private constructor();
  static abort(reason?: any): AbortSignal;
  static any(signals: Iterable<AbortSignal>): AbortSignal;
  static timeout(milliseconds: number): AbortSignal;
  readonly aborted: boolean;
  readonly reason: any;
  onabort: ((event: any) => any) | null;
  throwIfAborted(): void;
}
declare class AbortController {
  readonly signal: AbortSignal;
  abort(reason?: any): void;
}
declare class DOMException extends Error {
  constructor(message?: string, name?: string | { name?: string; cause?: unknown });
  readonly code: number;
}

// --- text, bytes and streams --------------------------------------------------

declare class TextEncoder {
  readonly encoding: string;
  encode(text?: string): Uint8Array<ArrayBuffer>;
  encodeInto(text: string, target: Uint8Array): { read: number; written: number };
}
declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
  readonly encoding: string;
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  decode(bytes?: BufferSource, options?: { stream?: boolean }): string;
}

interface ReadableStreamDefaultReader<R = any> {
  readonly closed: Promise<void>;
  read(): Promise<{ done: false; value: R } | { done: true; value: R | undefined }>;
  cancel(reason?: any): Promise<void>;
  releaseLock(): void;
}
declare class ReadableStream<R = any> {
  constructor(source?: any, strategy?: any);
  static from<T>(source: Iterable<T> | AsyncIterable<T>): ReadableStream<T>;
  readonly locked: boolean;
  cancel(reason?: any): Promise<void>;
  getReader(): ReadableStreamDefaultReader<R>;
  getReader(options: any): any;
  pipeThrough<T = any>(transform: { readable: ReadableStream<T>; writable: WritableStream<any> }, options?: any): ReadableStream<T>;
  pipeTo(target: WritableStream<any>, options?: any): Promise<void>;
  tee(): [ReadableStream<R>, ReadableStream<R>];
  values(options?: any): AsyncIterableIterator<R>;
  [Symbol.asyncIterator](options?: any): AsyncIterableIterator<R>;
}
interface WritableStreamDefaultWriter<W = any> {
  readonly closed: Promise<void>;
  readonly desiredSize: number | null;
  readonly ready: Promise<void>;
  abort(reason?: any): Promise<void>;
  close(): Promise<void>;
  releaseLock(): void;
  write(chunk?: W): Promise<void>;
}
declare class WritableStream<W = any> {
  constructor(sink?: any, strategy?: any);
  readonly locked: boolean;
  abort(reason?: any): Promise<void>;
  close(): Promise<void>;
  getWriter(): WritableStreamDefaultWriter<W>;
}
declare class TransformStream<I = any, O = any> {
  constructor(transformer?: any, writable?: any, readable?: any);
  readonly readable: ReadableStream<O>;
  readonly writable: WritableStream<I>;
}
declare class TextEncoderStream extends TransformStream<string, Uint8Array<ArrayBuffer>> {}
declare class TextDecoderStream extends TransformStream<BufferSource, string> {
  constructor(label?: string, options?: { fatal?: boolean; ignoreBOM?: boolean });
}
declare class CompressionStream extends TransformStream<BufferSource, Uint8Array<ArrayBuffer>> {
  constructor(format: string);
}
declare class DecompressionStream extends TransformStream<BufferSource, Uint8Array<ArrayBuffer>> {
  constructor(format: string);
}
declare class ByteLengthQueuingStrategy {
  constructor(init: { highWaterMark: number });
}
declare class CountQueuingStrategy {
  constructor(init: { highWaterMark: number });
}

// --- cryptography -------------------------------------------------------------

declare class CryptoKey {
  readonly algorithm: any;
  readonly extractable: boolean;
  readonly type: string;
  readonly usages: string[];
}
interface SubtleCrypto {
  digest(algorithm: string | { name: string }, data: BufferSource): Promise<ArrayBuffer>;
  sign(algorithm: any, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  verify(algorithm: any, key: CryptoKey, signature: BufferSource, data: BufferSource): Promise<boolean>;
  encrypt(algorithm: any, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  decrypt(algorithm: any, key: CryptoKey, data: BufferSource): Promise<ArrayBuffer>;
  importKey(format: string, data: any, algorithm: any, extractable: boolean, usages: string[]): Promise<CryptoKey>;
  exportKey(format: string, key: CryptoKey): Promise<any>;
  generateKey(algorithm: any, extractable: boolean, usages: string[]): Promise<any>;
  deriveKey(algorithm: any, base: CryptoKey, derived: any, extractable: boolean, usages: string[]): Promise<CryptoKey>;
  deriveBits(algorithm: any, base: CryptoKey, length?: number | null): Promise<ArrayBuffer>;
  wrapKey(format: string, key: CryptoKey, wrapping: CryptoKey, algorithm: any): Promise<ArrayBuffer>;
  unwrapKey(format: string, key: BufferSource, unwrapping: CryptoKey, algorithm: any, unwrapped: any, extractable: boolean, usages: string[]): Promise<CryptoKey>;
}
interface Crypto {
  readonly subtle: SubtleCrypto;
  getRandomValues<T extends ArrayBufferView>(array: T): T;
  randomUUID(): string;
}
declare var crypto: Crypto;

// --- less likely in a program of twenty lines ---------------------------------

declare class WebSocket extends EventTarget {
  constructor(url: string | URL, options?: any);
  readonly readyState: number;
  readonly url: string;
  onopen: ((event: any) => any) | null;
  onmessage: ((event: any) => any) | null;
  onerror: ((event: any) => any) | null;
  onclose: ((event: any) => any) | null;
  close(code?: number, reason?: string): void;
  send(data: any): void;
  [member: string]: any;
}
declare class EventSource extends EventTarget {
  constructor(url: string | URL, options?: any);
  [member: string]: any;
}
declare class Worker extends EventTarget {
  constructor(url: string | URL, options?: any);
  postMessage(message: any, options?: any): void;
  terminate(): void;
  [member: string]: any;
}
declare class MessagePort extends EventTarget {
  postMessage(message: any, options?: any): void;
  start(): void;
  close(): void;
  [member: string]: any;
}
declare class MessageChannel {
  readonly port1: MessagePort;
  readonly port2: MessagePort;
}
declare class BroadcastChannel extends EventTarget {
  constructor(name: string);
  postMessage(message: any): void;
  close(): void;
  [member: string]: any;
}
declare var WebAssembly: any;
declare namespace WebAssembly {
  type Module = any;
  type Instance = any;
  type Memory = any;
  type Imports = any;
}
