package mcpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

func TestStdio(t *testing.T) {
	leaktest.Check(t)
	c := ready(t, self("good"))
	s := c.Status()[0]
	if s.ServerName != "good-server" || s.ServerVersion != "1.2.3" || s.Title != "The Good" ||
		s.Instructions != "be nice" || s.Transport != "stdio" || s.ProtocolVersion == "" || s.Tools != 7 || s.ConnectTime <= 0 {
		t.Errorf("status %+v", s)
	}
	var names []string
	for _, tool := range c.Tools("good") {
		names = append(names, tool.ID())
	}
	if got, want := strings.Join(names, " "), "good.die good.echo good.env good.fail good.refuse good.rich good.slow"; got != want {
		t.Errorf("tools %s, want %s", got, want)
	}
	echo := c.Tools("good")[1]
	if got, want := string(echo.InputSchema), `{"type":"object","properties":{"zebra":{"type":"integer"},"apple":{"type":"string"}}}`; got != want {
		t.Errorf("input schema\n%s, want as written\n%s", got, want)
	}
	if echo.Title != "Echo" || echo.Description != "returns its arguments" || string(echo.OutputSchema) != `{"type":"object"}` {
		t.Errorf("tool %+v", echo)
	}
	if c.Tools("nope") != nil {
		t.Error("tools of an unknown server")
	}
}

func TestCallKeepsNumbers(t *testing.T) {
	leaktest.Check(t)
	c := ready(t, self("good"))
	args := `{"n":9007199254740993,"f":1.10,"big":123456789012345678901234567890}`
	r := call(t, c, "good", "echo", args)
	if string(r.Structured) != args || r.Content[0].Text != args {
		t.Errorf("got %s and %q, want %s", r.Structured, r.Content[0].Text, args)
	}
	if r := call(t, c, "good", "echo", `{"a":"<&>"}`); r.Content[0].Text != `{"a":"<&>"}` {
		t.Errorf("got %q", r.Content[0].Text)
	}
	for _, empty := range []string{"", "null", " null ", "{}"} {
		if r := call(t, c, "good", "echo", empty); string(r.Structured) != "{}" {
			t.Errorf("arguments %q arrived as %s", empty, r.Structured)
		}
	}
	for _, bad := range []string{"[1]", "1", `{"a":`, `{} {}`} {
		ce := callError(t, testContext(t), c, "good", "echo", bad)
		if ce.OutcomeUnknown {
			t.Errorf("arguments %q: outcome unknown: %v", bad, ce)
		}
	}
}

func TestCallErrors(t *testing.T) {
	leaktest.Check(t)
	c := connect(t, nil, self("good"), mcpclient.Server{Name: "off", Command: "x", Disabled: true})

	if r := call(t, c, "good", "fail", ""); !r.IsError || r.Content[0].Text != "no such file" {
		t.Errorf("result %+v, want the tool's error", r)
	}
	var pe *mcpclient.ProtocolError
	ce := callError(t, testContext(t), c, "good", "refuse", "")
	if !errors.As(ce, &pe) || pe.Message != "bad mood" || ce.OutcomeUnknown {
		t.Errorf("error %+v", ce)
	}
	if ce := callError(t, testContext(t), c, "good", "nope", ""); !errors.As(ce, &pe) || pe.Code != -32602 {
		t.Errorf("error %+v", ce)
	}
	if _, err := c.Call(testContext(t), "who", "echo", nil, nil); !errors.Is(err, mcpclient.ErrUnknownServer) {
		t.Errorf("error %v", err)
	}
	if _, err := c.Call(testContext(t), "off", "echo", nil, nil); !errors.Is(err, mcpclient.ErrUnavailable) || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("error %v", err)
	}
}

