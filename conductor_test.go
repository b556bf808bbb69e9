package conductor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// serverVariable makes the test binary an MCP server on stdio, with a tool that
// ends its process in the middle of a call and one with a very long result.
const serverVariable = "CONDUCTOR_TEST_SERVER"

func TestMain(m *testing.M) {
	if store := os.Getenv(replicaVariable); store != "" {
		if err := replicaMain(store); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if os.Getenv(serverVariable) == "" {
		os.Exit(m.Run())
	}
	s := mcp.NewServer(&mcp.Implementation{Name: "fragile", Version: "1"}, nil)
	s.AddTool(&mcp.Tool{Name: "die", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		fmt.Fprintln(os.Stderr, "out of cheese")
		os.Exit(7)
		return nil, nil
	})
	offer(s, "export_all", "Export everything as one text", `{"type":"object"}`, func(context.Context, object) *mcp.CallToolResult {
		return text(strings.Repeat("x", 20<<20))
	})
	if err := s.Run(context.Background(), &mcp.StdioTransport{}); err != nil {
		os.Exit(1)
	}
}

type object = map[string]any

// offer adds a tool that answers with what handle returns.
func offer(s *mcp.Server, name, description, input string, handle func(ctx context.Context, args object) *mcp.CallToolResult) {
	s.AddTool(&mcp.Tool{Name: name, Description: description, InputSchema: json.RawMessage(input)}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var args object
		if err := json.Unmarshal(r.Params.Arguments, &args); err != nil {
			return nil, err
		}
		return handle(ctx, args), nil
	})
}

func text(s string) *mcp.CallToolResult {
	return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: s}}}
}

// serve runs a server in this process until the test ends.
func serve(t testing.TB, s *mcp.Server) mcp.Transport {
	client, server := mcp.NewInMemoryTransports()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		defer close(done)
		_ = s.Run(ctx, server) // ends with the client or the test
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return client
}

func notes(t testing.TB) mcpclient.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "notes", Title: "Notes and reminders", Version: "1"}, nil)
	offer(s, "search-notes", "Search notes by words", `{"type":"object","properties":{"query":{"type":"string"},"limit":{"type":"integer"}},"required":["query"]}`, func(_ context.Context, args object) *mcp.CallToolResult {
		return text(fmt.Sprintf(`[{"title":%q},{"title":"second"}]`, args["query"]))
	})
	offer(s, "add_note", "Write a note", `{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`, func(_ context.Context, args object) *mcp.CallToolResult {
		return text("written")
	})
	offer(s, "delete_note", "Delete a note for good", `{"type":"object","properties":{"id":{"type":"string"}},"required":["id"]}`, func(_ context.Context, args object) *mcp.CallToolResult {
		r := text("there is no note " + fmt.Sprint(args["id"]))
		r.IsError = true
		return r
	})
	offer(s, "scan", "Scan a picture", `{"type":"object"}`, func(context.Context, object) *mcp.CallToolResult {
		return &mcp.CallToolResult{Content: []mcp.Content{
			&mcp.TextContent{Text: "page 1"},
			&mcp.ImageContent{MIMEType: "image/png", Data: []byte("pixels")},
			&mcp.EmbeddedResource{Resource: &mcp.ResourceContents{URI: "note://1", MIMEType: "text/plain", Text: "inside"}},
		}}
	})
	offer(s, "wait", "Wait for ever", `{"type":"object"}`, func(ctx context.Context, _ object) *mcp.CallToolResult {
		<-ctx.Done()
		return text("")
	})
	return mcpclient.Server{Name: "notes", Transport: serve(t, s)}
}

