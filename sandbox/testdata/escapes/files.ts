// Files of the host, through every door that Deno and its Node layer have.
// {{name}} and t.name are the canaries of this attempt; see README.md.

//// read-text-file: denied, os
return "ESCAPED: " + await Deno.readTextFile(t.secretFile);

//// read-text-file-sync: denied, os
return "ESCAPED: " + Deno.readTextFileSync(t.secretFile);

//// read-file-bytes: denied, os
return "ESCAPED: " + t.text(await Deno.readFile(t.secretFile));

//// open-and-read: denied, os
const file = await Deno.open(t.secretFile);
const buffer = new Uint8Array(100);
const n = await file.read(buffer);
return "ESCAPED: " + t.text(buffer.subarray(0, n ?? 0));

//// read-through-a-url: denied, os
return "ESCAPED: " + await Deno.readTextFile(new URL("file://" + t.secretFile));

//// read-with-an-encoded-url: denied, os
return "ESCAPED: " + await Deno.readTextFile(new URL("file://" + t.secretFile.replaceAll("e", "%65")));

//// read-with-dots: denied, os
return "ESCAPED: " + await Deno.readTextFile(Deno.cwd() + "/../../../../../../../../../.." + t.secretFile);

//// read-with-relative-dots: denied, os
return "ESCAPED: " + await Deno.readTextFile("../../../../../../../../../.." + t.secretFile);

//// read-with-doubled-slashes: denied, os
return "ESCAPED: " + await Deno.readTextFile("/" + t.secretFile.replaceAll("/", "//./"));

//// read-with-a-nul-byte: denied
//// expect: runtime_error .*(?:nul|NUL|null|Requires)
return "ESCAPED: " + await Deno.readTextFile("/dev/null\0/../.." + t.secretFile);

//// read-with-a-path-that-changes: denied
// The check and the use could each ask the object for its text.
let asked = 0;
class Fickle extends URL {
  get href() { return asked++ === 0 ? "file:///nonexistent" : "file://" + t.secretFile; }
  get pathname() { return asked++ === 0 ? "/nonexistent" : t.secretFile; }
  toString() { return this.href; }
}
return "ESCAPED: " + await Deno.readTextFile(new Fickle("file:///nonexistent"));

//// write-text-file: denied, os
await Deno.writeTextFile(t.missing, "written");
return "ESCAPED: written";

//// write-bytes-sync: denied, os
Deno.writeFileSync(t.missing, new Uint8Array([1]));
return "ESCAPED: written";

//// create: denied, os
(await Deno.create(t.missing)).close();
return "ESCAPED: created";

//// append: denied, os
await Deno.writeTextFile(t.secretFile, "more", { append: true });
return "ESCAPED: appended";

//// write-stream: denied, os
const file = await Deno.open(t.missing, { write: true, create: true });
await new Blob(["x"]).stream().pipeTo(file.writable);
return "ESCAPED: streamed";

//// write-relative: denied
await Deno.writeTextFile("here.txt", "x");
return "ESCAPED: wrote into the working folder";

//// stat: denied
return "ESCAPED: size " + (await Deno.stat(t.secretFile)).size;

//// lstat: denied
return "ESCAPED: size " + Deno.lstatSync(t.secretFile).size;

//// stat-tells-whether-it-exists: denied
const kinds = [];
for (const path of [t.secretFile, t.missing]) {
  try { await Deno.stat(path); kinds.push("there"); } catch (e) { kinds.push(e.name); }
}
return kinds[0] === kinds[1] ? t.denied(kinds) : "ESCAPED: " + kinds;

//// real-path: denied
return "ESCAPED: " + await Deno.realPath(t.dir + "/empty/../secret.txt");

//// read-dir: denied, os
const names = [];
for await (const entry of Deno.readDir(t.dir)) names.push(entry.name);
return "ESCAPED: " + names;

//// read-root-dir: denied, os
return "ESCAPED: " + [...Deno.readDirSync("/")].map((e) => e.name);

//// change-dir-and-read: denied, os
Deno.chdir(t.dir);
return "ESCAPED: " + await Deno.readTextFile("secret.txt");

//// process-chdir-and-read: denied, os
import process from "node:process";
import fs from "node:fs";
process.chdir(t.dir);
return "ESCAPED: " + fs.readFileSync("secret.txt", "utf8");