func TestStdioDoesNotStart(t *testing.T) {
	garbage, exits := self("garbage"), self("exits")
	tests := []struct {
		name   string
		server mcpclient.Server
		want   []string
	}{
		{"not found", mcpclient.Server{Command: "no-such-command-here"}, []string{`"no-such-command-here" was not found in PATH`, "install it"}},
		{"no such path", mcpclient.Server{Command: "/no/such/file"}, []string{`"/no/such/file" does not exist`}},
		{"not executable", mcpclient.Server{Command: "/etc/passwd"}, []string{"may not be executed"}},
		{"no such folder", mcpclient.Server{Command: exits.Command, Dir: "/no/such/dir"}, []string{`Dir "/no/such/dir" is not a folder`}},
		{"exits at once", exits, []string{"exit status 3", "FATAL: API_KEY is not set"}},
		{"garbage", garbage, []string{"invalid character"}},
		{"closes stdout", self("closes"), []string{"closed its standard output"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			leaktest.Check(t)
			tt.server.Name = "x"
			c := connect(t, &mcpclient.Options{ConnectTimeout: time.Hour}, tt.server)
			msg := failure(t, c)
			wantText(t, msg, tt.want...)
			wantNoText(t, msg, "\x1b")
			if c.Tools("x") != nil {
				t.Error("a failed server has tools")
			}
			_, err := c.Call(testContext(t), "x", "echo", nil, nil)
			if !errors.Is(err, mcpclient.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
			wantText(t, err.Error(), tt.want...)
		})
	}
}

func TestOneBadServerDoesNotDisturb(t *testing.T) {
	leaktest.Check(t)
	silent := self("silent")
	silent.ConnectTimeout = 300 * time.Millisecond
	c := connect(t, nil, self("exits"), self("good"), silent, mcpclient.Server{Name: "off", Command: "x", Disabled: true})
	var states []string
	for _, s := range c.Status() {
		states = append(states, fmt.Sprintf("%s:%s", s.Name, s.State))
	}
	if got, want := strings.Join(states, " "), "exits:backoff good:ready silent:backoff off:disabled"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	err := c.Status()[2].Err
	wantText(t, err.Error(), "within 300ms", "raise ConnectTimeout")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is no DeadlineExceeded", err)
	}
	wantText(t, c.Status()[0].Stderr, "API_KEY")
	call(t, c, "good", "echo", "{}")
}

func TestNoiseOnStdout(t *testing.T) {
	leaktest.Check(t)
	c := ready(t, self("noisy"))
	call(t, c, "noisy", "echo", "{}")
	wantText(t, c.Status()[0].Stderr, "Welcome to the noisy server!", "v1.2")
}

func TestServerThatWantsInitializeFirst(t *testing.T) {
	leaktest.Check(t)
	c := ready(t, self("strict"))
	if got := c.Tools("strict"); len(got) != 1 || got[0].Name != "only" {
		t.Errorf("tools %v", got)
	}
}

func TestServerDiesDuringCall(t *testing.T) {
	leaktest.Check(t)
	log, logged := logger()
	c := connect(t, &mcpclient.Options{Logger: log}, self("good"))
	ce := callError(t, testContext(t), c, "good", "die", "")
	wantText(t, ce.Error(), "good.die", "exit status 7", "panic: out of luck", "may or may not have taken effect")
	if !ce.OutcomeUnknown || !errors.Is(ce, mcpclient.ErrUnavailable) {
		t.Errorf("error %+v", ce)
	}
	wantText(t, failure(t, c), "exit status 7")
	if len(c.Tools("good")) != 7 {
		t.Error("the tools of a server that is tried again are forgotten")
	}
	call(t, c, "good", "echo", "{}") // has it connected again
	if s := c.Status()[0]; s.State != mcpclient.StateReady || s.Err != nil || s.Failures != 0 {
		t.Errorf("status %+v", s)
	}
	_ = c.Close()
	wantText(t, logged.String(), "connection to MCP server lost")
}

func TestCancelledCall(t *testing.T) {
	dir := t.TempDir()
	leaktest.Check(t)
	c := ready(t, self("good"))
	file := filepath.Join(dir, "log")
	args, _ := json.Marshal(map[string]string{"log": file})
	ctx, cancel := context.WithCancel(testContext(t))
	go func() {
		waitFor(t, file, "started")
		cancel()
	}()
	ce := callError(t, ctx, c, "good", "slow", string(args))
	if !errors.Is(ce, context.Canceled) || !ce.OutcomeUnknown {
		t.Errorf("error %+v", ce)
	}
	waitFor(t, file, "cancelled") // the server was told
	call(t, c, "good", "echo", "{}")

	ctx, cancel = context.WithCancel(context.Background())
	cancel()
	if ce := callError(t, ctx, c, "good", "echo", ""); ce.OutcomeUnknown {
		t.Errorf("a call that was never sent: %v", ce)
	}
}

