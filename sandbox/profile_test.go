package sandbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/sandbox"
)

// attemptIn runs a program that tries one thing and says whether it worked.
func attemptIn(t *testing.T, s *sandbox.Sandbox, profile *sandbox.Profile, try string) string {
	t.Helper()
	p := echoProgram("try {\n" + try + "\nreturn 'yes' } catch (e: any) { return 'no: ' + e.name + ': ' + e.message + ' ' + (e.cause?.message ?? '') }")
	p.Profile = profile
	result := run(t, s, p)
	if result.Phase != sandbox.PhaseOK {
		t.Fatalf("%s: %v", result.Phase, result.Error)
	}
	var value string
	if err := json.Unmarshal(result.Value, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestWorkspace(t *testing.T) {
	leaktest.Check(t)
	parent := t.TempDir()
	ws, sibling := filepath.Join(parent, "ws"), filepath.Join(parent, "ws-evil")
	for _, dir := range []string{ws, sibling} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "a.txt"), []byte("in "+filepath.Base(dir)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, isolation := range []sandbox.Isolation{sandbox.IsolationAuto, sandbox.IsolationOff} {
		t.Run("isolation "+string(isolation), func(t *testing.T) {
			s := newSandbox(t, &sandbox.Options{Isolation: isolation})
			profile := &sandbox.Profile{Workspace: ws}
			for _, test := range []struct{ name, try, want string }{
				{"read", `if (await Deno.readTextFile("a.txt") !== "in ws") throw new Error("other text")`, "yes"},
				{"list", `if ([...Deno.readDirSync(".")].length < 1) throw new Error("nothing")`, "yes"},
				{"write", `await Deno.writeTextFile("b.txt", "b"); await Deno.remove("b.txt")`, "yes"},
				{"folder", `await Deno.mkdir("d"); await Deno.remove("d")`, "yes"},
				{"parent", `await Deno.readTextFile("../ws-evil/a.txt")`, "no: NotCapable"},
				{"sibling", fmt.Sprintf(`await Deno.readTextFile(%q)`, filepath.Join(sibling, "a.txt")), "no: NotCapable"},
				{"outside", `await Deno.writeTextFile("../c.txt", "c")`, "no: NotCapable"},
				{"link out", `await Deno.symlink("/etc", "etc")`, "no: NotCapable"},
				{"passwd", `await Deno.readTextFile("/etc/passwd")`, "no: NotCapable"},
			} {
				if got := attemptIn(t, s, profile, test.try); !strings.HasPrefix(got, test.want) {
					t.Errorf("%s: %s, want %s", test.name, got, test.want)
				}
			}
		})
	}
	t.Run("with links", func(t *testing.T) {
		s := newSandbox(t, nil)
		link := filepath.Join(ws, "link")
		for _, test := range []struct{ target, want string }{
			{"a.txt", ""},
			{"../ws-evil", "leads out of the folder"},
			{"/etc/passwd", "leads out of the folder"},
			{"missing", "leads to what does not exist"},
		} {
			if err := os.Symlink(test.target, link); err != nil {
				t.Fatal(err)
			}
			// Each run checks again: the first one's processes wait with the folder.
			_, err := s.Run(t.Context(), &sandbox.Program{Code: "1", Profile: &sandbox.Profile{Workspace: ws, OpenFiles: 100 + len(test.target)}})
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("link to %s: %v, want %q", test.target, err, test.want)
			}
			if err := os.Remove(link); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("that is none", func(t *testing.T) {
		s := newSandbox(t, nil)
		for path, want := range map[string]string{"relative": "want an absolute path", filepath.Join(ws, "a.txt"): "is not a folder", filepath.Join(parent, "missing"): "no such file"} {
			if _, err := s.Run(t.Context(), &sandbox.Program{Code: "1", Profile: &sandbox.Profile{Workspace: path}}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", path, err, want)
			}
		}
	})
}

// What is granted works, with the layers of the operating system in force, and what
// is beside it does not.
func TestPermissions(t *testing.T) {
	leaktest.Check(t)
	t.Setenv("GRANTED", "visible")
	t.Setenv("SECRET", "hidden")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello") }))
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	address := server.Listener.Addr().(*net.TCPAddr)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSandbox(t, nil)
	fetch := fmt.Sprintf("await (await fetch('http://127.0.0.1:%d/')).text()", address.Port)
	for _, test := range []struct {
		name      string
		grant     sandbox.Permissions
		try, want string
	}{
		{"no network", sandbox.Permissions{}, fetch, "no: NotCapable"},
		{"network", sandbox.Permissions{Net: []string{address.String()}}, fetch, "yes"},
		{"another port", sandbox.Permissions{Net: []string{"127.0.0.1:1"}}, fetch, "no: NotCapable"},
		{"network gives no files", sandbox.Permissions{Net: []string{address.String()}}, "await Deno.readTextFile('/etc/passwd')", "no: NotCapable"},
		{"read", sandbox.Permissions{Read: []string{dir}}, fmt.Sprintf("await Deno.readTextFile(%q)", filepath.Join(dir, "a")), "yes"},
		{"read is not write", sandbox.Permissions{Read: []string{dir}}, fmt.Sprintf("await Deno.writeTextFile(%q, 'b')", filepath.Join(dir, "a")), "no: NotCapable"},
		{"write", sandbox.Permissions{Write: []string{dir}}, fmt.Sprintf("await Deno.writeTextFile(%q, 'b')", filepath.Join(dir, "b")), "yes"},
		{"variable", sandbox.Permissions{Env: []string{"GRANTED"}}, "if (Deno.env.get('GRANTED') !== 'visible') throw new Error('no value')", "yes"},
		{"another variable", sandbox.Permissions{Env: []string{"GRANTED"}}, "Deno.env.get('SECRET')", "no: NotCapable"},
		{"system", sandbox.Permissions{Sys: []string{"hostname"}}, "Deno.hostname()", "yes"},
		{"programs", sandbox.Permissions{Run: []string{"/bin/true"}}, "const { success } = await new Deno.Command('/bin/true', { clearEnv: true }).output(); if (!success) throw new Error('failed')", "yes"},
		{"another program", sandbox.Permissions{Run: []string{"/bin/true"}}, "await new Deno.Command('/bin/sh', { clearEnv: true }).output()", "no: NotCapable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := attemptIn(t, s, &sandbox.Profile{Permissions: test.grant}, test.try); !strings.HasPrefix(got, test.want) {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	t.Run("wrong", func(t *testing.T) {
		_, err := sandbox.New(t.Context(), &sandbox.Options{Profile: sandbox.Profile{Permissions: sandbox.Permissions{Net: []string{"*"}}}})
		if err == nil || !strings.Contains(err.Error(), "Permissions.Net") {
			t.Errorf("New: %v", err)
		}
	})
}

func TestLimits(t *testing.T) {
	leaktest.Check(t)
	ws := t.TempDir()
	s := newSandbox(t, &sandbox.Options{Profile: sandbox.Profile{Workspace: ws, FileMB: 1, OpenFiles: 64, MemoryMB: 64}})
	if result := run(t, s, echoProgram("1")); !slices.Contains(result.Layers, "rlimits") {
		t.Skipf("no resource limits here: %q", result.Layers)
	}
	for _, test := range []struct {
		name, code string
		phases     []sandbox.Phase
	}{
		{"file size", "for (let i = 0; i < 3; i++) Deno.writeFileSync('big', new Uint8Array(1 << 20), { append: true })", []sandbox.Phase{sandbox.PhaseKilled, sandbox.PhaseRuntimeError}},
		{"open files", "const open = []; for (let i = 0; i < 200; i++) open.push(Deno.openSync('f' + i, { create: true, write: true }))", []sandbox.Phase{sandbox.PhaseRuntimeError}},
		{"wasm memory", "const m = new WebAssembly.Memory({ initial: 1 });\nfor (;;) new Uint8Array(m.buffer).fill(1), m.grow(256)", []sandbox.Phase{sandbox.PhaseMemory}},
		{"workers", "for (let i = 0; i < 300; i++) new Worker('data:text/javascript,setInterval(() => {}, 1e6)', { type: 'module' });\nawait new Promise((r) => setTimeout(r, 20_000))", []sandbox.Phase{sandbox.PhaseMemory, sandbox.PhaseKilled, sandbox.PhaseRuntimeError}},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := run(t, s, echoProgram(test.code))
			if !slices.Contains(test.phases, result.Phase) {
				t.Errorf("%s: %v, want %v", result.Phase, result.Error, test.phases)
			}
			t.Logf("%s: %v", result.Phase, result.Error)
		})
	}
}

// Runs of one profile share a pool, and a sandbox does not keep pools without end.
func TestProfiles(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{PoolSize: 1})
	small := sandbox.Profile{MemoryMB: 64}
	for range 2 {
		p := echoProgram("1")
		p.Profile = &small
		run(t, s, p)
		eventually(t, "a waiting process", func() bool { return s.Pool().Waiting == 1 })
	}
	if stats := s.Pool(); stats.Warm != 1 || stats.Cold != 1 {
		t.Errorf("two runs of one profile: %+v", stats)
	}
	for i := range 20 {
		p := echoProgram("1")
		p.Profile = &sandbox.Profile{MemoryMB: 64 + i}
		run(t, s, p)
	}
	eventually(t, "the end of old pools", func() bool { stats := s.Pool(); return stats.Waiting+stats.Booting <= 16 })
	p := echoProgram("1")
	p.Profile = &sandbox.Profile{FileMB: -1}
	if _, err := s.Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "Profile.FileMB is -1") {
		t.Errorf("a wrong profile: %v", err)
	}
}