//// symlink: denied, os
await Deno.symlink(t.secretFile, t.missing);
return "ESCAPED: linked";

//// symlink-into-own-folder: denied
//// known: notes, probe 8: the message names the working folder
await Deno.symlink(t.secretFile, "link");
return "ESCAPED: linked " + await Deno.readTextFile("link");

//// hard-link: denied, os
await Deno.link(t.secretFile, t.missing);
return "ESCAPED: linked";

//// read-link: denied, os
return "ESCAPED: " + await Deno.readLink("/proc/self/exe");

//// rename: denied, os
await Deno.rename(t.secretFile, t.missing);
return "ESCAPED: renamed";

//// remove: denied, os
await Deno.remove(t.secretFile);
return "ESCAPED: removed";

//// remove-recursively: denied, os
await Deno.remove(t.dir, { recursive: true });
return "ESCAPED: removed";

//// truncate: denied, os
await Deno.truncate(t.secretFile, 0);
return "ESCAPED: truncated";

//// change-mode: denied
await Deno.chmod(t.secretFile, 0o666);
return "ESCAPED: mode changed";

//// change-times: denied
await Deno.utime(t.secretFile, 0, 0);
return "ESCAPED: times changed";

//// change-owner: denied
await Deno.chown(t.secretFile, 12345, 12345);
return "ESCAPED: owner changed";

//// copy-out: denied, os
await Deno.copyFile(t.secretFile, t.missing);
return "ESCAPED: copied";

//// copy-in: denied, os
await Deno.copyFile(t.secretFile, "copy.txt");
return "ESCAPED: " + await Deno.readTextFile("copy.txt");

//// make-dir: denied, os
await Deno.mkdir(t.dir + "/new");
return "ESCAPED: made";

//// make-temp-file: denied, os
return "ESCAPED: " + await Deno.makeTempFile({ dir: t.dir });

//// make-temp-dir-in-the-default-place: denied
//// known: notes, probe 8: the message names the working folder
return "ESCAPED: " + await Deno.makeTempDir();

//// watch: denied
Deno.watchFs(t.dir);
return "ESCAPED: watching";

//// umask: denied
return "ESCAPED: " + Deno.umask(0);

//// fetch-a-file-url: denied, os
return "ESCAPED: " + await (await fetch("file://" + t.secretFile)).text();

//// compile-a-file-as-webassembly: denied, os
const response = await fetch("file://" + t.secretFile);
return "ESCAPED: " + await WebAssembly.compileStreaming(response).catch((e) => "read: " + e.message);

//// overwrite-the-harness: denied
//// expect: runtime_error
// The harness is no file that could be written to.
const path = new URL(Deno.mainModule).pathname;
await Deno.writeTextFile(path, "\n", { append: true });
return "ESCAPED: the next program meets another harness";

//// node-read-file: denied, os
import fs from "node:fs/promises";
return "ESCAPED: " + await fs.readFile(t.secretFile, "utf8");

//// node-read-file-sync: denied, os
import fs from "node:fs";
return "ESCAPED: " + fs.readFileSync(t.secretFile, "utf8");

//// node-read-file-callback: denied, os
import fs from "node:fs";
return await new Promise((resolve, reject) => fs.readFile(t.secretFile, "utf8", (e, text) => e ? reject(e) : resolve("ESCAPED: " + text)));

//// node-read-stream: denied, os
import fs from "node:fs";
let all = "";
for await (const part of fs.createReadStream(t.secretFile)) all += part;
return "ESCAPED: " + all;

//// node-open-and-read: denied, os
import fs from "node:fs";
const fd = fs.openSync(t.secretFile, "r");
const buffer = Buffer.alloc(100);
fs.readSync(fd, buffer);
return "ESCAPED: " + buffer;

//// node-path-as-a-buffer: denied, os
import fs from "node:fs";
return "ESCAPED: " + fs.readFileSync(Buffer.from(t.secretFile), "utf8");

//// node-exists: denied
import fs from "node:fs";
return fs.existsSync(t.secretFile) ? "ESCAPED: it exists" : "denied: it does not, they say";

