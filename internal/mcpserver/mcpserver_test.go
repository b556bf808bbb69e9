package mcpserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/internal/mcpserver"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// backend is an MCP server in this process with the tools add and wait; wait tells
// started that it runs, and ends with its call.
func backend(ctx context.Context, t *testing.T, started chan<- struct{}) mcpclient.Server {
	t.Helper()
	s := mcp.NewServer(&mcp.Implementation{Name: "numbers", Version: "1"}, nil)
	type pair struct {
		A int `json:"a"`
		B int `json:"b"`
	}
	type sum struct {
		Sum int `json:"sum"`
	}
	mcp.AddTool(s, &mcp.Tool{Name: "add", Description: "Adds two numbers"},
		func(_ context.Context, _ *mcp.CallToolRequest, p pair) (*mcp.CallToolResult, sum, error) {
			return nil, sum{p.A + p.B}, nil
		})
	mcp.AddTool(s, &mcp.Tool{Name: "wait", Description: "Waits for ever"},
		func(ctx context.Context, _ *mcp.CallToolRequest, _ struct{}) (*mcp.CallToolResult, any, error) {
			started <- struct{}{}
			<-ctx.Done()
			return nil, nil, ctx.Err()
		})
	near, far := mcp.NewInMemoryTransports()
	session, err := s.Connect(ctx, near, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return mcpclient.Server{Name: "numbers", Transport: far}
}

// serve runs Serve for a client, and returns the client with a function that waits
// for the end of Serve.
func serve(ctx context.Context, t *testing.T, open mcpserver.Open) (*mcp.ClientSession, func() error) {
	t.Helper()
	near, far := mcp.NewInMemoryTransports()
	ended := make(chan error, 1)
	go func() {
		ended <- mcpserver.Serve(ctx, near, open, &mcpserver.Options{Servers: []string{"numbers"}})
	}()
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	session, err := client.Connect(t.Context(), far, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session, func() error { return <-ended }
}

func opener(ctx context.Context, t *testing.T, started chan<- struct{}) mcpserver.Open {
	servers := []mcpclient.Server{backend(ctx, t, started)}
	return func(ctx context.Context) (*conductor.Conductor, error) {
		return conductor.New(ctx, &conductor.Options{Servers: servers, LazySandbox: true})
	}
}

// call calls a tool. It returns the only text and the structured content.
func call(t *testing.T, session *mcp.ClientSession, name string, args any) (result *mcp.CallToolResult, text string, data map[string]any) {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: name, Arguments: args})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Content) != 1 {
		t.Fatalf("%d blocks of content, want one: %v", len(result.Content), result.Content)
	}
	data, _ = result.StructuredContent.(map[string]any)
	return result, result.Content[0].(*mcp.TextContent).Text, data
}

type object = map[string]any