func TestIsolation(t *testing.T) {
	offered, missing := sandbox.Layers()
	t.Logf("offered %q, missing %v", offered, missing)
	t.Run("auto", func(t *testing.T) {
		s := newSandbox(t, nil)
		result := run(t, s, echoProgram("1"))
		for _, l := range offered {
			if _, isMissing := missing[l]; !isMissing && l != "netns" && !slices.Contains(result.Layers, l) {
				t.Errorf("%s is offered, and not in force: %q", l, result.Layers)
			}
		}
	})
	t.Run("off", func(t *testing.T) {
		s := newSandbox(t, &sandbox.Options{Isolation: sandbox.IsolationOff})
		if result := run(t, s, echoProgram("1")); slices.Contains(result.Layers, "landlock") || slices.Contains(result.Layers, "seccomp") {
			t.Errorf("in force: %q", result.Layers)
		}
	})
	t.Run("require", func(t *testing.T) {
		s, err := sandbox.New(t.Context(), &sandbox.Options{Isolation: sandbox.IsolationRequire})
		if errors.Is(err, sandbox.ErrIsolation) {
			for layer := range missing {
				if strings.Contains(err.Error(), layer+": ") {
					return // it failed closed, for a reason
				}
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("unknown", func(t *testing.T) {
		if _, err := sandbox.New(t.Context(), &sandbox.Options{Isolation: "maximal"}); err == nil || !strings.Contains(err.Error(), `Options.Isolation is "maximal"`) {
			t.Errorf("New: %v", err)
		}
	})
}

// While the host waits for a person, the program's time stands still.
func TestPauseClock(t *testing.T) {
	s := newSandbox(t, nil)
	p := echoProgram("import { say } from './mcp/echo';\nreturn await say({ text: 'approved' })")
	p.Timeout = 300 * time.Millisecond
	p.Call = func(ctx context.Context, c sandbox.Call) (json.RawMessage, error) {
		resume := sandbox.PauseClock(ctx)
		defer resume()
		time.Sleep(time.Second)
		return c.Args, nil
	}
	result := run(t, s, p)
	if result.Phase != sandbox.PhaseOK || result.Duration > 300*time.Millisecond {
		t.Errorf("%s after %v: %v", result.Phase, result.Duration, result.Error)
	}
	bounded := newSandbox(t, &sandbox.Options{WallTimeout: 200 * time.Millisecond})
	result = run(t, bounded, p)
	if result.Phase != sandbox.PhaseTimeout || !strings.Contains(result.Error.Message, "stopped after 200ms") {
		t.Errorf("over the ceiling: %s %v", result.Phase, result.Error)
	}
}

func TestWholeValue(t *testing.T) {
	s := newSandbox(t, &sandbox.Options{MaxValue: 100})
	result := run(t, s, echoProgram("'x'.repeat(5000)"))
	if len(result.Value) > 400 || len(result.Whole) != 5002 {
		t.Errorf("%d bytes stand for %d: %s", len(result.Value), len(result.Whole), result.Value)
	}
	if result := run(t, s, echoProgram("1")); result.Whole != nil {
		t.Errorf("a small value has a whole: %s", result.Whole)
	}
	if result := run(t, s, echoProgram("'x'.repeat(20 << 20)")); result.Whole != nil || !strings.Contains(string(result.Value), `"bytes":20971522`) {
		t.Errorf("a huge value: %d bytes, %s", len(result.Whole), result.Value)
	}
}

// No process waits for a profile that does without.
func TestProfilePoolSize(t *testing.T) {
	leaktest.Check(t)
	s := newSandbox(t, &sandbox.Options{PoolSize: 1})
	for range 3 {
		result, err := s.Run(t.Context(), &sandbox.Program{Code: "return 1", Profile: &sandbox.Profile{PoolSize: -1}})
		if err != nil || string(result.Value) != "1" {
			t.Fatal(result, err)
		}
	}
	if stats := s.Pool(); stats.Waiting+stats.Booting != 0 || stats.Cold != 3 {
		t.Errorf("%+v", stats)
	}
}