//// node-access: denied
import fs from "node:fs";
fs.accessSync(t.secretFile);
return "ESCAPED: it exists";

//// node-opendir: denied, os
import fs from "node:fs";
return "ESCAPED: " + fs.opendirSync(t.dir).readSync()?.name;

//// node-readdir-recursive: denied, os
import fs from "node:fs";
return "ESCAPED: " + fs.readdirSync(t.dir, { recursive: true });

//// node-glob: denied, os
import fs from "node:fs";
const found = fs.globSync("*.json", { cwd: t.dir });
return found.length ? "ESCAPED: " + found : "denied: nothing is found";

//// node-write-stream: denied, os
import fs from "node:fs";
return await new Promise((resolve, reject) => fs.createWriteStream(t.missing).on("error", reject).on("finish", () => resolve("ESCAPED: written")).end("x"));

//// node-copy: denied, os
import fs from "node:fs";
fs.cpSync(t.dir, "copy", { recursive: true });
return "ESCAPED: " + fs.readFileSync("copy/secret.txt", "utf8");

//// node-symlink: denied, os
import fs from "node:fs";
fs.symlinkSync(t.secretFile, t.missing);
return "ESCAPED: linked";

//// node-mkdtemp: denied, os
import fs from "node:fs";
return "ESCAPED: " + fs.mkdtempSync(t.dir + "/x");

//// node-truncate: denied, os
import fs from "node:fs";
fs.truncateSync(t.secretFile, 1);
return "ESCAPED: truncated";

//// node-statfs: denied
import fs from "node:fs";
return "ESCAPED: " + fs.statfsSync("/").blocks;

//// node-watch: denied
import fs from "node:fs";
const watcher = fs.watch(t.dir);
return await new Promise((resolve, reject) => { watcher.on("error", reject); setTimeout(() => resolve("ESCAPED: watching"), 200); });

//// node-open-as-blob: denied, os
import fs from "node:fs";
return "ESCAPED: " + await (await fs.openAsBlob(t.secretFile)).text();

//// node-file-descriptors: denied
// Descriptors that Deno itself has open, or that the host forgot to close.
import fs from "node:fs";
const open = [];
for (let fd = 3; fd < 256; fd++) {
  try { fs.fstatSync(fd); open.push(fd); } catch { /* not open */ }
  try { fs.readSync(fd, new Uint8Array(1)); open.push(fd); } catch { /* not open */ }
  try { fs.writeSync(fd, "x"); open.push(fd); } catch { /* not open */ }
}
return open.length ? "ESCAPED: " + open : "denied: none is open";

//// descriptors-of-deno-itself: harmless
//// why: the handles of the Node layer do take raw descriptors; these are Deno's own (epoll, eventfd, pipes), in a process that is the program's
//// phases: ok runtime_error killed timeout
//// timeout: 2s
const { Pipe } = process.binding("pipe_wrap");
const open = [];
for (let fd = 3; fd < 64; fd++) {
  if (fd === t.inherited) continue;
  try { const pipe = new Pipe(0); if (pipe.open(fd) === 0) open.push(fd); } catch { /* refused */ }
}
return open.length;

//// inherited-descriptor: denied
//// expect: denied: |EBADF|ENOTSUP|EINVAL|Requires|runtime_error
// A descriptor of the host that is not close-on-exec, such as a socket that systemd
// passes. The handles of the Node layer open it by its number.
import net from "node:net";
const socket = new net.Socket({ fd: t.inherited, readable: false, writable: true });
return await new Promise((resolve, reject) => { socket.on("error", reject); socket.write(t.tag, (e) => e ? reject(e) : resolve(t.denied("see the pipe"))); });

//// inherited-descriptor-through-a-raw-handle: denied
//// expect: denied: |EBADF|ENOTSUP|EINVAL|Requires|runtime_error
const { Pipe } = process.binding("pipe_wrap");
const { WriteWrap } = process.binding("stream_wrap");
const pipe = new Pipe(0);
const opened = pipe.open(t.inherited);
const written = pipe.writeBuffer(new WriteWrap(), t.bytes(t.tag));
await t.sleep(50);
return t.denied([opened, written]);

//// inherited-descriptor-through-a-file: denied
import fs from "node:fs";
try { fs.writeSync(t.inherited, t.tag); } catch (e) { return t.denied(e.message); }
return "ESCAPED: written";