func TestCallTimeout(t *testing.T) {
	leaktest.Check(t)
	s := self("good")
	s.CallTimeout = 50 * time.Millisecond
	c := ready(t, s)
	ce := callError(t, testContext(t), c, "good", "slow", "")
	if !errors.Is(ce, context.DeadlineExceeded) || !ce.OutcomeUnknown {
		t.Errorf("error %+v", ce)
	}
	wantText(t, ce.Error(), "did not answer within 50ms")
}

// A server that does not read must not hold its callers: the pipe is full after
// 64 KiB, and the SDK writes with a plain Write.
func TestServerThatDoesNotRead(t *testing.T) {
	leaktest.Check(t)
	t.Cleanup(mcpclient.SetGraces(50*time.Millisecond, 50*time.Millisecond))
	c := ready(t, self("deaf"))
	args := `{"a":"` + strings.Repeat("x", 1<<20) + `"}`
	for range 2 {
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		ce := callError(t, ctx, c, "deaf", "only", args)
		cancel()
		if !errors.Is(ce, context.DeadlineExceeded) {
			t.Errorf("error %+v", ce)
		}
	}
}

func TestGrandchildIsKilled(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("needs /proc to see processes that are not children")
	}
	leaktest.Check(t)
	c := ready(t, self("grandchild"))
	pid := call(t, c, "grandchild", "pid", "").Content[0].Text
	if gone(pid) {
		t.Fatal("no grandchild")
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !gone(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("grandchild %s is alive", pid)
		}
	}
}

func TestStubbornServerIsKilled(t *testing.T) {
	leaktest.Check(t)
	t.Cleanup(mcpclient.SetGraces(50*time.Millisecond, 50*time.Millisecond))
	c := ready(t, self("stubborn"))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestEnvironment(t *testing.T) {
	leaktest.Check(t)
	t.Setenv("MCPCLIENT_SECRET", "s3cret")
	t.Setenv("HOME", "/home/of-test")
	s := self("good")
	s.Env["GIVEN"] = "yes=1"
	s.Env["TERM"] = "mine"
	c := ready(t, s)
	env := call(t, c, "good", "env", "").Content[0].Text
	wantText(t, env, "GIVEN=yes=1", "TERM=mine", "HOME=/home/of-test", "PATH=")
	wantNoText(t, env, "s3cret")
	allowed := " GIVEN GORACE " + personality + " PATH HOME USER LOGNAME LANG LC_ALL SHELL TERM TMPDIR TZ "
	for _, kv := range strings.Split(env, "\n") {
		name, _, _ := strings.Cut(kv, "=")
		if !strings.Contains(allowed, " "+name+" ") {
			t.Errorf("the server got %s", name)
		}
	}
}

func TestDir(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh")
	}
	dir := t.TempDir()
	leaktest.Check(t)
	c := connect(t, nil, mcpclient.Server{Name: "x", Command: "sh", Args: []string{"-c", "pwd >&2; exit 1"}, Dir: dir})
	wantText(t, failure(t, c), filepath.Base(dir))
}

func TestBigResult(t *testing.T) {
	leaktest.Check(t)
	c := ready(t, self("bigresult"))
	if r := call(t, c, "bigresult", "big", ""); len(r.Content[0].Text) != 20<<20 {
		t.Errorf("got %d bytes", len(r.Content[0].Text))
	}
}

func TestStderrIsBounded(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("needs sh")
	}
	leaktest.Check(t)
	script := `i=0; while [ $i -lt 2000 ]; do echo "line $i of a long story" >&2; i=$((i+1)); done; exit 1`
	c := connect(t, nil, mcpclient.Server{Name: "x", Command: "sh", Args: []string{"-c", script}})
	failure(t, c)
	tail := c.Status()[0].Stderr
	if len(tail) > 2100 {
		t.Errorf("kept %d bytes", len(tail))
	}
	wantText(t, tail, "line 1999 of a long story")
}

func waitFor(t *testing.T, file, want string) {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if data, _ := os.ReadFile(file); string(data) == want {
			return
		}
	}
	t.Errorf("%s never became %q", file, want)
}

// gone reports whether a process ended; one that waits to be reaped by init did.
func gone(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return true
	}
	return strings.Contains(string(stat), ") Z ")
}
