// Storage that needs no permission, and databases. What runs find of each other
// is in cross-run.ts.

//// local-storage: denied
//// expect: NotADirectory
// It would be a file, and there is no folder for it.
localStorage.setItem("a", "1");
return "ESCAPED: " + localStorage.getItem("a");

//// session-storage: harmless
//// why: it is in memory
sessionStorage.setItem("a", "1");
return sessionStorage.getItem("a");

//// local-storage-fills-the-disk: denied
//// expect: NotADirectory
for (let i = 0; i < 40; i++) localStorage.setItem("k" + i, "x".repeat(1 << 20));
return "ESCAPED: no quota";

//// caches: harmless
//// why: it is a folder in the run's own folder, which is removed
//// known: notes, probe 8: a failure names the run's own folder, beside the working folder
//// phases: ok runtime_error
const cache = await caches.open("a");
await cache.put("http://a.example/", new Response("b"));
return "stored";

//// cache-name-with-dots: denied
//// known: notes, probe 8: a failure names the run's own folder, beside the working folder
//// expect: ^ok "denied: |runtime_error
const cache = await caches.open("../../../../../../.." + t.dir + "/cache");
await cache.put("http://a.example/../../x", new Response("b"));
return t.denied("the name is not a path");

//// key-value-store: denied
//// expect: openKv is not a function|Requires
const kv = await Deno.openKv();
return "ESCAPED: " + kv;

//// key-value-store-at-a-path: denied
//// expect: openKv is not a function|Requires
const kv = await Deno.openKv(t.missing);
await kv.set(["a"], 1);
return "ESCAPED: " + kv;

//// indexed-db: denied
//// expect: ^ok "denied: 
return typeof indexedDB === "undefined" ? t.denied("absent") : "ESCAPED: " + indexedDB;

//// origin-private-files: denied
//// expect: ^ok "denied: |runtime_error
const root = await navigator.storage?.getDirectory?.();
return root ? "ESCAPED: " + root : t.denied("absent");

//// sqlite-file: denied, os
import { DatabaseSync } from "node:sqlite";
new DatabaseSync(t.missing).exec("create table a (b)");
return "ESCAPED: created";

//// sqlite-file-as-a-uri: denied
//// expect: runtime_error
import { DatabaseSync } from "node:sqlite";
new DatabaseSync("file:" + t.missing + "?mode=rwc").exec("create table a (b)");
return "ESCAPED: created";

//// sqlite-attach: denied
//// expect: too many attached|Requires|not authorized
import { DatabaseSync } from "node:sqlite";
new DatabaseSync(":memory:").exec(`attach '${t.missing}' as a; create table a.b (c)`);
return "ESCAPED: created";

//// sqlite-attach-with-raised-limit: denied
//// expect: runtime_error|too many attached|Requires
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync(":memory:", { limits: { attach: 10 } } as any);
db.limits.attach = 10;
db.exec(`attach '${t.missing}' as a; create table a.b (c)`);
return "ESCAPED: created";

//// sqlite-vacuum-into: denied
//// expect: too many attached|Requires|not authorized
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync(":memory:");
db.exec("create table a (b)");
db.exec(`vacuum into '${t.missing}'`);
return "ESCAPED: created";

//// sqlite-backup: denied
import { DatabaseSync, backup } from "node:sqlite";
const db = new DatabaseSync(":memory:");
db.exec("create table a (b)");
await backup(db, t.missing);
return "ESCAPED: created";

//// sqlite-load-extension: denied
//// expect: Requires ffi|not authorized|not allowed
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync(":memory:", { allowExtension: true });
db.loadExtension(t.secretFile);
return "ESCAPED: loaded";

//// sqlite-load-extension-in-sql: denied
//// expect: runtime_error
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync(":memory:");
return "ESCAPED: " + db.prepare(`select load_extension('${t.secretFile}')`).get();

//// sqlite-readfile: denied
//// expect: no such function
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync(":memory:");
return "ESCAPED: " + t.text(Object.values(db.prepare(`select readfile('${t.secretFile}')`).get())[0]);

//// sqlite-temporary-folder: denied, os
//// needs: landlock
//// expect: ^ok "denied: |runtime_error
// Temporary tables that spill could be written to a folder of the program's choice.
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync(":memory:");
db.exec(`pragma temp_store_directory = '${t.dir}'; pragma temp_store = 1; pragma cache_size = 1; pragma cache_spill = 1`);
db.exec("create temp table a as with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) select i, hex(randomblob(100)) as b from n order by b");
return t.denied("left nothing");

//// sqlite-writable-schema: denied
//// expect: runtime_error|^ok "denied: 
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync(":memory:");
db.exec("pragma writable_schema = on; create table a (b)");
db.exec(`update sqlite_schema set sql = 'create virtual table a using csv(filename=${t.secretFile})', type = 'table' where name = 'a'`);
db.exec("pragma writable_schema = reset");
const rows = db.prepare("select * from a").all();
return rows.length ? "ESCAPED: " + JSON.stringify(rows) : t.denied("no rows");

//// sqlite-damaged-image: contained
//// phases: runtime_error ok killed
// A database made of noise, for the parser in native code.
import { DatabaseSync } from "node:sqlite";
const db = new DatabaseSync(":memory:");
db.exec("create table a (b); insert into a values (randomblob(5000)); create index i on a (b)");
const image = (db as any).serialize();
for (let i = 100; i < image.length; i += 7) image[i] ^= i;
(db as any).deserialize(image);
try { db.prepare("select * from a order by b").all(); db.exec("reindex; vacuum"); } catch (e) { return String(e).slice(0, 60); }
return "survived";