func weather(t testing.TB) mcpclient.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "weather", Version: "1"}, &mcp.ServerOptions{Instructions: "Forecasts for the whole world.\nAsk in metric units."})
	tool := &mcp.Tool{
		Name: "forecast", Description: "Weather forecast for a city",
		InputSchema:  json.RawMessage(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}`),
		OutputSchema: json.RawMessage(`{"type":"object","properties":{"result":{"type":"array","items":{"type":"object","properties":{"celsius":{"type":"number"}},"required":["celsius"]}}},"required":["result"],"x-fastmcp-wrap-result":true}`),
	}
	s.AddTool(tool, func(context.Context, *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{StructuredContent: object{"result": []object{{"celsius": 21}, {"celsius": 19}}}}, nil
	})
	return mcpclient.Server{Name: "weather", Transport: serve(t, s)}
}

// fragile is a server in a process of its own.
func fragile(t testing.TB) mcpclient.Server {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return mcpclient.Server{Name: "fragile", Command: self, Env: map[string]string{serverVariable: "1"}}
}

// broken is a server that cannot be started.
var broken = mcpclient.Server{Name: "broken", Command: "conductor-no-such-command"}

func newConductor(t testing.TB, opts *conductor.Options) *conductor.Conductor {
	t.Helper()
	c, err := conductor.New(context.Background(), opts)
	if errors.Is(err, sandbox.ErrNoDeno) && os.Getenv("CI") == "" {
		t.Skipf("this test needs Deno: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return c
}

func newConversation(t testing.TB, c *conductor.Conductor) *conductor.Conversation {
	t.Helper()
	conv, err := c.Conversation(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	return conv
}

func load(t testing.TB, conv *conductor.Conversation, names ...string) *conductor.LoadResult {
	t.Helper()
	result, err := conv.LoadToolSpec(context.Background(), names...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func execute(t testing.TB, conv *conductor.Conversation, code string) *conductor.Result {
	t.Helper()
	result, err := conv.Execute(context.Background(), code, nil)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestFindLoadExecute(t *testing.T) {
	leaktest.Check(t)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t), weather(t)}})
	conv := newConversation(t, c)

	found, err := conv.FindTools(t.Context(), "what is the weather in Oslo", nil)
	if err != nil {
		t.Fatal(err)
	}
	first := found.Tools[0]
	if first.Name != "weather.forecast" || first.Loaded || !strings.Contains(first.Signature, "city: string") || first.Score <= 0 {
		t.Errorf("first hit %+v", first)
	}
	specs := load(t, conv, "weather.forecast", "notes.search-notes", "weather.forecast")
	if len(specs.Specs) != 2 || len(specs.Unknown) != 0 {
		t.Fatalf("specs %+v", specs)
	}
	if got := specs.Specs[1]; got.Name != "notes.search-notes" || !got.Loaded || got.Import != `import * as notes from "./mcp/notes";` || !strings.Contains(got.TypeScript, "search_notes(") {
		t.Errorf("spec %+v", got)
	}
	found, err = conv.FindTools(t.Context(), "forecast", &conductor.FindOptions{Server: "weather", Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Tools) != 1 || !found.Tools[0].Loaded {
		t.Errorf("after loading: %+v", found.Tools)
	}
	result := execute(t, conv, `
		import * as notes from "./mcp/notes";
		import { forecast } from "./mcp/weather";
		const [days, found, exact] = await Promise.all([
			forecast({ city: "Oslo" }),
			notes.search_notes({ query: "rain" }),
			notes["search-notes"]({ query: "sun" }),
		]);
		return { warmest: Math.max(...days.map((d) => d.celsius)), titles: [...found, ...exact].map((n) => n.title) };`)
	if result.Phase != sandbox.PhaseOK {
		t.Fatal(result.Text())
	}
	if want := `{"warmest":21,"titles":["rain","second","sun","second"]}`; string(result.Value) != want {
		t.Errorf("value %s, want %s", result.Value, want)
	}
	var calls []string
	for _, call := range result.Calls {
		if !call.OK || call.ResultBytes == 0 {
			t.Errorf("call %+v", call)
		}
		calls = append(calls, call.Tool)
	}
	slices.Sort(calls)
	if diff := cmp.Diff([]string{"notes.search-notes", "notes.search-notes", "weather.forecast"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// What a tool gives is a value that a program can use at once, whatever the shape
// of the result.
func TestToolResults(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t), weather(t), fragile(t)}})
	conv := newConversation(t, c)
	load(t, conv, "notes.search-notes", "notes.add_note", "notes.delete_note", "notes.scan", "fragile.export_all", "weather.forecast")
	for _, test := range []struct{ name, code, want string }{
		{"JSON text", `await notes.search_notes({ query: "a" })`, `[{"title":"a"},{"title":"second"}]`},
		{"plain text", `await notes.add_note({ text: "a" })`, `"written"`},
		{"wrapped result", `await weather.forecast({ city: "Oslo" })`, `[{"celsius":21},{"celsius":19}]`},
		{"content blocks", `await notes.scan()`, `[{"type":"text","text":"page 1"},{"type":"image","mimeType":"image/png","data":"cGl4ZWxz"},{"type":"resource","resource":{"uri":"note://1","mimeType":"text/plain","text":"inside"}}]`},
		{"20 MB", `(await fragile.export_all()).length`, `20971520`},
		{"error", `await notes.delete_note({ id: "7" }).catch((e: any) => [e.name, e.message.split("\n")[0], e.data])`, `["ToolError","notes.delete_note: there is no note 7","there is no note 7"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := execute(t, conv, "import * as notes from './mcp/notes';\nimport * as weather from './mcp/weather';\nimport * as fragile from './mcp/fragile';\n"+test.code)
			var got, want any
			if err := json.Unmarshal(result.Value, &got); err != nil {
				t.Fatalf("%v in %s", err, result.Text())
			}
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}
}

