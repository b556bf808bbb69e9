// What one run can leave for the next, or for one beside it. Programs of an attempt
// run one after the other in the same sandbox; t.previous is the value before.
// shared: they do find each other if all runs have one DENO_DIR.

//// local-storage: denied, shared
//// expect: NotADirectory|^ok "denied: 
localStorage.setItem("a", "left by another run");
return 1;
//// run
const a = localStorage.getItem("a");
return a ? "ESCAPED: " + a : t.denied(a);

//// session-storage: denied
sessionStorage.setItem("a", "left by another run");
return 1;
//// run
const a = sessionStorage.getItem("a");
return a ? "ESCAPED: " + a : t.denied(a);

//// cache-storage: denied, shared
//// expect: ok "denied: |Failed to create cache storage
//// known: notes, probe 8: a failure names the run's own folder, beside the working folder
await (await caches.open("a")).put("http://a.example/", new Response("left"));
return 1;
//// run
const found = await (await caches.open("a")).match("http://a.example/");
return found ? "ESCAPED: " + await found.text() : t.denied(found);

//// cache-names: denied, shared
//// expect: ok "denied: |Failed to create cache storage
//// known: notes, probe 8: a failure names the run's own folder, beside the working folder
await (await caches.open("left")).put("http://a.example/", new Response("left"));
return 1;
//// run
return await caches.has("left") ? "ESCAPED: it is there" : t.denied("absent");

//// broadcast-channel: denied
//// concurrent
const c = new BroadcastChannel("a");
for (let i = 0; i < 20; i++) { c.postMessage("from the other run"); await t.sleep(20); }
return t.denied("sent");
//// run
const c = new BroadcastChannel("a");
const got = await Promise.race([new Promise((resolve) => c.onmessage = (e) => resolve(e.data)), t.sleep(500)]);
return got ? "ESCAPED: " + got : t.denied("nothing");

//// storage-events: denied
//// expect: NotADirectory|^ok "denied: 
//// concurrent
for (let i = 0; i < 20; i++) { localStorage.setItem("a", "from the other run " + i); await t.sleep(20); }
return t.denied("written");
//// run
for (let i = 0; i < 20; i++) { const a = localStorage.getItem("a"); if (a) return "ESCAPED: " + a; await t.sleep(20); }
return t.denied("nothing");

//// locks: denied
//// concurrent
return await navigator.locks?.request?.("a", async () => { await t.sleep(400); return "denied: held"; }) ?? "denied: absent";
//// run
await t.sleep(200);
return await navigator.locks?.request?.("a", { ifAvailable: true }, (lock) => lock ? "denied: it is free" : "ESCAPED: the other run's lock is seen") ?? "denied: absent";

//// folder-of-the-run-before: denied
//// known: notes, probe 8: the program itself has put the path into the message
return Deno.cwd();
//// run
return "ESCAPED: " + [...Deno.readDirSync(t.previous)].length;

//// folder-keeps-nothing: denied
// All runs without a workspace have the same folder, and none can write to it.
await Deno.writeTextFile("left-behind", "x");
return "ESCAPED: written into the folder of all runs";

//// folders-of-all-runs: denied
//// known: notes, probe 8: the program itself has put the path into the message
const above = Deno.cwd().split("/").slice(0, -2).join("/");
return "ESCAPED: " + [...Deno.readDirSync(above)].map((e) => e.name);

//// own-cache-folder: denied
//// known: notes, probe 8: the program itself has put the path into the message
const dir = Deno.cwd().split("/").slice(0, -1).join("/") + "/deno";
return "ESCAPED: " + [...Deno.readDirSync(dir)].map((e) => e.name);

//// process-of-the-run-before: denied
//// expect: Requires|ok "denied: |runtime_error
return Deno.pid;
//// run
Deno.kill(t.previous, "SIGCONT");
return "ESCAPED: it is still there";

//// process-is-another: denied
(globalThis as any).left = 1;
(Array.prototype as any).left = 1;
process.title = "left";
return Deno.pid;
//// run
return (globalThis as any).left || ([] as any).left || process.title === "left" || Deno.pid === t.previous ? "ESCAPED: the same process" : t.denied("another process");

//// process-beside: denied
//// concurrent
await t.sleep(300);
return t.denied("waited");
//// run
let found = 0;
for (let pid = Deno.pid - 20; pid < Deno.pid + 20; pid++) if (pid !== Deno.pid) try { process.kill(pid, 0); found++; } catch { /* refused */ }
return found ? "ESCAPED: " + found : t.denied("none");