func TestServeDoesNotWaitForBackends(t *testing.T) {
	leaktest.Check(t)
	open := opener(t.Context(), t, nil)
	release := make(chan struct{})
	session, ended := serve(t.Context(), t, func(ctx context.Context) (*conductor.Conductor, error) {
		<-release
		return open(ctx)
	})
	list, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := session.InitializeResult().Instructions; !strings.HasSuffix(got, "Servers: numbers.") {
		t.Errorf("instructions: %s", got)
	}
	var names []string
	for _, tool := range list.Tools {
		names = append(names, tool.Name)
		properties := tool.InputSchema.(object)["properties"].(object)
		if properties["conversation_id"] == nil || len(properties) < 2 {
			t.Errorf("%s: the input schema has the properties %v", tool.Name, properties)
		}
		execute := tool.Name == conductor.ExecuteCodeName
		if tool.Annotations.ReadOnlyHint == execute || *tool.Annotations.OpenWorldHint != execute {
			t.Errorf("%s: annotations %+v", tool.Name, tool.Annotations)
		}
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{conductor.ExecuteCodeName, conductor.FindToolsName, conductor.LoadToolSpecName}, names); diff != "" {
		t.Errorf("tools (-want +got):\n%s", diff)
	}

	// A call waits, but not longer than its client does.
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := session.CallTool(ctx, &mcp.CallToolParams{Name: conductor.FindToolsName, Arguments: object{"query": "add"}}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
	close(release)
	if _, text, _ := call(t, session, conductor.FindToolsName, object{"query": "add numbers"}); !strings.Contains(text, "numbers.add(args: { a: number; b: number })") {
		t.Errorf("find_tools says: %s", text)
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ended(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestConversations(t *testing.T) {
	leaktest.Check(t)
	session, _ := serve(t.Context(), t, opener(t.Context(), t, nil))

	loaded := func(args object) bool {
		t.Helper()
		args["query"] = "add"
		_, _, data := call(t, session, conductor.FindToolsName, args)
		return data["tools"].([]any)[0].(object)["loaded"].(bool)
	}
	_, _, data := call(t, session, conductor.LoadToolSpecName, object{"names": []string{"numbers.add", "numbers.sub"}})
	own := data["conversation_id"].(string)
	if !strings.Contains(data["specs"].([]any)[0].(object)["typescript"].(string), "export declare function add(") {
		t.Errorf("specs: %v", data["specs"])
	}
	if got := data["unknown"].([]any)[0].(object)["name"]; got != "numbers.sub" {
		t.Errorf("unknown: %v", data["unknown"])
	}
	for _, test := range []struct {
		name string
		args object
		want bool
	}{
		{"the session's own", object{}, true},
		{"the same by its id", object{"conversation_id": own}, true},
		{"null is none", object{"conversation_id": nil}, true},
		{"another", object{"conversation_id": "another"}, false},
	} {
		if got := loaded(test.args); got != test.want {
			t.Errorf("%s: loaded is %v, want %v", test.name, got, test.want)
		}
	}
	_, _, data = call(t, session, conductor.FindToolsName, object{"query": "add", "conversation_id": "another"})
	if got := data["conversation_id"]; got != "another" {
		t.Errorf("conversation_id is %v", got)
	}
}

func TestWrongCalls(t *testing.T) {
	leaktest.Check(t)
	session, _ := serve(t.Context(), t, opener(t.Context(), t, nil))
	for _, test := range []struct {
		name, tool string
		args       any
		want       string
	}{
		{"no query", conductor.FindToolsName, object{}, "query or queries must say what the tool should do"},
		{"no arguments", conductor.FindToolsName, nil, "query or queries must say what the tool should do"},
		{"unknown argument", conductor.FindToolsName, object{"query": "x", "permissions": "all"}, `unknown field "permissions"`},
		{"unknown argument with an id", conductor.ExecuteCodeName, object{"code": "1", "allow_net": true, "conversation_id": "a"}, `unknown field "allow_net"`},
		{"wrong type", conductor.LoadToolSpecName, object{"names": "numbers.add"}, "names"},
		{"no names", conductor.LoadToolSpecName, object{"names": []string{}}, "names has 0 entries"},
		{"timeout", conductor.ExecuteCodeName, object{"code": "1", "timeout_ms": 1e9}, "timeout_ms"},
		{"id of a wrong type", conductor.FindToolsName, object{"query": "x", "conversation_id": 7}, "conversation_id must be a string"},
		{"id too long", conductor.FindToolsName, object{"query": "x", "conversation_id": strings.Repeat("x", 201)}, "conversation_id: invalid id: it has 201 bytes"},
		{"id with a line break", conductor.FindToolsName, object{"query": "x", "conversation_id": "a\nb"}, "conversation_id: invalid id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result, text, data := call(t, session, test.tool, test.args)
			if !result.IsError || data != nil || !strings.Contains(text, test.want) {
				t.Errorf("IsError %v, data %v, text %q; want an error with %q", result.IsError, data, text, test.want)
			}
		})
	}
}

func TestOpenFails(t *testing.T) {
	leaktest.Check(t)
	session, ended := serve(t.Context(), t, func(context.Context) (*conductor.Conductor, error) {
		return nil, errors.New("the store is locked")
	})
	result, text, _ := call(t, session, conductor.FindToolsName, object{"query": "x"})
	if !result.IsError || text != "find_tools could not run: the store is locked" {
		t.Errorf("IsError %v, text %q", result.IsError, text)
	}
	if err := session.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ended(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// TestServeEnds ends Serve while it opens, and while a program runs.
func TestServeEnds(t *testing.T) {
	ends := map[string]func(session *mcp.ClientSession, cancel context.CancelFunc){
		"client goes": func(session *mcp.ClientSession, _ context.CancelFunc) { go func() { _ = session.Close() }() },
		"ctx ends":    func(_ *mcp.ClientSession, cancel context.CancelFunc) { cancel() },
	}
	for name, end := range ends {
		t.Run(name+" while it opens", func(t *testing.T) {
			leaktest.Check(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			session, ended := serve(ctx, t, func(ctx context.Context) (*conductor.Conductor, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			})
			end(session, cancel)
			if err := ended(); err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
		t.Run(name+" while a program runs", func(t *testing.T) {
			requireDeno(t)
			leaktest.Check(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			started := make(chan struct{}, 1)
			session, ended := serve(ctx, t, opener(t.Context(), t, started))
			call(t, session, conductor.LoadToolSpecName, object{"names": []string{"numbers.wait"}})
			done := make(chan struct{})
			callCtx, cancelCall := context.WithCancel(t.Context())
			defer func() { cancelCall(); <-done }()
			go func() {
				defer close(done)
				_, _ = session.CallTool(callCtx, &mcp.CallToolParams{Name: conductor.ExecuteCodeName, Arguments: object{
					"code": `import * as numbers from "./mcp/numbers"; await numbers.wait();`}})
			}()
			<-started
			if name == "client goes" {
				cancelCall() // a client does not go while it waits
			}
			end(session, cancel)
			if err := ended(); err != nil {
				t.Errorf("Serve: %v", err)
			}
		})
	}
}

func requireDeno(t *testing.T) {
	t.Helper()
	if _, err := sandbox.FindDeno(t.Context(), nil); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("needs Deno: %v", err)
	}
}

func TestExecute(t *testing.T) {
	requireDeno(t)
	leaktest.Check(t)
	session, _ := serve(t.Context(), t, opener(t.Context(), t, nil))
	call(t, session, conductor.LoadToolSpecName, object{"names": []string{"numbers.add"}})
	result, text, data := call(t, session, conductor.ExecuteCodeName, object{
		"code": `import * as numbers from "./mcp/numbers"; return (await numbers.add({ a: 40, b: 2 })).sum;`})
	if result.IsError || text != "42\n" || data["value"] != 42.0 || data["phase"] != "ok" {
		t.Errorf("IsError %v, text %q, data %v", result.IsError, text, data)
	}
	// A program that fails is a result, with what it did.
	result, text, data = call(t, session, conductor.ExecuteCodeName, object{"code": "const a = 1;\nthrow new Error('no');"})
	if result.IsError || data["phase"] != "runtime_error" || data["error"].(object)["line"] != 2.0 || !strings.Contains(text, "runtime_error at line 2") {
		t.Errorf("IsError %v, text %q, data %v", result.IsError, text, data)
	}
}

// TestOutputSchemas compares the schemas, which are written by hand, with the
// types that they describe.
func TestOutputSchemas(t *testing.T) {
	session, _ := serve(t.Context(), t, func(context.Context) (*conductor.Conductor, error) { return nil, errors.New("unused") })
	list, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	types := map[string]reflect.Type{
		conductor.FindToolsName:    reflect.TypeFor[conductor.FindResult](),
		conductor.LoadToolSpecName: reflect.TypeFor[conductor.LoadResult](),
		conductor.ExecuteCodeName:  reflect.TypeFor[conductor.Result](),
	}
	for _, tool := range list.Tools {
		want, err := json.Marshal(schemaOf(types[tool.Name]))
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(shape(tool.OutputSchema))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s (-type +schema):\n%s", tool.Name, diff)
		}
	}
}

// schemaOf derives types, properties and required from a Go type.
func schemaOf(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
		return object{}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem())
	case t.Kind() == reflect.Slice:
		return object{"type": "array", "items": schemaOf(t.Elem())}
	case t.Kind() == reflect.String:
		return object{"type": "string"}
	case t.Kind() == reflect.Bool:
		return object{"type": "boolean"}
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return object{"type": "integer"}
	case t.Kind() == reflect.Float64:
		return object{"type": "number"}
	}
	properties, required := object{}, []any{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		properties[name] = schemaOf(f.Type)
		if options != "omitempty" {
			required = append(required, name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required}
}

// shape reduces a schema to what schemaOf derives.
func shape(schema any) object {
	s, _ := schema.(object)
	out := object{}
	for key, value := range s {
		switch key {
		case "type", "required":
			out[key] = value
		case "items":
			out[key] = shape(value)
		case "properties":
			properties := object{}
			for name, property := range value.(object) {
				properties[name] = shape(property)
			}
			out[key] = properties
		}
	}
	return out
}
