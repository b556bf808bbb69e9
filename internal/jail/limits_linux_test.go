//go:build linux && (amd64 || arm64)

package jail_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/jail"
)

// limited starts Deno, bounds it once it is idle, lets it run the code, and returns
// what it printed, its peak of resident memory before and after, and how it ended.
func limited(t *testing.T, l jail.Limits, code string) (out string, idleRSS, peakRSS uint64, state *os.ProcessState, dir string) {
	t.Helper()
	need(t, jail.Rlimits, jail.ParentDeath)
	cmd, policy, dir := denoCommand(t, `
console.log("ready");
await Deno.stdin.read(new Uint8Array(1));
const say = (v) => { console.log(JSON.stringify(v)); };
`+code)
	cmd.Stderr = io.Discard
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	p, err := jail.Start(cmd, policy)
	must(t, err)
	defer p.Kill()
	r := bufio.NewReader(stdout)
	line, err := r.ReadString('\n')
	if err != nil || line != "ready\n" {
		t.Fatalf("the program says %q, %v", line, err)
	}
	idleRSS = residentBytes(t, cmd.Process.Pid)
	must(t, p.Limit(l))
	_, err = stdin.Write([]byte("x"))
	must(t, err)
	rest, err := io.ReadAll(r)
	must(t, err)
	_ = p.Wait()
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return string(bytes.TrimSpace(rest)), idleRSS, uint64(usage.Maxrss) << 10, cmd.ProcessState, dir
}

// TestMemory: whatever kind of memory a program takes, it gets no more than the
// limit. A piece that is too large is an error that it can catch; where smaller ones
// use up all there is V8 has nothing left for the error either, and mostly traps.
func TestMemory(t *testing.T) {
	const (
		limit = 128 << 20
		files = 32 << 20 // resident pages of the executable and its libraries, which are not data
	)
	for _, c := range []struct{ name, code, want string }{
		{"too large", `
const caught = [];
for (const f of [() => new ArrayBuffer(200 << 20), () => new SharedArrayBuffer(200 << 20), () => new WebAssembly.Memory({initial: 3200})]) {
  try { f(); caught.push("none"); } catch (e) { caught.push(e.name); }
}
new Uint8Array(64 << 20).fill(1);
say(caught.join(" "));`, `"RangeError RangeError RangeError"`},
		{"ArrayBuffer", `let n = 0; const all = []; for (;;) { all.push(new Uint8Array(1 << 20).fill(1)); }`, ""},
		{"SharedArrayBuffer", `let n = 0; const all = []; for (;;) { all.push(new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1)); }`, ""},
		{"WebAssembly", `const m = new WebAssembly.Memory({initial: 0}); for (let n = 0;; n++) { m.grow(16); new Uint8Array(m.buffer, n << 20).fill(1); }`, ""},
		{"shared WebAssembly", `const m = new WebAssembly.Memory({initial: 0, maximum: 65536, shared: true});
for (let n = 0;; n++) { m.grow(16); new Uint8Array(m.buffer, n << 20).fill(1); }`, ""},
		{"strings", `const all = []; for (let i = 0;; i++) all.push(String(i).repeat(1000) + i);`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, idle, peak, state, _ := limited(t, jail.Limits{DataBytes: limit}, c.code)
			t.Logf("it says %s and ends with %v; resident memory: %d MB idle, %d MB at most", out, state, idle>>20, peak>>20)
			if peak > idle+limit+files {
				t.Errorf("it got %d MB, the limit is %d MB", (peak-idle)>>20, limit>>20)
			}
			if out != c.want || state.Success() != (c.want != "") {
				t.Errorf("it says %s and ends with %v, want %q", out, state, c.want)
			}
		})
	}
}

// TestWorkers: each Worker has a code space of its own, so some hundred megabytes
// are one or two of them, and the third ends the program.
func TestWorkers(t *testing.T) {
	out, _, _, state, _ := limited(t, jail.Limits{DataBytes: 1200 << 20}, `
const url = URL.createObjectURL(new Blob(["postMessage(1)"], {type: "application/javascript"}));
for (let i = 0; i < 300; i++) {
  const w = new Worker(url, {type: "module"});
  await new Promise((r) => { w.onmessage = r; w.onerror = (e) => { e.preventDefault(); r(); }; });
  say(i);
}`)
	t.Logf("it says %q and ends with %v", out, state)
	if !strings.HasPrefix(out, "0") || state.Success() {
		t.Errorf("it says %q and ends with %v, want a Worker and not all of them", out, state)
	}
}

func TestCPU(t *testing.T) {
	for name, code := range map[string]string{
		"default": `for (;;);`,
		"workers": `for (let i = 0; i < 2; i++) new Worker("data:application/javascript,for(;;);", {type: "module"}); await new Promise(() => {});`,
		"trapped": `Deno.addSignalListener("SIGXCPU", () => {}); for (;;);`,
	} {
		t.Run(name, func(t *testing.T) {
			l := jail.Limits{CPU: time.Second}
			_, _, _, state, _ := limited(t, l, code)
			if got := l.Ended(state); got != jail.EndedByCPU {
				t.Errorf("it ended by %q, with %v after %v", got, state, state.UserTime()+state.SystemTime())
			}
		})
	}
}

func TestFileSize(t *testing.T) {
	l := jail.Limits{FileBytes: 1 << 20}
	out, _, _, state, dir := limited(t, l, `try { for (;;) Deno.writeFileSync("big", new Uint8Array(1 << 16), {append: true}); } catch (e) { say(e.message); }`)
	info, err := os.Stat(dir + "/big")
	must(t, err)
	t.Logf("it says %s and ends with %v (%q)", out, state, l.Ended(state))
	if info.Size() != 1<<20 {
		t.Errorf("the file has %d bytes, want %d", info.Size(), 1<<20)
	}
}

func TestOpenFiles(t *testing.T) {
	out, _, _, _, _ := limited(t, jail.Limits{OpenFiles: 64}, `const all = [];
try { for (;;) all.push(Deno.openSync("program.js")); } catch (e) { say(all.length + " " + e.message); }`)
	if !strings.Contains(out, "Too many open files") {
		t.Errorf("it says %s", out)
	}
}

// TestCore: no limit still means no core dump.
func TestCore(t *testing.T) {
	_, _, _, state, _ := limited(t, jail.Limits{}, `process.abort()`)
	if status := state.Sys().(syscall.WaitStatus); !status.Signaled() || status.CoreDump() {
		t.Errorf("it ended with %v", state)
	}
	if got := (jail.Limits{CPU: time.Second, FileBytes: 1}).Ended(state); got != "" {
		t.Errorf("a limit is said to have ended it: %q", got)
	}
}

func residentBytes(t *testing.T, pid int) (bytes uint64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(status), "\nVmRSS:")
	_, err = fmt.Sscan(rest, &bytes)
	must(t, err)
	return bytes << 10
}