// Every mistake of a model comes back with what mends it.
func TestMistakes(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t), weather(t), broken, {Name: "off", Command: "off", Disabled: true}}})
	conv := newConversation(t, c)
	load(t, conv, "notes.add_note", "notes.delete_note")
	for _, test := range []struct {
		name, code string
		phase      sandbox.Phase
		line       int
		want       []string
	}{
		{"not loaded", "import * as notes from './mcp/notes';\nawait notes.search_notes({ query: '' })", sandbox.PhaseRejected, 2,
			[]string{"notes.search-notes exists but is not loaded", "LoadToolSpec", "load_tool_spec"}},
		{"not loaded, by its exact name", "import { 'search-notes' as s } from './mcp/notes';\nawait s({ query: '' })", sandbox.PhaseRejected, 1,
			[]string{"notes.search-notes exists but is not loaded"}},
		{"nothing loaded of the server", "import { forecast } from './mcp/weather';\nawait forecast({ city: '' })", sandbox.PhaseRejected, 1,
			[]string{"weather.forecast exists but is not loaded", `load_tool_spec) with "weather.forecast"`}},
		{"does not exist", "import * as notes from './mcp/notes';\nawait notes.add_notes({})", sandbox.PhaseRejected, 2,
			[]string{"there is no tool notes.add_notes", "the nearest names are notes.add_note", "not available now: broken ("}},
		{"server is down", "import * as broken from './mcp/broken';\nawait broken.x()", sandbox.PhaseRejected, 1,
			[]string{`cannot import "./mcp/broken": server broken is not available`, "conductor-no-such-command"}},
		{"server is disabled", "import * as off from './mcp/off';\nawait off.x()", sandbox.PhaseRejected, 1,
			[]string{"server off is not available: it is disabled"}},
		{"no such server", "import * as slack from './mcp/slack';\nawait slack.x()", sandbox.PhaseRejected, 1,
			[]string{`cannot import "./mcp/slack": a program can import ./mcp/notes, ./mcp/weather`, "broken ("}},
		{"default import", "import notes from './mcp/notes';\nawait notes.add_note({ text: '' })", sandbox.PhaseRejected, 1,
			[]string{`./mcp/notes has no default export: write import * as notes from "./mcp/notes";`}},
		{"neither imported nor loaded", "await weather.forecast({ city: '' })", sandbox.PhaseTypeError, 1,
			[]string{`import it: import * as weather from "./mcp/weather"`}},
		{"misspelt server", "import * as note from './mcp/note';\nawait note.x()", sandbox.PhaseRejected, 1,
			[]string{`cannot import "./mcp/note": a program can import ./mcp/notes, ./mcp/weather; did you mean notes?`}},
		{"forged target", "import { call } from 'conductor:bridge';\nawait call('weather.forecast', { city: '' })", sandbox.PhaseRuntimeError, 2,
			[]string{"weather.forecast exists but is not loaded"}},
		{"tool reports an error", "import * as notes from './mcp/notes';\n\nawait notes.delete_note({ id: '7' })", sandbox.PhaseRuntimeError, 3,
			[]string{"ToolError: notes.delete_note: there is no note 7", "signature: notes.delete_note(args: { id: string })"}},
		{"wrong arguments", "import * as notes from './mcp/notes';\nawait notes.add_note(7 as any)", sandbox.PhaseRuntimeError, 2,
			[]string{"notes.add_note"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := execute(t, conv, test.code)
			if result.Phase != test.phase || result.Error.Line != test.line {
				t.Errorf("%s at line %d, want %s at %d: %s", result.Phase, result.Error.Line, test.phase, test.line, result.Error.Message)
			}
			message := result.Error.Message + "\n" + result.Error.Hint
			for _, want := range test.want {
				if !strings.Contains(message, want) {
					t.Errorf("message is\n%s\nwant in it\n%s", message, want)
				}
			}
		})
	}
	t.Run("unknown names", func(t *testing.T) {
		result := load(t, conv, "notes.serch_notes", "broken.thing", "zzzzzz")
		if len(result.Specs) != 0 || len(result.Unknown) != 3 {
			t.Fatalf("%+v", result)
		}
		if u := result.Unknown[0]; !slices.Contains(u.Suggestions, "notes.search-notes") {
			t.Errorf("%+v", u)
		}
		if u := result.Unknown[1]; !strings.Contains(u.Reason, "server broken is not available") {
			t.Errorf("%+v", u)
		}
	})
	t.Run("search on a server that is down", func(t *testing.T) {
		answer, err := conv.Dispatch(t.Context(), "find_tools", json.RawMessage(`{"query":"a","server":"broken"}`))
		if err != nil || !strings.Contains(answer.Text, "server broken is not available: command") {
			t.Errorf("%+v, %v", answer, err)
		}
		found, err := conv.FindTools(t.Context(), "a", &conductor.FindOptions{Server: "broken"})
		if err != nil || len(found.Tools) != 0 || len(found.Unavailable) != 1 {
			t.Errorf("%+v, %v", found, err)
		}
		if _, err := conv.FindTools(t.Context(), "a", &conductor.FindOptions{Server: "slack"}); !errors.Is(err, mcpclient.ErrUnknownServer) {
			t.Errorf("a server that is not configured: %v", err)
		}
	})
	t.Run("unavailable servers are named by the search", func(t *testing.T) {
		found, err := conv.FindTools(t.Context(), "note", nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(found.Unavailable) != 1 || found.Unavailable[0].Name != "broken" {
			t.Errorf("%+v", found.Unavailable)
		}
	})
}

