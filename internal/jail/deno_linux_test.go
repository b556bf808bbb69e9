//go:build linux && (amd64 || arm64)

package jail_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/conductor/conductor/internal/jail"
	"github.com/conductor/conductor/sandbox"
)

// findDeno returns the path of Deno, or "" where there is none and that is allowed.
func findDeno(t testing.TB) string {
	t.Helper()
	deno, err := sandbox.FindDeno(t.Context(), nil)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		return ""
	}
	return deno.Path
}

// denoCommand is a Deno with every permission that runs the program in a folder of
// its own, which is the only one that the policy lets it write.
func denoCommand(t testing.TB, program string) (cmd *exec.Cmd, policy jail.Policy, dir string) {
	t.Helper()
	deno := findDeno(t)
	if deno == "" {
		t.Skip("there is no Deno")
	}
	dir = t.TempDir()
	must(t, os.WriteFile(dir+"/program.js", []byte(program), 0o644))
	policy, err := jail.Runtime(deno)
	must(t, err)
	policy.Write = append(policy.Write, dir)
	cmd = exec.Command(deno, "run", "-A", "--unstable-net", "--quiet", "--no-prompt", "--no-remote", "--no-npm", "--no-config",
		"--no-lock", "--v8-flags=--max-old-space-size=128", dir+"/program.js")
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir + "/none", "DENO_DIR=" + dir + "/deno", "DENO_NO_UPDATE_CHECK=1", "NO_COLOR=1", "TZ=UTC"}
	cmd.Stderr = os.Stderr
	return cmd, policy, dir
}

// denoAttempts must all work for a free Deno and all fail for one in the jail. They
// get the world as w.
var denoAttempts = map[string]string{
	"read /etc/passwd":         `Deno.readTextFileSync("/etc/passwd")`,
	"import /etc/passwd":       `await import("file:///etc/passwd", {with: {type: "text"}})`,
	"list /":                   `[...Deno.readDirSync("/")]`,
	"list /proc":               `[...Deno.readDirSync("/proc")]`,
	"list outside":             `[...Deno.readDirSync(w.Outside)]`,
	"own environment":          `Deno.readTextFileSync("/proc/self/environ")`,
	"read outside":             `Deno.readTextFileSync(w.Outside + "/file")`,
	"write outside":            `Deno.writeTextFileSync(w.Outside + "/new", "x")`,
	"through a link":           `Deno.symlinkSync(w.Outside, "link"), Deno.readTextFileSync("link/file")`,
	"the same beginning":       `Deno.readTextFileSync(w.Sibling + "/file")`,
	"change a mode":            `Deno.chmodSync(w.Outside + "/file", 0o600)`,
	"watch":                    `Deno.watchFs(w.Outside).close()`,
	"TCP":                      `(await Deno.connect({hostname: "127.0.0.1", port: w.TCP})).close()`,
	"fetch":                    `await fetch("http://127.0.0.1:" + w.TCP).catch((e) => { if (!/closed|reset|complete/i.test(e.message + e.cause)) throw e; })`,
	"listen":                   `Deno.listen({hostname: "127.0.0.1", port: 0}).close()`,
	"Unix socket":              `(await Deno.connect({transport: "unix", path: w.Unix})).close()`,
	"UDP":                      `await Deno.listenDatagram({transport: "udp", hostname: "127.0.0.1", port: 0}).send(new Uint8Array(1), {transport: "udp", hostname: "127.0.0.1", port: w.UDP})`,
	"DNS":                      `await Deno.resolveDns("a.test", "A", {nameServer: {ipAddr: "127.0.0.1", port: w.DNS}}).catch((e) => { if (!(e instanceof Deno.errors.NotFound)) throw e; })`,
	"start a program":          `await new Deno.Command(w.Program).output()`,
	"start itself":             `await new Deno.Command(Deno.execPath(), {args: ["--version"], stdout: "null"}).output()`,
	"start by node":            `(await import("node:child_process")).execFileSync(w.Program)`,
	"signal 0 to the parent":   `process.kill(Deno.ppid, 0)`,
	"SIGTERM to the parent":    `Deno.kill(Deno.ppid, "SIGTERM")`,
	"SIGTERM to another":       `Deno.kill(w.Other, "SIGTERM")`,
	"trace by a foreign call":  `trace()`,
	"socket by a foreign call": `socket()`,
}

// denoWork must work in the jail.
var denoWork = map[string]string{
	"compute":     `if (2n ** 64n !== 18446744073709551616n) throw "wrong"`,
	"timer":       `await new Promise((r) => setTimeout(r, 5))`,
	"worker":      `await work("postMessage(6 * 7)")`,
	"WebAssembly": `await WebAssembly.instantiate(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]))`,
	"random":      `crypto.randomUUID()`,
	"crypto":      `await crypto.subtle.digest("SHA-256", new Uint8Array(9))`,
	"time zone":   `if (!new Intl.DateTimeFormat("de", {timeZone: "Asia/Tokyo", timeZoneName: "long"}).format(0).includes("Jap")) throw "wrong"`,
	"data module": `await import("data:application/javascript,export default 1")`,
	"write":       `Deno.writeTextFileSync("a", "text")`,
	"copy":        `Deno.writeTextFileSync("b", "text"), Deno.copyFileSync("b", "b2"), Deno.readTextFileSync("b2")`,
	"folders":     `Deno.mkdirSync("d/e", {recursive: true}), Deno.renameSync("d/e", "f"), Deno.removeSync("f"), [...Deno.readDirSync(".")]`,
	"temporary":   `Deno.makeTempFileSync({dir: "."})`,
	"storage":     `localStorage.setItem("a", "b")`,
	"processors":  `if (!(navigator.hardwareConcurrency > 0)) throw "none"`,
}

