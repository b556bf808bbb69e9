// Other processes: starting them, signalling them, changing this one's identity.

//// command: denied, os
const { stdout } = await new Deno.Command("/bin/cat", { args: [t.secretFile] }).output();
return "ESCAPED: " + t.text(stdout);

//// command-sync: denied, os
new Deno.Command("/bin/sh", { args: ["-c", `echo x > '${t.missing}'`] }).outputSync();
return "ESCAPED: ran";

//// command-spawn: denied, os
const child = new Deno.Command("/bin/sh", { args: ["-c", "exit 0"] }).spawn();
return "ESCAPED: " + (await child.status).code;

//// command-of-deno-itself: denied, os
//// known: notes, probe 48: the program itself has put the path into the message
const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", "--no-config", `console.log(Deno.readTextFileSync("${t.secretFile}"))`] }).output();
return "ESCAPED: " + t.text(stdout);

//// command-detached: denied, os
// One that would outlive the group that the host kills.
const child = new Deno.Command("/bin/sh", { args: ["-c", "sleep 1"], detached: true, stdin: "null", stdout: "null", stderr: "null" } as any).spawn();
return "ESCAPED: " + child.pid;

//// spawn-function: denied
//// expect: not a function|Requires
return "ESCAPED: " + (await (Deno as any).spawnAndWait("/bin/true", [])).code;

//// node-spawn: denied, os
import { spawn } from "node:child_process";
return await new Promise((resolve, reject) => spawn("/bin/sh", ["-c", "exit 0"]).on("error", reject).on("exit", (code) => resolve("ESCAPED: " + code)));

//// node-spawn-sync: denied, os
import { spawnSync } from "node:child_process";
const r = spawnSync("/bin/cat", [t.secretFile], { env: {} });
return r.status === 0 ? "ESCAPED: " + r.stdout : t.denied(r.error);

//// node-exec: denied, os
import { exec } from "node:child_process";
return await new Promise((resolve, reject) => exec("exit 0", { env: {} } as any, (e) => e ? reject(e) : resolve("ESCAPED: ran")));

//// node-exec-sync: denied, os
import { execSync } from "node:child_process";
return "ESCAPED: " + execSync(`/bin/cat '${t.secretFile}'`, { env: {}, stdio: "pipe" } as any);

//// node-exec-file-through-the-prototype: denied
// A polluted prototype once gave options to the checks of child_process.
import { execFileSync } from "node:child_process";
const o: any = Object.prototype;
o.env = {}; o.shell = "/bin/sh"; o.permissions = "granted"; o.state = "granted";
try { return "ESCAPED: " + execFileSync("/bin/cat", [t.secretFile]); }
finally { delete o.env; delete o.shell; delete o.permissions; delete o.state; }

//// node-fork: denied
//// expect: Requires|denied: 
import { fork } from "node:child_process";
return await new Promise((resolve, reject) => fork(t.secretCjs, [], { env: {} } as any).on("error", reject).on("exit", (code) => resolve("ESCAPED: " + code)));

//// node-cluster: denied
//// expect: Requires|denied: |not implemented|runtime_error
import cluster from "node:cluster";
const worker = cluster.fork({});
return await new Promise((resolve) => { worker.on("error", (e) => resolve(t.denied(e))); worker.on("online", () => resolve("ESCAPED: online")); });

//// raw-process-handle: denied
//// expect: denied: |No such module|Requires|runtime_error
const { Process } = process.binding("process_wrap");
const handle = new Process();
const status = handle.spawn({ file: "/bin/sh", args: ["/bin/sh", "-c", `echo x > '${t.missing}'`], stdio: [] });
return status === 0 ? "ESCAPED: spawned" : t.denied(status);

//// raw-spawn-sync: denied
//// expect: denied: |No such module|Requires|runtime_error
const { spawn } = process.binding("spawn_sync");
return "ESCAPED: " + JSON.stringify(spawn({ file: "/bin/true", args: ["/bin/true"], stdio: [] }));

//// execve: denied
//// expect: Requires|not a function|runtime_error
process.execve("/bin/cat", ["cat", t.secretFile], {});
return t.denied("it came back");

//// kill-the-parent: denied, os
Deno.kill(t.parent, "SIGUSR2");
return "ESCAPED: the parent got a signal";

//// kill-ppid: denied, os
Deno.kill(Deno.ppid, "SIGUSR1");
return "ESCAPED: the parent got a signal";

//// node-kill-the-parent: denied, os
process.kill(process.ppid, "SIGUSR2");
return "ESCAPED: the parent got a signal";

//// probe-the-parent: denied, os
process.kill(t.parent, 0);
return "ESCAPED: it is alive";

//// kill-the-sibling: denied, os
Deno.kill(t.sibling, "SIGKILL");
await t.sleep(50);
return "ESCAPED: killed";

//// stop-the-sibling: denied, os
process.kill(t.sibling, "SIGSTOP");
await t.sleep(50);
return "ESCAPED: stopped";

//// kill-the-parents-group: denied
process.kill(-t.parent, 0);
return "ESCAPED: the group can be signalled";

//// kill-everything: denied, os
// Signal 0 only asks whether it could: this test also runs without the sandbox.
process.kill(-1, 0);
return "ESCAPED: all can be signalled";

//// kill-own-group: denied
process.kill(0, 0);
return "ESCAPED: the group can be signalled";

//// kill-a-fractional-process: denied
//// expect: Requires|runtime_error
process.kill(t.sibling + 0.5, 0);
return "ESCAPED: signalled";

//// kill-with-a-number-that-wraps: denied
//// expect: Requires|runtime_error
process.kill(t.sibling + 2 ** 32, 0);
return "ESCAPED: signalled";

//// debug-a-process: denied
//// expect: denied: |Requires|not a function|runtime_error
(process as any)._debugProcess(t.sibling);
return t.denied("see the sibling");

//// raw-kill: denied
//// expect: denied: |Requires|not a function|runtime_error
const status = (process as any)._kill(t.sibling, 9);
return t.denied(status);

//// kill-own-process: contained
//// phases: killed runtime_error
Deno.kill(Deno.pid, "SIGTERM");
for (;;) await t.sleep(10);

//// set-user-id: denied
//// expect: Requires
process.setuid(12345);
return "ESCAPED: changed";

//// set-group-id: denied
//// expect: Requires
process.setgid(12345);
return "ESCAPED: changed";

//// set-effective-user-id: denied
//// expect: Requires|not a function
process.seteuid(12345);
return "ESCAPED: changed";

//// set-groups: denied
//// expect: Requires|not a function
process.setgroups([0]);
return "ESCAPED: changed";

//// set-priority: denied
import os from "node:os";
os.setPriority(t.parent, 19);
return "ESCAPED: changed";

//// set-title: harmless
//// why: it is the process's own name
process.title = "conductor";
return process.title;

//// command-with-a-preload: denied
const { code } = await new Deno.Command("/bin/true", { env: { LD_PRELOAD: t.secretFile } }).output();
return "ESCAPED: " + code;

//// fork-bomb: denied
const bomb = () => new Deno.Command("/bin/sh", { args: ["-c", ":"] }).spawn();
for (let i = 0; i < 1000; i++) bomb();
return "ESCAPED: forked";