// A server that hangs keeps nobody waiting, and is there when it is ready.
func TestSlowServer(t *testing.T) {
	leaktest.Check(t)
	slow := weather(t)
	gate := &gatedTransport{Transport: slow.Transport, open: make(chan struct{})}
	slow.Transport = gate
	c := newConductor(t, &conductor.Options{
		Servers: []mcpclient.Server{slow, notes(t)},
		Client:  mcpclient.Options{StartupWait: time.Millisecond},
	})
	conv := newConversation(t, c)
	for deadline := time.Now().Add(30 * time.Second); len(c.Tools()) == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	load(t, conv, "notes.add_note")
	if result := execute(t, conv, "import { add_note } from './mcp/notes';\nadd_note({ text: 'a' })"); string(result.Value) != `"written"` {
		t.Error(result.Text())
	}
	if prompt := conv.Prompt(); !strings.Contains(prompt, "\nNot available now:\n- weather: still connecting") {
		t.Errorf("prompt is\n%s", prompt)
	}
	if result := execute(t, conv, "import './mcp/weather';\n1"); !strings.Contains(result.Error.Message, "server weather is not available: still connecting") {
		t.Error(result.Text())
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := conv.LoadToolSpec(short, "weather.forecast"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("loading from a server that hangs: %v", err)
	}
	close(gate.open)
	if specs := load(t, conv, "weather.forecast"); len(specs.Specs) != 1 { // waits until it is ready
		t.Errorf("%+v", specs)
	}
}

// A gatedTransport connects when it is allowed to.
type gatedTransport struct {
	mcp.Transport
	open chan struct{}
}

func (g *gatedTransport) Connect(ctx context.Context) (mcp.Connection, error) {
	select {
	case <-g.open:
		return g.Transport.Connect(ctx)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestDispatchKeepsTheLedger(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t)}})
	conv := newConversation(t, c)
	load(t, conv, "notes.add_note", "notes.wait")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	answer, err := conv.Dispatch(ctx, "execute_code", json.RawMessage(`{"code":"import * as notes from './mcp/notes';\nawait notes.add_note({ text: 'a' });\nawait notes.wait()"}`))
	if !errors.Is(err, context.DeadlineExceeded) || answer == nil {
		t.Fatalf("%+v, %v", answer, err)
	}
	if want := "cancelled: the run was cancelled\ncalls made before that:\n  notes.add_note: ok\n  notes.wait: failed: the run ended before the call did"; !strings.HasPrefix(answer.Text, want) {
		t.Errorf("text is\n%s\nwant\n%s", answer.Text, want)
	}
}