func script(parts map[string]string) string {
	var b strings.Builder
	b.WriteString(`
const w = JSON.parse(Deno.env.get("JAIL_TEST_WORLD") ?? "{}");
const library = (calls) => Deno.dlopen("libc.so.6", calls).symbols;
const trace = () => {
  const {ptrace} = library({ptrace: {parameters: ["i64", "i64", "i64", "i64"], result: "i64"}});
  if (ptrace(0x4206n, BigInt(w.Other), 0n, 0n) !== 0n) throw "refused"; // PTRACE_SEIZE
};
const socket = () => {
  const f = library({socket: {parameters: ["i32", "i32", "i32"], result: "i32"}});
  if (f.socket(2, 2, 0) < 0) throw "refused";
};
const work = (code) => new Promise((done, fail) => {
  const worker = new Worker(URL.createObjectURL(new Blob([code], {type: "application/javascript"})), {type: "module"});
  worker.onmessage = (e) => { worker.terminate(); done(e.data); };
  worker.onerror = (e) => { e.preventDefault(); fail(e.message); };
});
const found = {};
const attempt = async (name, f) => { try { await f(); found[name] = ""; } catch (e) { found[name] = String(e); } };
`)
	last := ""
	for name, code := range parts {
		line := fmt.Sprintf("await attempt(%q, async () => { %s });\n", name, code)
		if name == "SIGTERM to another" {
			last = line
			continue
		}
		b.WriteString(line)
	}
	return b.String() + last + "await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(found)));\nDeno.exit(0);\n"
}

func TestDenoAttempts(t *testing.T) {
	need(t, jail.Landlock, jail.Seccomp)
	terminated := make(chan os.Signal, 16)
	signal.Notify(terminated, syscall.SIGTERM)
	defer signal.Stop(terminated)
	program := script(denoAttempts)

	for _, jailed := range []bool{false, true} {
		w := newWorld(t)
		cmd, policy, _ := denoCommand(t, program)
		data, err := json.Marshal(struct {
			world
			DNS int
		}{w, nameServer(t)})
		must(t, err)
		cmd.Env = append(cmd.Env, "JAIL_TEST_WORLD="+string(data))
		found := runDeno(t, cmd, policy, jailed)
		for name := range denoAttempts {
			got, tried := found[name]
			switch {
			case !tried:
				t.Errorf("%s: not tried", name)
			case jailed && got == "":
				t.Errorf("%s: it worked in the jail", name)
			case !jailed && got != "":
				t.Errorf("%s: does not work without a jail, which makes it no test: %s", name, got)
			case jailed:
				t.Logf("%-26s %s", name, got)
			}
		}
		if !jailed {
			<-terminated
		} else if len(terminated) > 0 {
			t.Error("a SIGTERM has arrived")
		}
	}
}

func TestDenoWorks(t *testing.T) {
	program := script(denoWork)
	cmd, policy, _ := denoCommand(t, program)
	found := runDeno(t, cmd, policy, true)
	for name := range denoWork {
		if got, tried := found[name]; !tried || got != "" {
			t.Errorf("%s: tried %v: %s", name, tried, got)
		}
	}
}

// TestDenoGrants: what a policy opens is open, and its neighbours are not.
func TestDenoGrants(t *testing.T) {
	need(t, jail.Landlock, jail.Seccomp)
	w := newWorld(t)
	names := map[string]bool{
		"TCP": true, "UDP": true, "DNS": true, "fetch": true, "listen": true, "Unix socket": false, "read outside": true,
		"write outside": false, "list outside": true, "the same beginning": false, "read /etc/passwd": false,
		"start a program": true, "start itself": true, "SIGTERM to the parent": false, "signal 0 to the parent": false,
		"trace by a foreign call": false, "change a mode": false, "watch": false,
	}
	parts := map[string]string{}
	for name := range names {
		parts[name] = denoAttempts[name]
	}
	program := script(parts)
	cmd, policy, _ := denoCommand(t, program)
	data, err := json.Marshal(struct {
		world
		DNS int
	}{w, nameServer(t)})
	must(t, err)
	cmd.Env = append(cmd.Env, "JAIL_TEST_WORLD="+string(data))
	policy.Network, policy.Processes = true, true
	policy.Read = append(policy.Read, w.Outside)
	program, err = filepath.EvalSymlinks(w.Program)
	must(t, err)
	other, err := jail.Runtime(program)
	must(t, err)
	policy.Exec = append(policy.Exec, other.Exec...)
	found := runDeno(t, cmd, policy, true)
	for name, works := range names {
		if !jail.Probe().SignalScope && strings.Contains(name, "to the parent") {
			continue
		}
		if got, tried := found[name]; !tried || (got == "") != works {
			t.Errorf("%s: tried %v: %q, want it to work: %v", name, tried, got, works)
		}
	}
}

func runDeno(t *testing.T, cmd *exec.Cmd, policy jail.Policy, jailed bool) (found map[string]string) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout = &out
	var err error
	if jailed {
		var p *jail.Process
		if p, err = jail.Start(cmd, policy); err == nil {
			err = p.Wait()
		}
	} else {
		err = cmd.Run()
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	must(t, json.Unmarshal(out.Bytes(), &found))
	return found
}

// nameServer answers every question with "no such name".
func nameServer(t *testing.T) (port int) {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			b[2] |= 0x80         // an answer
			b[3] = b[3]&0xf0 | 3 // NXDOMAIN
			_, _ = conn.WriteTo(b[:n], from)
		}
	}()
	return conn.LocalAddr().(*net.UDPAddr).Port
}
