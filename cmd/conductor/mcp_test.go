package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/leaktest"
)

// A started is "conductor mcp start" as a child process, with its client.
type started struct {
	cmd     *exec.Cmd
	session *mcp.ClientSession
	stderr  *bytes.Buffer // to be read after the end of cmd
}

func start(t *testing.T, config string, args ...string) *started {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &started{cmd: exec.Command(exe, append([]string{"mcp", "start", "--config", config}, args...)...), stderr: &bytes.Buffer{}}
	s.cmd.Env = append(os.Environ(), role+"=conductor", "GORACE=atexit_sleep_ms=0")
	s.cmd.Stderr = s.stderr
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	// Closing a Conductor may take seconds where servers are slow to end.
	s.session, err = client.Connect(t.Context(), &mcp.CommandTransport{Command: s.cmd, TerminateDuration: time.Minute}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, s.stderr)
	}
	t.Cleanup(func() { _ = s.session.Close() })
	return s
}

type object = map[string]any

// call calls a tool. It returns the only text and the structured content.
func (s *started) call(t *testing.T, name string, args object) (text string, data object, isError bool) {
	t.Helper()
	result, err := s.session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Content) != 1 {
		t.Fatalf("%d blocks of content, want one", len(result.Content))
	}
	data, _ = result.StructuredContent.(object)
	return result.Content[0].(*mcp.TextContent).Text, data, result.IsError
}

const serverProcess = `import * as notes from "./mcp/notes"; return (await notes.server_process()).pid;`

// backendPID learns the process of the server behind, through a program.
func (s *started) backendPID(t *testing.T) int {
	t.Helper()
	s.call(t, conductor.LoadToolSpecName, object{"names": []string{"notes.server_process"}})
	text, data, _ := s.call(t, conductor.ExecuteCodeName, object{"code": serverProcess})
	pid, ok := data["value"].(float64)
	if !ok {
		t.Fatalf("no process id: %s", text)
	}
	return int(pid)
}

// waitGone waits until a process that is nobody's child here is gone.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	for range 1000 {
		p, err := os.FindProcess(pid)
		if err != nil || errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func TestMCPStart(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	s := start(t, writeConfig(t, `{"connect_timeout": "20s"}`, "exits", as(t, "exits"), "notes", as(t, "notes"), "wrong", `{"command": "no-such-program-here"}`))

	if got := s.session.InitializeResult().Instructions; !strings.Contains(got, "Servers: exits, notes, wrong.") {
		t.Errorf("instructions: %s", got)
	}
	text, data, _ := s.call(t, conductor.FindToolsName, object{"query": "write down a note", "limit": 1})
	found := data["tools"].([]any)[0].(object)
	if found["name"] != "notes.add_note" || found["loaded"] != false || !strings.Contains(text, "notes.add_note(args: { text: string })") {
		t.Errorf("find_tools: %v\n%s", data, text)
	}
	if down := data["unavailable_servers"].([]any); len(down) != 2 || !strings.Contains(text, "Not available now: exits") {
		t.Errorf("unavailable_servers: %v\n%s", down, text)
	}

	// Not loaded yet: the program is told what to do.
	const code = `import * as notes from "./mcp/notes"; const [a, b] = await Promise.all([notes.add_note({ text: "a" }), notes.add_note({ text: "b" })]); return a.count + b.count;`
	text, data, isError := s.call(t, conductor.ExecuteCodeName, object{"code": code})
	if isError || data["phase"] == "ok" || !strings.Contains(text, "load_tool_spec") {
		t.Errorf("execute_code before load_tool_spec: %v\n%s", data, text)
	}
	text, data, _ = s.call(t, conductor.LoadToolSpecName, object{"names": []string{"notes.add_note"}})
	if spec := data["specs"].([]any)[0].(object); spec["import"] != `import * as notes from "./mcp/notes";` || !strings.Contains(text, "export declare function add_note(") {
		t.Errorf("load_tool_spec: %v\n%s", data, text)
	}
	own := data["conversation_id"]
	text, data, _ = s.call(t, conductor.ExecuteCodeName, object{"code": code, "timeout_ms": 20000})
	if data["phase"] != "ok" || data["value"] != 3.0 || text != "3\n" || len(data["calls"].([]any)) != 2 || data["conversation_id"] != own {
		t.Errorf("execute_code: %v\n%s", data, text)
	}

	// Another conversation has loaded nothing; this one still has.
	_, data, _ = s.call(t, conductor.ExecuteCodeName, object{"code": code, "conversation_id": "another"})
	if data["phase"] != "rejected" || data["conversation_id"] != "another" {
		t.Errorf("another conversation: %v", data)
	}
	_, data, _ = s.call(t, conductor.ExecuteCodeName, object{"code": code, "conversation_id": own})
	if data["phase"] != "ok" {
		t.Errorf("the own conversation by its id: %v", data)
	}

	for name, args := range map[string]object{
		conductor.FindToolsName:    {"qeury": "x"},
		conductor.LoadToolSpecName: {"names": "notes.add_note"},
		conductor.ExecuteCodeName:  {"code": "1", "allow_read": true},
	} {
		if text, data, isError := s.call(t, name, args); !isError || data != nil || !strings.Contains(text, "wrong arguments") {
			t.Errorf("%s with wrong arguments: IsError %v, %v\n%s", name, isError, data, text)
		}
	}

	pid := s.backendPID(t)
	if err := s.session.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	waitGone(t, pid)
	for _, want := range []string{"an MCP server for 3 servers", "server notes is ready: 4 tools", "server exits is not available: the server process exited", "FATAL: API_KEY is not set"} {
		if !strings.Contains(s.stderr.String(), want) {
			t.Errorf("stderr lacks %q:\n%s", want, s.stderr)
		}
	}
}

