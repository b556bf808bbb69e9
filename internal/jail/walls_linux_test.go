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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/conductor/conductor/internal/jail"
	"github.com/conductor/conductor/internal/leaktest"
)

// newWorld makes folders, listeners and processes for the attempts.
func newWorld(t *testing.T) world {
	t.Helper()
	base := t.TempDir()
	w := world{
		Write: base + "/ws", Read: base + "/read", Outside: base + "/outside", Sibling: base + "/ws-evil",
		Parent: os.Getpid(), Unix: base + "/socket", Abstract: "@" + base,
	}
	for _, dir := range []string{w.Write, w.Read, w.Outside, w.Sibling} {
		must(t, os.Mkdir(dir, 0o755))
		for _, name := range []string{"file", "spare", "move"} {
			must(t, os.WriteFile(dir+"/"+name, []byte("some text"), 0o644))
		}
	}
	must(t, os.Symlink(w.Outside, w.Write+"/there"))
	path, err := exec.LookPath("true")
	must(t, err)
	w.Program = path

	for _, l := range []struct{ network, address string }{{"tcp4", "127.0.0.1:0"}, {"unix", w.Unix}, {"unix", w.Abstract}} {
		listener, err := net.Listen(l.network, l.address)
		must(t, err)
		t.Cleanup(func() { listener.Close() })
		go func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				c.Close()
			}
		}()
		if addr, ok := listener.Addr().(*net.TCPAddr); ok {
			w.TCP = addr.Port
		}
	}
	udp, err := net.ListenPacket("udp4", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { udp.Close() })
	w.UDP = udp.LocalAddr().(*net.UDPAddr).Port

	other, _ := self(t, "loop")
	must(t, other.Start())
	t.Cleanup(func() { _ = other.Process.Kill(); _ = other.Wait() })
	w.Other = other.Process.Pid
	return w
}

// withThreads adds the parent's threads, which include the one that is going to
// start the program only if it is there already: so it is found by trying again.
func (w world) withThreads(t *testing.T) world {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	must(t, err)
	for _, e := range entries {
		tid, _ := strconv.Atoi(e.Name())
		w.Threads = append(w.Threads, tid)
	}
	// Threads get the next numbers: the one that is not there yet is among these.
	last := slices.Max(w.Threads)
	for tid := last + 1; tid < last+64; tid++ {
		w.Threads = append(w.Threads, tid)
	}
	return w
}

// TestAttempts runs every attempt without a jail, with all layers, and without
// each of the two that hold most.
func TestAttempts(t *testing.T) {
	terminated := make(chan os.Signal, 16)
	signal.Notify(terminated, syscall.SIGTERM)
	defer signal.Stop(terminated)

	for _, tier := range []struct {
		name    string
		plain   bool
		without []jail.Layer
	}{
		{name: "plain", plain: true},
		{name: "all"},
		{name: "without landlock", without: []jail.Layer{jail.Landlock}},
		{name: "without seccomp", without: []jail.Layer{jail.Seccomp}},
		{name: "without capabilities", without: []jail.Layer{jail.Capabilities}},
	} {
		t.Run(tier.name, func(t *testing.T) {
			w := newWorld(t).withThreads(t)
			data, err := json.Marshal(w)
			must(t, err)
			cmd, policy := self(t, "attempts", "JAIL_TEST_WORLD="+string(data))
			var out bytes.Buffer
			cmd.Stdout = &out
			var layers []jail.Layer
			if tier.plain {
				must(t, cmd.Run())
			} else {
				policy.Read = append(policy.Read, w.Read)
				policy.Write = append(policy.Write, w.Write)
				policy.Without = tier.without
				p, err := jail.Start(cmd, policy)
				must(t, err)
				layers = p.Layers
				must(t, p.Wait())
			}
			var found map[string]string
			must(t, json.Unmarshal(out.Bytes(), &found))
			for _, a := range attempts {
				got, tried := found[a.name]
				if !tried {
					t.Errorf("%s: not tried", a.name)
					continue
				}
				held := slices.ContainsFunc(a.by, func(l jail.Layer) bool { return slices.Contains(layers, l) })
				if held && got == "" {
					t.Errorf("%s: it worked, with %v", a.name, layers)
				}
				// Without a wall it has to work, or it proves nothing.
				if (len(a.by) == 0 || tier.plain && !a.root) && got != "" {
					t.Errorf("%s: %s", a.name, got)
				}
				t.Logf("%-50s %s", a.name, got)
			}
			if tier.plain {
				<-terminated // by "SIGTERM to the parent"
			} else if len(terminated) > 0 {
				t.Error("a SIGTERM has arrived")
			}
		})
	}
}

