// The network: a listener, a datagram socket and a unix socket on this machine
// record who contacts them.

//// fetch: denied, os
return "ESCAPED: " + await (await fetch(t.url)).text();

//// fetch-localhost: denied, os
return "ESCAPED: " + await (await fetch(`http://localhost:${t.port}/`)).text();

//// fetch-decimal-address: denied, os
return "ESCAPED: " + await (await fetch(`http://2130706433:${t.port}/`)).text();

//// fetch-mapped-address: denied
return "ESCAPED: " + await (await fetch(`http://[::ffff:127.0.0.1]:${t.port}/`)).text();

//// fetch-metadata-address: denied
return "ESCAPED: " + (await fetch("http://169.254.169.254/latest/meta-data/", { signal: AbortSignal.timeout(1000) })).status;

//// fetch-https: denied, os
return "ESCAPED: " + (await fetch(`https://127.0.0.1:${t.port}/`)).status;

//// fetch-with-a-body-of-secrets: denied, os
return "ESCAPED: " + (await fetch(t.url, { method: "POST", body: "collected" })).status;

//// fetch-with-a-proxy: denied, os
const client = Deno.createHttpClient({ proxy: { url: t.url } });
return "ESCAPED: " + (await fetch("http://a.invalid/", { client })).status;

//// fetch-through-a-unix-proxy: denied
const client = Deno.createHttpClient({ proxy: { transport: "unix", path: t.socket } } as any);
return "ESCAPED: " + (await fetch("http://a.invalid/", { client })).status;

//// fetch-through-a-vsock-proxy: denied
//// expect: Requires|runtime_error
const client = Deno.createHttpClient({ proxy: { transport: "vsock", cid: 2, port: 1024 } } as any);
return "ESCAPED: " + (await fetch("http://a.invalid/", { client })).status;

//// connect: denied, os
const c = await Deno.connect({ hostname: "127.0.0.1", port: t.port });
await c.write(t.bytes("hello"));
return "ESCAPED: connected";

//// connect-unix: denied, os
const c = await Deno.connect({ transport: "unix", path: t.socket });
await c.write(t.bytes("hello"));
return "ESCAPED: connected";

//// connect-vsock: denied
//// expect: Requires|runtime_error
const c = await Deno.connect({ transport: "vsock", cid: 2, port: 1024 } as any);
return "ESCAPED: connected " + c;

//// connect-tls: denied, os
const c = await Deno.connectTls({ hostname: "127.0.0.1", port: t.port });
await c.handshake();
return "ESCAPED: connected";

//// listen: denied, os
return "ESCAPED: " + JSON.stringify(Deno.listen({ hostname: "127.0.0.1", port: 0 }).addr);

//// listen-unix: denied, os
return "ESCAPED: " + JSON.stringify(Deno.listen({ transport: "unix", path: t.dir + "/s" }).addr);

//// listen-udp: denied
//// expect: not a function|Requires
return "ESCAPED: " + JSON.stringify(Deno.listenDatagram({ hostname: "127.0.0.1", port: 0, transport: "udp" }).addr);

//// serve: denied, os
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => new Response());
return "ESCAPED: " + JSON.stringify(server.addr);

//// resolve-a-name: denied
return "ESCAPED: " + await Deno.resolveDns("a.invalid", "A", { nameServer: { ipAddr: "127.0.0.1", port: t.udpPort } });

//// resolve-a-name-as-exfiltration: denied
import dns from "node:dns";
const resolver = new dns.promises.Resolver({ timeout: 500, tries: 1 });
resolver.setServers([`127.0.0.1:${t.udpPort}`]);
return "ESCAPED: " + await resolver.resolve4("collected.a.invalid");

//// node-lookup: denied, os
//// expect: EPERM|Requires
import dns from "node:dns/promises";
return "ESCAPED: " + (await dns.lookup("localhost")).address;

//// node-dns-servers: denied
import dns from "node:dns";
return "ESCAPED: " + dns.getServers();

//// node-connect: denied, os
import net from "node:net";
return await new Promise((resolve, reject) => net.connect(t.port, "127.0.0.1", () => resolve("ESCAPED: connected")).on("error", reject));

//// node-connect-unix: denied, os
import net from "node:net";
return await new Promise((resolve, reject) => net.connect(t.socket, () => resolve("ESCAPED: connected")).on("error", reject));

//// node-connect-own-descriptor: denied
//// expect: denied: |runtime_error
// A socket made of a number instead of an address.
import net from "node:net";
const open = [];
for (let fd = 3; fd < 40; fd++) {
  try { const s = new net.Socket({ fd, readable: true, writable: true }); s.on("error", () => {}); if (s.write("x") && !s.destroyed && s.remoteAddress) open.push(fd); } catch { /* refused */ }
}
await t.sleep(50);
return open.length ? "ESCAPED: " + open : t.denied("none");

//// node-listen: denied, os
import net from "node:net";
return await new Promise((resolve, reject) => net.createServer().on("error", reject).listen(0, "127.0.0.1", () => resolve("ESCAPED: listening")));

//// node-http: denied, os
import http from "node:http";
return await new Promise((resolve, reject) => http.get(t.url, (r) => resolve("ESCAPED: " + r.statusCode)).on("error", reject));

//// node-http-unix: denied, os
import http from "node:http";
return await new Promise((resolve, reject) => http.get({ socketPath: t.socket, path: "/" }, (r) => resolve("ESCAPED: " + r.statusCode)).on("error", reject));

