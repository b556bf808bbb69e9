package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// missing ends a test that lacks what it needs. In CI that is a failure: there it
// would never be noticed.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// need skips the test where there is no npx, no node or no Deno.
func need(t *testing.T) {
	t.Helper()
	for _, name := range []string{"npx", "node"} {
		if _, err := exec.LookPath(name); err != nil {
			missing(t, "the servers come from npm and %s is not installed: %v", name, err)
		}
	}
	if _, err := sandbox.FindDeno(t.Context(), nil); errors.Is(err, sandbox.ErrNoDeno) {
		missing(t, "programs need Deno: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
}

// offline tells that npm could not reach its registry, which is no fault of ours.
func offline(err error) bool {
	return err != nil && slices.ContainsFunc([]string{"ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ENOTCACHED"},
		func(code string) bool { return strings.Contains(err.Error(), code) })
}

// The example itself, as the README's reader runs it.
func TestRun(t *testing.T) {
	need(t)
	leaktest.Check(t)
	var out bytes.Buffer
	err := run(t.Context(), &out)
	if strings.Contains(out.String(), "failed:") && offline(errors.New(out.String())) {
		missing(t, "npm cannot fetch the servers:\n%s", out.String())
	}
	if err != nil {
		t.Fatalf("run: %v\n%s", err, out.String())
	}
	for _, want := range []string{
		"everything  tools: ", "filesystem  tools: ", "memory      tools: ", "thinking    tools: ",
		`== FindTools: "list the files in a folder"`,
		"export declare function read_text_file(args: ReadTextFileArgs): Promise<ReadTextFileResult>;",
		"== ok after ",
		`{"files":2,"places":5,"remembered":{"name":"Norway","entityType":"country","observations":["Geirangerfjord","Hardangerfjord","Sognefjord","Galdhopiggen","Glittertind"]}}`,
		"stdout:\nread fjords.txt and mountains.txt\n",
		"== 5 calls",
		"filesystem.list_directory ok=true",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output does not have %q", want)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// Without npx the example ends with the reason, and before it would run anything.
func TestRunWithoutNpx(t *testing.T) {
	need(t)
	leaktest.Check(t)
	deno, err := sandbox.FindDeno(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CONDUCTOR_DENO", deno.Path)
	t.Setenv("PATH", t.TempDir())
	var out bytes.Buffer
	if err := run(t.Context(), &out); err == nil || err.Error() != "the program needs all of its servers" {
		t.Errorf("run: %v", err)
	}
	if n := strings.Count(out.String(), `command "npx" was not found in PATH`); n != 4 || strings.Contains(out.String(), "FindTools") {
		t.Errorf("want the reason for four servers and nothing more:\n%s", out.String())
	}
}

// broken are servers that are wrong in the ways in which servers are, with what
// their status must say.
var broken = []struct {
	server mcpclient.Server
	want   string
}{
	{mcpclient.Server{Name: "typo", Command: "nxp-of-conductor", Args: []string{"-y", "whatever"}}, `command "nxp-of-conductor" was not found in PATH`},
	{mcpclient.Server{Name: "exits", Command: "node", Args: []string{"-e", `console.error("API_TOKEN is not set"); process.exit(3)`}}, "(exit status 3); its last output was: API_TOKEN is not set"},
	{mcpclient.Server{Name: "hangs", Command: "node", Args: []string{"-e", `setInterval(() => {}, 1000)`}, ConnectTimeout: 2 * time.Second}, "the server did not get ready within 2s"},
}

// fixture is a conductor with the four servers and the broken ones.
type fixture struct {
	space *workspace
	c     *conductor.Conductor
}

// connect starts all servers once for all that TestServers looks at.
func connect(t *testing.T) *fixture {
	t.Helper()
	need(t)
	leaktest.Check(t)
	space, err := newWorkspace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := space.remove(); err != nil {
			t.Error(err)
		}
	})
	all := servers(space.folder, space.memory)
	for _, b := range broken {
		all = append(all, b.server)
	}
	for i := range all {
		// Newer versions of node keep compiled code in the temporary folder, which
		// would look like a leak.
		if all[i].Env == nil {
			all[i].Env = map[string]string{}
		}
		all[i].Env["NODE_DISABLE_COMPILE_CACHE"] = "1"
	}
	c, err := conductor.New(t.Context(), &conductor.Options{Servers: all, Client: mcpclient.Options{StartupWait: -1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	for _, s := range c.Status()[:4] {
		if offline(s.Err) {
			missing(t, "npm cannot fetch server %s: %v", s.Name, s.Err)
		}
	}
	return &fixture{space, c}
}

func TestServers(t *testing.T) {
	f := connect(t)
	t.Run("status", f.status)
	t.Run("broken servers are explained", f.explained)
	t.Run("find", f.find)
	t.Run("every tool", f.everyTool)
	t.Run("results", f.results)
	t.Run("tool error", f.toolError)
	t.Run("uncaught tool error", f.uncaught)
	t.Run("file system stays in its folder", f.confined)
	t.Run("killed", f.killed)
}

// conversation begins one with some tools loaded.
func (f *fixture) conversation(t *testing.T, tools ...string) *conductor.Conversation {
	t.Helper()
	conv, err := f.c.Conversation(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(tools) == 0 {
		return conv
	}
	specs, err := conv.LoadToolSpec(t.Context(), tools...)
	if err != nil {
		t.Fatal(err)
	}
	if len(specs.Unknown) > 0 {
		t.Fatalf("unknown tools: %+v", specs.Unknown)
	}
	return conv
}

// value runs a program that must succeed and decodes its value.
func value[T any](t *testing.T, conv *conductor.Conversation, code string) (*conductor.Result, T) {
	t.Helper()
	result, err := conv.Execute(t.Context(), code, nil)
	if err != nil {
		t.Fatal(err)
	}
	var v T
	if result.Phase != sandbox.PhaseOK {
		t.Fatalf("the program ended with\n%s", result.Text())
	}
	if err := json.Unmarshal(result.Value, &v); err != nil {
		t.Fatalf("value %s: %v", result.Value, err)
	}
	return result, v
}

func (f *fixture) status(t *testing.T) {
	least := map[string]int{"everything": 10, "filesystem": 10, "memory": 9, "thinking": 1}
	tools := f.c.Tools()
	for _, s := range f.c.Status()[:4] {
		if s.State != mcpclient.StateReady || s.Err != nil {
			t.Errorf("%s is %s: %v", s.Name, s.State, s.Err)
		}
		if s.Tools < least[s.Name] {
			t.Errorf("%s has %d tools, want at least %d", s.Name, s.Tools, least[s.Name])
		}
		indexed := 0
		for _, tool := range tools {
			if tool.Server == s.Name {
				indexed++
			}
		}
		if indexed != s.Tools {
			t.Errorf("%s offers %d tools, %d can be found", s.Name, s.Tools, indexed)
		}
	}
}

func (f *fixture) explained(t *testing.T) {
	conv := f.conversation(t)
	prompt := conv.Prompt()
	found, err := conv.FindTools(t.Context(), "read a text file", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Unavailable) != len(broken) {
		t.Errorf("unavailable are %+v, want the %d broken ones", found.Unavailable, len(broken))
	}
	for i, b := range broken {
		s := f.c.Status()[4+i]
		if s.State.Available() || s.Err == nil || !strings.Contains(s.Err.Error(), b.want) {
			t.Errorf("%s is %s: %v; want a reason with %q", s.Name, s.State, s.Err, b.want)
		}
		if line := "\n- " + s.Name + ": "; !strings.Contains(prompt, line) {
			t.Errorf("the prompt does not have %q:\n%s", line, prompt)
		}
		// A model that insists learns the reason, too.
		result, err := conv.Execute(t.Context(), fmt.Sprintf("import * as s from %q;\nreturn s;", "./mcp/"+s.Name), nil)
		if err != nil {
			t.Fatal(err)
		}
		if result.Phase == sandbox.PhaseOK || result.Error == nil || !strings.Contains(result.Error.Message, "server "+s.Name+" is not available") {
			t.Errorf("importing %s gave %s: %+v", s.Name, result.Phase, result.Error)
		}
	}
}

func (f *fixture) find(t *testing.T) {
	conv := f.conversation(t)
	for i, intent := range intents {
		found, err := conv.FindTools(t.Context(), intent, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(found.Tools, func(tool conductor.FoundTool) bool { return tool.Name == wanted[i] }) {
			t.Errorf("%q did not find %s but\n%s", intent, wanted[i], found.Text())
		}
	}
}

// Every tool has a declaration, and the modules with all of them go into one
// program.
func (f *fixture) everyTool(t *testing.T) {
	conv := f.conversation(t)
	want := map[string][]string{} // the tools of each server, by the name on the wire
	for _, s := range f.c.Status()[:4] {
		var names []string
		for _, tool := range f.c.Tools() {
			if tool.Server == s.Name {
				names = append(names, tool.ID())
				want[s.Name] = append(want[s.Name], tool.Name)
			}
		}
		specs, err := conv.LoadToolSpec(t.Context(), names...)
		if err != nil {
			t.Fatal(err)
		}
		if len(specs.Specs) != len(names) || len(specs.Unknown) != 0 {
			t.Errorf("%s: %d of %d tools were loaded, unknown are %+v", s.Name, len(specs.Specs), len(names), specs.Unknown)
		}
		for _, spec := range specs.Specs {
			if !spec.Loaded || strings.Count(spec.TypeScript, "export declare function ") != 1 {
				t.Errorf("%s has no declaration but\n%s", spec.Name, spec.TypeScript)
			}
			if want := fmt.Sprintf("import * as %s from \"./mcp/%s\";", s.Name, s.Name); spec.Import != want {
				t.Errorf("%s is imported with %s, want %s", spec.Name, spec.Import, want)
			}
		}
	}
	_, got := value[map[string][]string](t, conv, `
import * as everything from "./mcp/everything";
import * as filesystem from "./mcp/filesystem";
import * as memory from "./mcp/memory";
import * as thinking from "./mcp/thinking";

return {
  everything: Object.keys(everything), filesystem: Object.keys(filesystem),
  memory: Object.keys(memory), thinking: Object.keys(thinking),
};`)
	if len(got) != len(want) {
		t.Errorf("modules of %d servers, want %d", len(got), len(want))
	}
	for server, names := range want {
		// A name that is no identifier is exported as it is and as one that can be
		// written after a dot.
		both := slices.Clone(names)
		for _, name := range names {
			if function := strings.ReplaceAll(name, "-", "_"); function != name {
				both = append(both, function)
			}
		}
		slices.Sort(both)
		if diff := cmp.Diff(both, got[server]); diff != "" {
			t.Errorf("exports of %s (-want +got):\n%s", server, diff)
		}
	}
}

// What is not text reaches the program too.
func (f *fixture) results(t *testing.T) {
	conv := f.conversation(t,
		"everything.get-tiny-image", "everything.get-resource-reference", "everything.get-resource-links",
		"everything.get-structured-content", "everything.get-sum", "thinking.sequentialthinking")
	result, got := value[map[string]any](t, conv, `
import * as everything from "./mcp/everything";
import * as thinking from "./mcp/thinking";

const [image, text, blob, links, weather, sum, thought] = await Promise.all([
  everything.get_tiny_image(),
  everything.get_resource_reference({ resourceType: "Text", resourceId: 2 }),
  everything.get_resource_reference({ resourceType: "Blob", resourceId: 3 }),
  everything.get_resource_links({ count: 2 }),
  everything.get_structured_content({ location: "Chicago" }),
  everything.get_sum({ a: 20, b: 22 }),
  thinking.sequentialthinking({ thought: "once", thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false }),
]);
const bytes = Uint8Array.from(atob(image[1].data), (c) => c.charCodeAt(0));
return {
  blocks: image.map((block: any) => block.type),
  mimeType: image[1].mimeType,
  png: String.fromCharCode(...bytes.slice(1, 4)),
  textURI: text[1].resource.uri,
  text: text[1].resource.text.startsWith("Resource 2:"),
  blobURI: blob[1].resource.uri,
  blob: atob(blob[1].resource.blob).startsWith("Resource 3:"),
  links: links.filter((block: any) => block.type === "resource_link").map((block: any) => block.uri),
  weather,
  sum,
  thought: thought.thoughtNumber,
};`)
	want := map[string]any{
		"blocks":   []any{"text", "image", "text"},
		"mimeType": "image/png",
		"png":      "PNG",
		"textURI":  "demo://resource/dynamic/text/2",
		"text":     true,
		"blobURI":  "demo://resource/dynamic/blob/3",
		"blob":     true,
		"links":    []any{"demo://resource/dynamic/blob/1", "demo://resource/dynamic/text/2"},
		"weather":  map[string]any{"temperature": 36.0, "conditions": "Light rain / drizzle", "humidity": 82.0},
		"sum":      "The sum of 20 and 22 is 42.",
		"thought":  1.0,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
	if len(result.Calls) != 7 {
		t.Errorf("%d calls in the ledger, want 7: %+v", len(result.Calls), result.Calls)
	}
	for _, call := range result.Calls {
		if !call.OK || call.ResultBytes == 0 {
			t.Errorf("call %+v", call)
		}
	}
}

// A result with isError is an exception that names the tool, keeps the server's
// words, and shows how the tool is called.
func (f *fixture) toolError(t *testing.T) {
	conv := f.conversation(t, "everything.get-resource-reference", "everything.get-sum")
	result, got := value[map[string]any](t, conv, `
import * as everything from "./mcp/everything";

try {
  await everything.get_resource_reference({ resourceType: "Text", resourceId: 0 });
} catch (thrown) {
  const error = thrown as Error & { data: unknown };
  return {
    name: error.name,
    isError: error instanceof Error,
    tool: error.message.startsWith("everything.get-resource-reference: "),
    signature: error.message.includes("get_resource_reference(args?: {"),
    data: error.data,
    after: await everything.get_sum({ a: 1, b: 2 }),
  };
}
return "nothing was thrown";`)
	want := map[string]any{
		"name": "ToolError", "isError": true, "tool": true, "signature": true,
		"data":  "Invalid resourceId: 0. Must be a finite positive integer.",
		"after": "The sum of 1 and 2 is 3.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
	if len(result.Calls) != 2 || result.Calls[0].OK || !result.Calls[1].OK ||
		!strings.Contains(result.Calls[0].Error, "Must be a finite positive integer.") {
		t.Errorf("calls %+v, want one that failed and one that did not", result.Calls)
	}
}

func (f *fixture) uncaught(t *testing.T) {
	conv := f.conversation(t, "filesystem.read_text_file")
	result, err := conv.Execute(t.Context(), `import * as filesystem from "./mcp/filesystem";
console.log("before");
return await filesystem.read_text_file({ path: "no-such-file.txt" });`, nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Phase != sandbox.PhaseRuntimeError || result.Error == nil || result.Error.Line != 3 ||
		!strings.HasPrefix(result.Error.Message, "ToolError: filesystem.read_text_file: ") {
		t.Errorf("%s: %+v, want a ToolError in line 3", result.Phase, result.Error)
	}
	if result.Stdout != "before\n" || len(result.Calls) != 1 || result.Calls[0].OK {
		t.Errorf("stdout %q and calls %+v, want what was before the error", result.Stdout, result.Calls)
	}
}

// The promise is the server's, and the example relies on it.
func (f *fixture) confined(t *testing.T) {
	conv := f.conversation(t, "filesystem.list_allowed_directories", "filesystem.write_file", "filesystem.get_file_info")
	outside, _ := json.Marshal(f.space.root)
	_, got := value[[]string](t, conv, `
import * as filesystem from "./mcp/filesystem";

const outside = `+string(outside)+` + "/escaped.txt";
const { content } = await filesystem.list_allowed_directories();
const written = await filesystem.write_file({ path: outside, content: "x" }).then(() => "written", (e) => e.name);
return [content, written];`)
	want := []string{"Allowed directories:\n" + f.space.folder, "ToolError"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
	if _, err := os.Stat(f.space.root + "/escaped.txt"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file was written outside of the folder: %v", err)
	}
}

// A server that is killed, with all that npx has started for it, is there again when it
// is called.
func (f *fixture) killed(t *testing.T) {
	group := groupOf(t, "server-everything")
	if group == "" {
		t.Skip("needs /proc to find the process")
	}
	conv := f.conversation(t, "everything.echo", "thinking.sequentialthinking")
	if out, err := exec.Command("kill", "-9", "--", "-"+group).CombinedOutput(); err != nil {
		t.Fatalf("kill: %v: %s", err, out)
	}
	_, got := value[[]any](t, conv, `
import * as everything from "./mcp/everything";
import * as thinking from "./mcp/thinking";

const other = await thinking.sequentialthinking({ thought: "on", thoughtNumber: 1, totalThoughts: 1, nextThoughtNeeded: false });
for (let i = 0; ; i++) {
  try {
    return [other.thoughtNumber, await everything.echo({ message: "back" })];
  } catch (error) { // the call that finds out
    if (i === 3) throw error;
  }
}`)
	if diff := cmp.Diff([]any{1.0, "Echo: back"}, got); diff != "" {
		t.Errorf("value (-want +got):\n%s", diff)
	}
}

// groupOf returns the process group of a child of this process whose command line has a
// word; empty where there is no /proc.
func groupOf(t *testing.T, word string) string {
	t.Helper()
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		command, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(command), word) {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(filepath.Dir(path), "stat"))
		if err != nil {
			continue
		}
		// pid (command) state ppid pgrp …
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 2 && fields[1] == fmt.Sprint(os.Getpid()) {
			return fields[2]
		}
	}
	return ""
}