// What a tool without an output schema returns is learned: its structure is shown
// at the next load, and no value of it.
func TestObservedResults(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t)}})
	conv := newConversation(t, c)
	before := load(t, conv, "notes.search-notes").Specs[0].TypeScript
	if !strings.Contains(before, "Promise<any>") {
		t.Errorf("before a call:\n%s", before)
	}
	execute(t, conv, "import { search_notes } from './mcp/notes';\nawait search_notes({ query: 'secret-7' })")
	after := load(t, conv, "notes.search-notes").Specs[0].TypeScript
	if !strings.Contains(after, "title") || !strings.Contains(after, "bserved") || strings.Contains(after, "secret-7") {
		t.Errorf("after a call:\n%s", after)
	}
	// What was not seen yet must not be a mistake.
	if result := execute(t, conv, "import { search_notes } from './mcp/notes';\nreturn (await search_notes({ query: 'a' })).anything?.else ?? 'nothing'"); string(result.Value) != `"nothing"` {
		t.Error(result.Text())
	}
}

// A program whose types are wrong makes no call, and learns how it is right.
func TestTypeErrors(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t), weather(t)}, Sandbox: sandbox.Options{TypeCheck: sandbox.TypeCheckEnforce}})
	conv := newConversation(t, c)
	load(t, conv, "weather.forecast", "notes.search-notes")
	answer, err := conv.Dispatch(t.Context(), "execute_code", json.RawMessage(`{"code":"import * as weather from './mcp/weather';\nconst days = await weather.forecast({ town: 'Oslo' });\nreturn days.map((d) => d.celsus);"}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"type_error at line 2, column ", "'town' does not exist", "also at line 3, column ", "did you mean 'celsius'", "no call was made"} {
		if !strings.Contains(answer.Text, want) {
			t.Errorf("text is\n%s\nwant in it\n%s", answer.Text, want)
		}
	}
	result := execute(t, conv, "import * as weather from './mcp/weather';\nconst days = await weather.forecast({ city: 'Oslo' });\nreturn days.map((d) => d.celsius);")
	if string(result.Value) != "[21,19]" {
		t.Error(result.Text())
	}
}

func TestServerDiesDuringACall(t *testing.T) {
	leaktest.Check(t)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{fragile(t), weather(t)}})
	conv := newConversation(t, c)
	load(t, conv, "fragile.die", "weather.forecast")
	result := execute(t, conv, `
		import * as fragile from "./mcp/fragile";
		import * as weather from "./mcp/weather";
		const error = await fragile.die().catch((e) => e.message);
		return [error, (await weather.forecast({ city: "Oslo" })).length];`)
	var value []any
	if err := json.Unmarshal(result.Value, &value); err != nil {
		t.Fatalf("%v in %s", err, result.Text())
	}
	message := fmt.Sprint(value[0])
	for _, want := range []string{"fragile", "die", "out of cheese", "may or may not"} {
		if !strings.Contains(message, want) {
			t.Errorf("message %q, want %q in it", message, want)
		}
	}
	if value[1] != float64(2) {
		t.Errorf("the other server answers %v", value[1])
	}
	if result.Calls[0].OK || !result.Calls[1].OK {
		t.Errorf("ledger %+v", result.Calls)
	}
	found, err := conv.FindTools(t.Context(), "die", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Unavailable) != 1 || found.Unavailable[0].Name != "fragile" {
		t.Errorf("unavailable %+v", found.Unavailable)
	}
}

func TestConversations(t *testing.T) {
	store := conversation.NewMemory(nil)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t), weather(t)}, Store: store})
	one := newConversation(t, c)
	two := newConversation(t, c)
	if one.ID() == two.ID() {
		t.Fatal("two conversations have one id")
	}
	load(t, one, "notes.add_note")
	if result := execute(t, two, "import { add_note } from './mcp/notes';\nadd_note({ text: '' })"); result.Phase != sandbox.PhaseRejected {
		t.Errorf("a tool that another conversation loaded: %s", result.Text())
	}
	resumed, err := c.Conversation(t.Context(), one.ID())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"notes.add_note"}, resumed.Loaded()); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	// A handle that is older than a change sees it when it runs something.
	load(t, resumed, "weather.forecast")
	const imports = "import { add_note } from './mcp/notes';\nimport * as w from './mcp/weather';\n"
	if result := execute(t, one, imports+"await add_note({ text: '' });\nawait w.forecast({ city: '' });\n1"); result.Phase != sandbox.PhaseOK {
		t.Error(result.Text())
	}
	state, err := (&conversation.States{Store: store}).Load(t.Context(), one.ID())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"notes.add_note", "weather.forecast"}, state.LoadedIDs()); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
	if c := state.Counters; c.Runs != 1 || c.Calls != 2 || c.RunTime <= 0 {
		t.Errorf("counters %+v, want one run with two calls", c)
	}
	if _, err := c.Conversation(t.Context(), "a\nb"); !errors.Is(err, conversation.ErrInvalidID) {
		t.Errorf("Conversation with a bad id: %v", err)
	}
}

func TestDispatch(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t), weather(t)}})
	conv := newConversation(t, c)
	for _, test := range []struct {
		name, function, args string
		isError              bool
		want                 string
	}{
		{"find", "find_tools", `{"query":"forecast"}`, false, "weather.forecast\n  weather.forecast(args: { city: string })"},
		{"find with several phrasings", "find_tools", `{"queries":["rain tomorrow","forecast"],"limit":1}`, false, "weather.forecast"},
		{"find nothing", "find_tools", `{"query":"zzzz qqqq"}`, false, "No tool matches"},
		{"find without a query", "find_tools", `{}`, true, "query or queries must say"},
		{"find with a blank query", "find_tools", `{"query":" "}`, true, "query or queries must say"},
		{"find with a negative limit", "find_tools", `{"query":"a","limit":-1}`, true, "limit is -1"},
		{"find on an unknown server", "find_tools", `{"query":"a","server":"slack"}`, true, `there is no server "slack": the servers are notes, weather`},
		{"find with a wrong type", "find_tools", `{"query":7}`, true, "wrong arguments: query must be a string, not a JSON number"},
		{"find with a wrong limit", "find_tools", `{"query":"a","limit":"8"}`, true, "limit must be a whole number, not a JSON string"},
		{"find with a wrong key", "find_tools", `{"qeury":"a"}`, true, `unknown field "qeury": the arguments are query, queries, server, limit`},
		{"load with a string", "load_tool_spec", `{"names":"weather.forecast"}`, true, "names must be a list of strings, not a JSON string"},
		{"load with a list", "load_tool_spec", `[]`, true, "the argument must be an object, not a JSON array"},
		{"load", "load_tool_spec", `{"names":["weather.forecast"]}`, false, "import * as weather from \"./mcp/weather\";\n\n"},
		{"load by the function's name", "load_tool_spec", `{"names":["notes.search_notes"]}`, false, "search_notes(args: SearchNotesArgs)"},
		{"load unknown", "load_tool_spec", `{"names":["weather.forcast"]}`, false, `There is no tool "weather.forcast". The nearest names are weather.forecast.`},
		{"load nothing alike", "load_tool_spec", `{"names":["zzzz.qqqq"]}`, false, `There is no tool "zzzz.qqqq". FindTools (the tool find_tools) searches for what a tool does.`},
		{"load a server", "load_tool_spec", `{"names":["weather"]}`, false, `"weather" cannot be loaded: weather is a server, whose tools FindTools (the tool find_tools) finds.`},
		{"load all of a server", "load_tool_spec", `{"names":["weather.*"]}`, false, `"weather.*" cannot be loaded: weather is a server`},
		{"load nothing", "load_tool_spec", `{"names":[]}`, true, "names has 0 entries"},
		{"execute", "execute_code", `{"code":"import { forecast } from './mcp/weather';\n(await forecast({ city: 'Oslo' })).length","timeout_ms":5000}`, false, "2\n"},
		{"execute a failure", "execute_code", `{"code":"import { forecast } from './mcp/weather';\nawait forecast({ city: 'Oslo' });\nthrow new Error('no')"}`, false, "runtime_error at line 3, column 7: Error: no\ncalls made before that:\n  weather.forecast: ok\n"},
		{"execute with output", "execute_code", `{"code":"console.log('a'); console.error('b')"}`, false, "ok, without a value\nstdout:\na\nstderr:\nb\n"},
		{"execute with a timeout that is too long", "execute_code", `{"code":"1","timeout_ms":400000}`, true, "timeout_ms is 400000, want 1 to 300000"},
		{"execute without arguments", "execute_code", ``, false, "rejected: the program is empty"},
		{"not JSON", "execute_code", `{"code":`, true, "wrong arguments: they are not JSON (unexpected EOF): write one object with code, timeout_ms"},
		{"two values", "execute_code", `{"code":"1"} {}`, true, "more than one JSON value"},
		{"permissions", "execute_code", `{"code":"1","permissions":{"net":true}}`, true, `unknown field "permissions"`},
		{"unknown function", "run_code", `{}`, true, `there is no function "run_code": call find_tools, load_tool_spec or execute_code`},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := conv.Dispatch(t.Context(), test.function, json.RawMessage(test.args))
			if err != nil {
				t.Fatal(err)
			}
			if answer.IsError != test.isError || (answer.Result == nil) != test.isError {
				t.Errorf("IsError = %v, Result = %v", answer.IsError, answer.Result)
			}
			if !strings.Contains(answer.Text, test.want) {
				t.Errorf("text is\n%s\nwant in it\n%s", answer.Text, test.want)
			}
		})
	}
}

func TestDefinitions(t *testing.T) {
	var names []string
	for _, d := range conductor.Definitions() {
		names = append(names, d.Name)
		var schema struct {
			Type       string
			Properties map[string]struct{ Description string }
		}
		if err := json.Unmarshal(d.InputSchema, &schema); err != nil {
			t.Errorf("%s: %v", d.Name, err)
		}
		for name, p := range schema.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s has no description", d.Name, name)
			}
		}
		if schema.Type != "object" || d.Description == "" {
			t.Errorf("%s: type %q, description %q", d.Name, schema.Type, d.Description)
		}
	}
	if diff := cmp.Diff([]string{"find_tools", "load_tool_spec", "execute_code"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestExecuteCancelled(t *testing.T) {
	leaktest.Check(t)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t)}})
	conv := newConversation(t, c)
	load(t, conv, "notes.wait")
	ctx, cancel := context.WithCancel(t.Context())
	result, err := conv.Execute(ctx, "import { wait } from './mcp/notes';\nconsole.log('waiting');\nawait wait()", &conductor.ExecuteOptions{
		OnLog: func(sandbox.Log) { cancel() },
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if result == nil || result.Phase != sandbox.PhaseCancelled || result.Stdout != "waiting\n" {
		t.Errorf("result %+v", result)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		opts conductor.Options
		want string
	}{
		{"duplicate server", conductor.Options{Servers: []mcpclient.Server{broken, broken}}, "broken"},
		{"two servers of one name for tools", conductor.Options{Servers: []mcpclient.Server{{Name: "a", Command: "x"}, {Name: "a.b", Command: "x"}}}, `the names of tools of servers "a" and "a.b" could be the same: rename one`},
		{"two servers of one module", conductor.Options{Servers: []mcpclient.Server{{Name: "a b", Command: "x"}, {Name: "a/b", Command: "x"}}}, `servers "a b" and "a/b" would both be the module ./mcp/a_b`},
		{"server without anything", conductor.Options{Servers: []mcpclient.Server{{Name: "a"}}}, "a"},
		{"sandbox options", conductor.Options{Sandbox: sandbox.Options{Profile: sandbox.Profile{MemoryMB: -1}}}, "MemoryMB"},
		{"no Deno", conductor.Options{Sandbox: sandbox.Options{Deno: "/nonexistent/deno"}}, "no usable Deno"},
	} {
		t.Run(test.name, func(t *testing.T) {
			leaktest.Check(t)
			c, err := conductor.New(t.Context(), &test.opts)
			if err == nil || c != nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New: %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestClosed(t *testing.T) {
	leaktest.Check(t)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{weather(t)}})
	conv := newConversation(t, c)
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	_, findErr := conv.FindTools(t.Context(), "a", nil)
	_, loadErr := conv.LoadToolSpec(t.Context(), "weather.forecast")
	_, executeErr := conv.Execute(t.Context(), "1", nil)
	_, conversationErr := c.Conversation(t.Context(), "")
	for name, err := range map[string]error{"FindTools": findErr, "LoadToolSpec": loadErr, "Execute": executeErr, "Conversation": conversationErr} {
		if !errors.Is(err, conductor.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

func TestCloseDuringExecute(t *testing.T) {
	leaktest.Check(t)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t)}})
	conv := newConversation(t, c)
	load(t, conv, "notes.wait")
	closed := make(chan error, 1)
	result, err := conv.Execute(t.Context(), "import { wait } from './mcp/notes';\nconsole.log('waiting');\nawait wait()", &conductor.ExecuteOptions{
		OnLog: func(sandbox.Log) { go func() { closed <- c.Close() }() },
	})
	if !errors.Is(err, conductor.ErrClosed) {
		t.Errorf("error %v", err)
	}
	if result == nil || result.Phase != sandbox.PhaseCancelled || result.Stdout != "waiting\n" {
		t.Errorf("result %+v", result)
	}
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
}

// Runs of several conversations, and calls of one run, happen at the same time.
func TestConcurrentRuns(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{notes(t), weather(t)}})
	type outcome struct {
		value string
		err   error
	}
	outcomes := make(chan outcome)
	for i := range 8 {
		go func() {
			conv, err := c.Conversation(context.Background(), "")
			if err == nil {
				_, err = conv.LoadToolSpec(context.Background(), "notes.search-notes", "weather.forecast")
			}
			if err != nil {
				outcomes <- outcome{err: err}
				return
			}
			result, err := conv.Execute(context.Background(), fmt.Sprintf(`
				import { search_notes } from "./mcp/notes";
				const all = await Promise.all(Array.from({ length: 20 }, (_, n) => search_notes({ query: "%d-" + n })));
				return all.every((found, n) => found[0].title === "%d-" + n);`, i, i), nil)
			if err != nil {
				outcomes <- outcome{err: err}
				return
			}
			outcomes <- outcome{value: string(result.Value)}
		}()
	}
	for range 8 {
		if o := <-outcomes; o.err != nil || o.value != "true" {
			t.Errorf("%q, %v", o.value, o.err)
		}
	}
}

// What goes back to a model leaves it room; the host can have the whole.
func TestLargeValue(t *testing.T) {
	c := newConductor(t, nil)
	result := execute(t, newConversation(t, c), `console.log("y".repeat(50_000)); return "x".repeat(70_000)`)
	var preview struct {
		Truncated bool
		Bytes     int
	}
	if err := json.Unmarshal(result.Value, &preview); err != nil {
		t.Fatal(err)
	}
	if !preview.Truncated || preview.Bytes != 70_002 || len(result.Whole) != 70_002 || len(result.Stdout) > conductor.DefaultMaxOutput+200 {
		t.Errorf("value %.100s, whole of %d bytes, stdout of %d", result.Value, len(result.Whole), len(result.Stdout))
	}
}