//// node-https: denied, os
import https from "node:https";
return await new Promise((resolve, reject) => https.get(`https://127.0.0.1:${t.port}/`, (r) => resolve("ESCAPED: " + r.statusCode)).on("error", reject));

//// node-http2: denied, os
import http2 from "node:http2";
return await new Promise((resolve, reject) => http2.connect(t.url).on("error", reject).on("connect", () => resolve("ESCAPED: connected")));

//// node-tls: denied, os
import tls from "node:tls";
return await new Promise((resolve, reject) => tls.connect(t.port, "127.0.0.1", () => resolve("ESCAPED: connected")).on("error", reject));

//// node-udp: denied, os
import dgram from "node:dgram";
const socket = dgram.createSocket("udp4");
return await new Promise((resolve, reject) => {
  socket.on("error", reject);
  socket.send("hello", t.udpPort, "127.0.0.1", (e) => e ? reject(e) : resolve("ESCAPED: sent"));
});

//// node-raw-tcp-handle: denied
//// expect: denied: |Requires|runtime_error
const { TCP, TCPConnectWrap, constants } = process.binding("tcp_wrap");
const handle = new TCP(constants?.SOCKET ?? 0);
const request = new TCPConnectWrap();
const status = await new Promise((resolve) => {
  request.oncomplete = (s) => resolve(s);
  const now = handle.connect(request, "127.0.0.1", t.port);
  if (now !== 0) resolve(now);
  setTimeout(() => resolve("late"), 1000);
});
return status === 0 ? "ESCAPED: connected" : t.denied(status);

//// node-raw-pipe-handle: denied
//// expect: denied: |Requires|runtime_error
const { Pipe, PipeConnectWrap } = process.binding("pipe_wrap");
const handle = new Pipe(0);
const request = new PipeConnectWrap();
const status = await new Promise((resolve) => {
  request.oncomplete = (s) => resolve(s);
  const now = handle.connect(request, t.socket);
  if (now !== 0 && now !== undefined) resolve(now);
  setTimeout(() => resolve("late"), 1000);
});
return status === 0 ? "ESCAPED: connected" : t.denied(status);

//// node-raw-tcp-bind: denied
//// expect: denied: |Requires|runtime_error
const { TCP, constants } = process.binding("tcp_wrap");
const handle = new TCP(constants?.SERVER ?? 1);
const bound = handle.bind("127.0.0.1", 0), listening = handle.listen(5);
const name = {};
handle.getsockname(name);
return bound === 0 && listening === 0 && name.port ? "ESCAPED: listening on " + name.port : t.denied([bound, listening]);

//// node-net-permission-token: denied
//// expect: denied: |Requires|runtime_error
// The Node layer passes a token of an allowed lookup to connect.
import net from "node:net";
return await new Promise((resolve) => {
  const s = net.connect({ port: t.port, host: "a.invalid", lookup: (_h, _o, done) => done(null, [{ address: "127.0.0.1", family: 4, netPermToken: {} }], 4) } as any);
  s.on("connect", () => resolve("ESCAPED: connected"));
  s.on("error", (e) => resolve(t.denied(e)));
});

//// web-socket: denied, os
return await new Promise((resolve) => {
  const s = new WebSocket(`ws://127.0.0.1:${t.port}/`);
  s.onopen = () => resolve("ESCAPED: open");
  s.onerror = (e) => resolve(t.denied(e.message));
});

//// web-socket-stream: denied
//// expect: not defined|Requires
const s = new WebSocketStream(`ws://127.0.0.1:${t.port}/`);
return "ESCAPED: " + await s.opened;

//// event-source: denied, os
const source = new EventSource(t.url);
return await new Promise((resolve) => {
  source.onopen = () => { source.close(); resolve("ESCAPED: open"); };
  source.onerror = () => { source.close(); resolve(t.denied("error")); };
});

//// quic: denied
//// expect: Requires|runtime_error
const endpoint = new Deno.QuicEndpoint({ hostname: "127.0.0.1", port: 0 });
return "ESCAPED: " + JSON.stringify(endpoint.addr);

//// web-transport: denied
//// expect: Requires|runtime_error|denied: 
const transport = new WebTransport(`https://127.0.0.1:${t.udpPort}/`);
return await Promise.race([transport.ready.then(() => "ESCAPED: open", (e) => t.denied(e)), t.sleep(500).then(() => t.denied("late"))]);

//// beacon: denied
//// expect: denied: |runtime_error
const sent = navigator.sendBeacon?.(t.url, "collected");
await t.sleep(50);
return t.denied(sent);

//// xml-http-request: denied
//// expect: ^ok "denied: 
return typeof XMLHttpRequest === "undefined" ? t.denied("absent") : "ESCAPED: there is one";

//// inspector-open: denied, os
import inspector from "node:inspector";
inspector.open(0, "127.0.0.1", false);
return "ESCAPED: " + inspector.url();

//// inspector-session: denied
import inspector from "node:inspector";
const session = new inspector.Session();
session.connect();
return "ESCAPED: " + session;

//// broadcast-channel: harmless
//// why: it reaches the program's own workers only, see cross-run.ts
const a = new BroadcastChannel("a"), b = new BroadcastChannel("a");
const got = new Promise((resolve) => b.onmessage = (e) => resolve(e.data));
a.postMessage("hello");
return await got;

//// telemetry-exporter: denied
//// expect: denied: |runtime_error
// Deno can send traces to a collector, if a variable says so.
const { trace } = Deno.telemetry ?? {};
const span = trace?.getTracer?.("a")?.startSpan("b");
span?.end();
await t.sleep(50);
return t.denied("the collector is not ours to choose");