//// raw-pipe-binds-a-path: denied, os
const { Pipe, constants } = process.binding("pipe_wrap");
const pipe = new Pipe(constants?.SERVER ?? 1);
const bound = pipe.bind(t.missing), listening = bound === 0 ? pipe.listen(1) : bound;
await t.sleep(20);
return bound === 0 && listening === 0 ? "ESCAPED: bound" : t.denied([bound, listening]);

//// dev-stdin: denied
return "ESCAPED: " + (await Deno.open("/dev/stdin")).isTerminal();

//// dev-fd: denied
return "ESCAPED: " + (await Deno.open("/dev/fd/0")).isTerminal();

//// dev-tty: denied
return "ESCAPED: " + (await Deno.open("/dev/tty", { write: true })).isTerminal();

//// dev-null: denied
return "ESCAPED: " + (await Deno.open("/dev/null")).isTerminal();

//// dev-shm: denied, os
const path = "/dev/shm/" + crypto.randomUUID();
await Deno.writeTextFile(path, "x");
await Deno.remove(path);
return "ESCAPED: wrote to shared memory";

//// proc-self-environ: denied, os
return "ESCAPED: " + await Deno.readTextFile("/proc/self/environ");

//// proc-self-maps: denied
return "ESCAPED: " + (await Deno.readTextFile("/proc/self/maps")).slice(0, 100);

//// proc-self-root: denied, os
return "ESCAPED: " + await Deno.readTextFile("/proc/self/root" + t.secretFile);

//// proc-self-cwd: denied, os
return "ESCAPED: " + await Deno.readTextFile("/proc/self/cwd/../../../../../../../../.." + t.secretFile);

//// proc-self-fd: denied
return "ESCAPED: " + [...Deno.readDirSync("/proc/self/fd")].map((e) => e.name);

//// proc-self-mem: denied
return "ESCAPED: " + (await Deno.open("/proc/self/mem", { read: true, write: true })).isTerminal();

//// proc-self-oom-score: denied
await Deno.writeTextFile("/proc/self/oom_score_adj", "0");
return "ESCAPED: written";

//// proc-thread-self: denied, os
return "ESCAPED: " + await Deno.readTextFile("/proc/thread-self/root" + t.secretFile);

//// proc-list: denied, os
// A list of the host's processes, beyond the program's own.
const others = [...Deno.readDirSync("/proc")].map((e) => e.name).filter((n) => /^\d+$/.test(n) && n !== String(Deno.pid));
return others.length ? "ESCAPED: " + others.length : "denied: there is no other";

//// proc-parent-environ: denied, os
return "ESCAPED: " + (await Deno.readTextFile(`/proc/${t.parent}/environ`)).length;

//// proc-parent-cmdline: denied, os
return "ESCAPED: " + await Deno.readTextFile(`/proc/${Deno.ppid || t.parent}/cmdline`);

//// proc-parent-descriptors: denied, os
return "ESCAPED: " + [...Deno.readDirSync(`/proc/${t.parent}/fd`)].map((e) => e.name);

//// proc-parent-root: denied, os
return "ESCAPED: " + await Deno.readTextFile(`/proc/${t.parent}/root${t.secretFile}`);

//// proc-sibling-environ: denied, os
return "ESCAPED: " + await Deno.readTextFile(`/proc/${t.sibling}/environ`);

//// proc-mounts: denied
return "ESCAPED: " + await Deno.readTextFile("/proc/self/mountinfo");

//// passwords: denied, os
return "ESCAPED: " + (await Deno.readTextFile("/etc/passwd")).slice(0, 20);

//// lock-a-file: denied, os
const file = await Deno.open(t.secretFile, { read: true });
await file.lock(true);
return "ESCAPED: locked";

//// construct-a-file: denied
//// expect: runtime_error .*(?:not a constructor|Illegal|NotCapable|not instantiable|cannot be constructed)
// The class of files, without the function that checks.
const file = Reflect.construct(Deno.FsFile, [3, Symbol()]);
return "ESCAPED: " + file.statSync().size;

//// glob-of-the-shell: denied
return "ESCAPED: " + await Deno.readTextFile("~/.ssh/id_rsa");
