//go:build linux && (amd64 || arm64)

package jail_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/conductor/conductor/internal/jail"
	"github.com/conductor/conductor/internal/leaktest"
)

func init() {
	// A host that starts a looping program in a jail, says its id, and waits.
	roles["host"] = func() int {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{roleEnv + "=loop"}
		policy, err := jail.Runtime(os.Args[0])
		if err != nil {
			panic(err)
		}
		stdout, _ := cmd.StdoutPipe()
		p, err := jail.Start(cmd, policy)
		if err != nil {
			panic(err)
		}
		_, _ = stdout.Read(make([]byte, 1))
		fmt.Println(cmd.Process.Pid)
		_ = p.Wait()
		return 0
	}
	// A program that starts another, which tries to leave the group, and ends.
	roles["starter"] = func() int {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{roleEnv + "=leaver", "JAIL_TEST_HOST=" + os.Getenv("JAIL_TEST_HOST")}
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println("pid", cmd.Process.Pid)
		time.Sleep(time.Hour)
		return 0
	}
	roles["leaver"] = func() int {
		_, err := unix.Setsid()
		fmt.Println("setsid", err)
		fmt.Println("setpgid", unix.Setpgid(0, 0))
		for _, pid := range []int{unix.Getpgrp(), unix.Getpid()} {
			fmt.Println("signal", unix.Kill(pid, 0))
		}
		host, _ := strconv.Atoi(os.Getenv("JAIL_TEST_HOST"))
		fmt.Println("host", unix.Kill(host, 0))
		fmt.Println("end")
		time.Sleep(time.Hour)
		return 0
	}
}

// TestHostIsKilled: the program dies with a host that had no time for anything.
func TestHostIsKilled(t *testing.T) {
	need(t, jail.ParentDeath)
	host, _ := self(t, "host")
	stdout, err := host.StdoutPipe()
	must(t, err)
	must(t, host.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	must(t, err)
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	must(t, err)
	if !running(pid) {
		t.Fatal("the program does not run")
	}
	must(t, host.Process.Kill())
	_ = host.Wait()
	for deadline := time.Now().Add(10 * time.Second); running(pid); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the program outlives its host")
		}
	}
}

// running reports whether there is such a process, and more of it than a status
// that nobody has asked for.
func running(pid int) bool {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

// TestProcesses: what a program that may start others has started cannot leave the
// group, nor signal the host, and is ended by Wait at the latest.
func TestProcesses(t *testing.T) {
	leaktest.Check(t)
	need(t, jail.Landlock, jail.Seccomp)
	cmd, policy := self(t, "starter", fmt.Sprintf("JAIL_TEST_HOST=%d", os.Getpid()))
	policy.Processes = true
	cmd.WaitDelay = 10 * time.Second
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	p, err := jail.Start(cmd, policy)
	must(t, err)
	var child int
	var lines []string
	for s := bufio.NewScanner(stdout); s.Scan() && s.Text() != "end"; {
		if _, err := fmt.Sscanf(s.Text(), "pid %d", &child); err != nil {
			lines = append(lines, s.Text())
		}
	}
	if child == 0 {
		t.Fatalf("it started nothing: %q", lines)
	}
	refused := "operation not permitted"
	want := []string{"setsid " + refused, "setpgid " + refused, "signal <nil>", "signal <nil>", "host " + refused}
	if !jail.Probe().SignalScope {
		want[4] = "host <nil>"
		t.Log("this kernel does not keep the host out of reach of programs with Processes")
	}
	if got := strings.Join(lines, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	// The leader alone dies, as it would of itself.
	must(t, cmd.Process.Kill())
	_ = p.Wait()
	for deadline := time.Now().Add(10 * time.Second); running(child); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("a process of the group outlives Wait")
		}
	}
}

// TestManyStarts: two hundred at a time leave no thread, process or goroutine.
func TestManyStarts(t *testing.T) {
	leaktest.Check(t)
	program, err := exec.LookPath("true")
	must(t, err)
	policy, err := jail.Runtime(program)
	must(t, err)
	batch := func() {
		var group sync.WaitGroup
		for range 200 {
			group.Go(func() {
				p, err := jail.Start(exec.Command(program), policy)
				if err != nil {
					t.Error(err)
					return
				}
				if err := p.Wait(); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	batch() // the runtime keeps the threads of its own that this takes
	before := threads(t)
	for range 4 {
		batch()
	}
	const spare = 16 // that the runtime may have wanted in addition
	for deadline := time.Now().Add(10 * time.Second); threads(t) > before+spare; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d threads, %d after the first batch", threads(t), before)
		}
	}
}

func threads(t *testing.T) int {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*")
	must(t, err)
	return len(tasks)
}

// TestStartFails: a program that cannot be executed leaves nothing either.
func TestStartFails(t *testing.T) {
	leaktest.Check(t)
	_, policy := self(t, "exit")
	p, err := jail.Start(&exec.Cmd{Path: "/does/not/exist", Args: []string{"x"}}, policy)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v, %v, want an error of a missing file", p, err)
	}
}

// TestWaitDirectly: cmd.Wait alone lets the thread go too.
func TestWaitDirectly(t *testing.T) {
	leaktest.Check(t)
	cmd, policy := self(t, "exit")
	if _, err := jail.Start(cmd, policy); err != nil {
		t.Fatal(err)
	}
	must(t, cmd.Wait())
}

// TestOrdinaryUser runs the tests again as a user without any rights.
func TestOrdinaryUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the tests run as an ordinary user anyway")
	}
	dir, err := os.MkdirTemp("", "jail-ordinary-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Mkdir(dir+"/tmp", 0o777))
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(dir+"/tmp", 0o777))
	self, err := os.Executable()
	must(t, err)
	copyFile(t, self, dir+"/jail.test")
	env := []string{"TMPDIR=" + dir + "/tmp", "HOME=" + dir + "/tmp", "PATH=" + os.Getenv("PATH"), "CI=" + os.Getenv("CI")}
	if deno := findDeno(t); deno != "" {
		copyFile(t, deno, dir+"/deno")
		env = append(env, "CONDUCTOR_DENO="+dir+"/deno")
	}
	cmd := exec.Command(dir+"/jail.test", "-test.v", "-test.skip=TestOrdinaryUser")
	cmd.Dir, cmd.Env = dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("as uid 65534: %v\n%s", err, out)
	}
	for _, line := range strings.Split(string(out), "\n") {
		if strings.Contains(line, "SKIP") || strings.HasPrefix(line, "ok") || strings.HasPrefix(line, "--- PASS") {
			t.Log("as uid 65534:", line)
		}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	must(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, errors.Join(err, out.Close()))
	must(t, os.Chmod(to, 0o755))
}