//// blob-url-of-the-run-before: denied
//// expect: runtime_error|denied: 
return [URL.createObjectURL(new Blob(["export default 'left'"], { type: "text/javascript" })), import.meta.url];
//// run
for (const url of t.previous) {
  const found = await import(url).catch(() => null) ?? await fetch(url).then((r) => r.text(), () => null);
  if (found) return "ESCAPED: " + found;
}
return t.denied("gone");

//// poisoned-configuration: denied
//// expect: not a dependency|relative|not prefixed|Requires
try { Deno.writeTextFileSync("deno.json", JSON.stringify({ imports: { poisoned: "data:text/javascript,export default 1" }, permissions: { default: { read: true } } })); } catch { /* refused */ }
return 1;
//// run
const name = "poisoned";
return "ESCAPED: " + (await import(name)).default;

//// poisoned-configuration-in-the-run: denied
const files = ["deno.json", "package.json", ".npmrc", "deno.lock", "import_map.json", "node_modules/x/index.js", ".env"];
const written = [];
for (const f of files) try { Deno.writeTextFileSync(f, "{}"); written.push(f); } catch { /* refused */ }
return written.length ? "ESCAPED: " + written : t.denied("none");

//// poisoned-home: denied
//// known: notes, probe 8: the program itself has put the path into the message
const home = Deno.cwd().replace(/cwd$/, "none");
Deno.mkdirSync(home, { recursive: true });
Deno.writeTextFileSync(home + "/.npmrc", "registry=" + t.url);
return "ESCAPED: wrote .npmrc";

//// poisoned-harness: denied
//// known: notes, probe 51: the program itself has put the path into the message
Deno.writeTextFileSync(new URL(Deno.mainModule), "Deno.exit(0)");
return "ESCAPED: wrote the harness";
//// run
return t.denied("the harness is as it was");

//// poisoned-bundle: denied
//// expect: ok "denied: 
// A module's name that meets the ones of the host.
(globalThis as any)[Symbol.for("conductor.targets")] = 1;
return { "./targets": "evil", __proto__: { a: 1 } };
//// run
return "denied: " + typeof t.sleep;

//// randomness-repeats: denied
return [Math.random(), crypto.randomUUID(), URL.createObjectURL(new Blob([]))];
//// run
return [Math.random(), crypto.randomUUID(), URL.createObjectURL(new Blob([]))].some((x, i) => x === t.previous[i]) ? "ESCAPED: the same numbers" : t.denied("others");

//// flags-of-v8-stay: denied
//// expect: ok "denied: 
import v8 from "node:v8";
v8.setFlagsFromString("--allow-natives-syntax");
return 1;
//// run
try { return "ESCAPED: " + (0, eval)("%GetOptimizationStatus(() => 1)"); } catch (e) { return t.denied(e.name); }

//// crashed-run-leaves-storage: denied
//// expect: NotADirectory|^ok "denied: 
localStorage.setItem("a", "left by a crash");
process.abort();
//// run
const a = localStorage.getItem("a");
return a ? "ESCAPED: " + a : t.denied(a);

//// killed-run-leaves-a-worker: denied
const code = `for (;;) try { Deno.writeTextFileSync("${t.missing}", "x") } catch {}`;
new Worker("data:text/javascript," + encodeURIComponent(code), { type: "module" });
await t.sleep(50);
return 1;
//// run
return t.denied("nothing was written");

//// host-call-of-the-run-before: denied
//// expect: ok "denied: 
// An answer that comes late must not reach the next program.
import { call } from "conductor:bridge";
call("hang", { a: 1 }).catch(() => {});
await t.sleep(20);
return 1;
//// run
import { call } from "conductor:bridge";
const seen = [];
for (let i = 0; i < 5; i++) seen.push(await call("echo", i));
return seen.join() === "0,1,2,3,4" ? t.denied(seen) : "ESCAPED: " + seen;

//// sqlite-in-memory-by-name: denied
//// expect: runtime_error|ok "denied: 
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync("file:x?mode=memory&cache=shared");
db.exec("create table a (b); insert into a values ('left')");
return 1;
//// run
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync("file:x?mode=memory&cache=shared");
return "ESCAPED: " + JSON.stringify(db.prepare("select * from a").get());