func TestCalls(t *testing.T) {
	need(t, jail.Seccomp)
	cmd, policy := self(t, "calls")
	var out bytes.Buffer
	cmd.Stdout = &out
	p, err := jail.Start(cmd, policy)
	must(t, err)
	must(t, p.Wait())
	var found map[string]string
	must(t, json.Unmarshal(out.Bytes(), &found))
	for name := range refusedEverywhere {
		if got := found[name]; got != unix.EPERM.Error() {
			t.Errorf("%s: %q, want %q", name, got, unix.EPERM.Error())
		}
	}
}

// TestGuess: a program that tries to pass its fork for the host's has one guess.
func TestGuess(t *testing.T) {
	need(t, jail.Seccomp)
	cmd, policy := self(t, "guess")
	p, err := jail.Start(cmd, policy)
	must(t, err)
	_ = p.Wait()
	if status := cmd.ProcessState.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGSYS {
		t.Errorf("it ended with %v, want SIGSYS", cmd.ProcessState)
	}
}

// TestParentStaysFree looks at every thread of this process while a program runs.
func TestParentStaysFree(t *testing.T) {
	leaktest.Check(t)
	need(t, jail.Seccomp)
	before := restricted(t)
	cmd, policy := self(t, "loop")
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	p, err := jail.Start(cmd, policy)
	must(t, err)
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	during := restricted(t)
	if len(during) != len(before)+1 {
		t.Errorf("restricted threads: %v before, %v during: want one more", before, during)
	}
	if slices.Contains(during, os.Getpid()) && !slices.Contains(before, os.Getpid()) {
		t.Error("the main thread is restricted")
	}
	for range 50 { // on as many threads as there are
		done := make(chan error)
		go func() {
			done <- first(func() error {
				c, err := net.Dial("udp4", "127.0.0.1:9")
				if err != nil {
					return err
				}
				defer c.Close()
				return read("/etc/passwd")
			}())
		}()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	p.Kill()
	if err := p.Wait(); err == nil {
		t.Error("Wait says that a killed program has ended well")
	}
	p.Kill() // nothing happens
}

// restricted returns the threads of this process that have a seccomp filter of
// their own.
func restricted(t *testing.T) (tids []int) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	must(t, err)
	for _, task := range tasks {
		data, err := os.ReadFile(task)
		if err == nil && strings.Contains(string(data), "\nSeccomp:\t2") {
			tid, _ := strconv.Atoi(filepath.Base(filepath.Dir(task)))
			tids = append(tids, tid)
		}
	}
	return tids
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPolicyErrors: what cannot be granted is an error, not a smaller grant.
func TestPolicyErrors(t *testing.T) {
	need(t, jail.Landlock)
	for _, path := range []string{"relative", "/does/not/exist", "/proc", fmt.Sprintf("/proc/%d", os.Getpid())} {
		cmd, policy := self(t, "exit")
		policy.Read = append(policy.Read, path)
		if p, err := jail.Start(cmd, policy); err == nil {
			t.Errorf("a policy with %q was accepted", path)
			p.Kill()
			_ = p.Wait()
		}
	}
	cmd, policy := self(t, "exit")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if _, err := jail.Start(cmd, policy); err == nil {
		t.Error("a SysProcAttr was accepted")
	}
}