// TestMCPStartSignal ends the process by a signal while a program waits for a tool.
func TestMCPStartSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGTERM")
	}
	requireDeno(t)
	leaktest.Check(t)
	s := start(t, notesConfig(t))
	pid := s.backendPID(t)
	s.call(t, conductor.LoadToolSpecName, object{"names": []string{"notes.wait"}})
	file := filepath.Join(t.TempDir(), "started")
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.session.CallTool(context.WithoutCancel(t.Context()), &mcp.CallToolParams{Name: conductor.ExecuteCodeName, Arguments: object{
			"code": `import * as notes from "./mcp/notes"; await notes.wait({ path: ` + encode(t, file) + ` });`}})
	}()
	for range 2000 {
		if _, err := os.Stat(file); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ended
	_ = s.session.Close() // an error would be about the connection, which is gone
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.stderr)
	}
	waitGone(t, pid)
}

func TestMCPStartWithoutDeno(t *testing.T) {
	leaktest.Check(t)
	noDeno(t)
	s := start(t, notesConfig(t))
	// What needs no Deno works.
	if _, data, _ := s.call(t, conductor.FindToolsName, object{"query": "note"}); len(data["tools"].([]any)) == 0 {
		t.Errorf("find_tools: %v", data)
	}
	text, _, isError := s.call(t, conductor.ExecuteCodeName, object{"code": "return 1"})
	if !isError || !strings.Contains(text, "execute_code could not run: ") || !strings.Contains(text, "no usable Deno") {
		t.Errorf("execute_code: IsError %v: %s", isError, text)
	}
	if err := s.session.Close(); err != nil {
		t.Errorf("closing: %v", err)
	}
	if !strings.Contains(s.stderr.String(), "programs cannot run: ") {
		t.Errorf("stderr:\n%s", s.stderr)
	}
}

func TestMCPStartInput(t *testing.T) {
	leaktest.Check(t)
	noDeno(t)
	config := writeConfig(t, "{}")
	cli(t, "", "mcp", "start", "--config", config).check(t, exitOK, nil, []string{"waiting for a client on standard input"})
	cli(t, "hello\n", "mcp", "start", "--config", config).check(t, exitMachinery, nil, []string{"standard input has something else than an MCP client's messages"})
}
