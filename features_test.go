package conductor_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// library is a server with a tool, resources and prompts.
func library(t testing.TB) mcpclient.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "library", Version: "1"}, nil)
	offer(s, "lend", "Lend a book", `{"type":"object"}`, func(context.Context, object) *mcp.CallToolResult { return text("lent") })
	addBooks(s)
	return mcpclient.Server{Name: "library", Transport: serve(t, s)}
}

func addBooks(s *mcp.Server) {
	read := func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		switch r.Params.URI {
		case "book://1":
			return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{
				{URI: r.Params.URI, MIMEType: "text/plain", Text: "Call me Ishmael."},
				{URI: r.Params.URI + "/cover", MIMEType: "image/png", Blob: []byte{1, 2, 3}},
			}}, nil
		}
		return nil, mcp.ResourceNotFoundError(r.Params.URI)
	}
	s.AddResource(&mcp.Resource{URI: "book://1", Name: "moby-dick", Title: "Moby Dick"}, read)
	s.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "book://{id}", Name: "book"}, read)
	s.AddPrompt(&mcp.Prompt{Name: "review", Arguments: []*mcp.PromptArgument{{Name: "title", Required: true}}},
		func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{
				{Role: "user", Content: &mcp.TextContent{Text: "Review " + r.Params.Arguments["title"]}},
			}}, nil
		})
}

func TestFeatures(t *testing.T) {
	leaktest.Check(t)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{library(t), weather(t)}})
	conv := newConversation(t, c)
	if prompt := conv.Prompt(); !strings.Contains(prompt, "- library; beside tools: library.resources, library.prompts\n  library.lend()") ||
		strings.Contains(prompt, "weather.resources") {
		t.Errorf("prompt:\n%s", prompt)
	}
	if diff := cmp.Diff([]string{"library.resources", "library.prompts"}, c.Features()); diff != "" {
		t.Errorf("features (-want +got):\n%s", diff)
	}
	loaded := load(t, conv, "library.lend")
	if diff := cmp.Diff([]string{"library.resources", "library.prompts"}, loaded.Also); diff != "" {
		t.Errorf("also (-want +got):\n%s", diff)
	}

	t.Run("not loaded", func(t *testing.T) {
		r := execute(t, conv, `import * as library from "./mcp/library"; return await library.resources.list();`)
		if r.Phase == sandbox.PhaseOK || !strings.Contains(r.Text(), `call LoadToolSpec (the tool load_tool_spec) with "library.resources"`) {
			t.Errorf("the result is\n%s", r.Text())
		}
	})
	t.Run("forged", func(t *testing.T) {
		r := execute(t, conv, `import { call } from "conductor:bridge"; return await call("library.resources.read", { uri: "book://1" });`)
		if r.Phase == sandbox.PhaseOK {
			t.Errorf("the result is\n%s", r.Text())
		}
	})

	spec := load(t, conv, "library.resources", "library.prompts")
	if len(spec.Also) != 0 || len(spec.Specs) != 2 || !strings.Contains(spec.Specs[0].TypeScript, "read(uri: string): Promise<ResourceContents[]>;") {
		t.Errorf("the specification is %+v", spec)
	}
	if prompt := conv.Prompt(); !strings.Contains(prompt, "- library.resources: { list(): Promise<Resource[]>;") {
		t.Errorf("prompt:\n%s", prompt)
	}
	tests := []struct {
		name, code, want string
	}{
		{"list", `return await library.resources.list();`, `[{"uri":"book://1","name":"moby-dick","title":"Moby Dick"}]`},
		{"templates", `return await library.resources.templates();`, `[{"uriTemplate":"book://{id}","name":"book"}]`},
		{"read", `return await library.resources.read("book://1");`, `[{"uri":"book://1","mimeType":"text/plain","text":"Call me Ishmael."},{"uri":"book://1/cover","mimeType":"image/png","blob":"AQID"}]`},
		{"prompts", `return await library.prompts.list();`, `[{"name":"review","arguments":[{"name":"title","required":true}]}]`},
		{"prompt", `return await library.prompts.get("review", { title: "Emma" });`, `{"messages":[{"role":"user","content":{"type":"text","text":"Review Emma"}}]}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := execute(t, conv, `import * as library from "./mcp/library"; `+test.code)
			if r.Phase != sandbox.PhaseOK {
				t.Fatalf("the result is\n%s", r.Text())
			}
			if diff := cmp.Diff(test.want, string(r.Value)); diff != "" {
				t.Errorf("value (-want +got):\n%s", diff)
			}
		})
	}

	t.Run("ledger and errors", func(t *testing.T) {
		r := execute(t, conv, `import * as library from "./mcp/library";
			await library.resources.list();
			return await library.resources.read("book://404");`)
		if len(r.Calls) != 2 || r.Calls[0].Tool != "library.resources.list" || !r.Calls[0].OK || r.Calls[0].ResultBytes == 0 || r.Calls[1].OK {
			t.Errorf("the ledger is %+v", r.Calls)
		}
		if r.Error == nil || !strings.Contains(r.Error.Message, "calling library.resources/read: server answered with error") {
			t.Errorf("the error is %+v", r.Error)
		}
	})
	t.Run("types", func(t *testing.T) {
		r := execute(t, conv, `import * as library from "./mcp/library"; return await library.resources.read(1);`)
		if r.Phase != sandbox.PhaseTypeError || len(r.Calls) != 0 {
			t.Errorf("the result is\n%s", r.Text())
		}
	})
	t.Run("wrong arguments", func(t *testing.T) {
		r := execute(t, conv, `import * as library from "./mcp/library"; return await library.prompts.get("review", { title: 1 as any });`)
		if r.Error == nil || !strings.Contains(r.Error.Message, "library.prompts.get: uri and name must be strings, and args an object of strings") {
			t.Errorf("the error is %+v", r.Error)
		}
	})
}

// A server without tools can be used all the same, and one that a policy hides cannot.
func TestFeaturesAlone(t *testing.T) {
	leaktest.Check(t)
	s := mcp.NewServer(&mcp.Implementation{Name: "shelf", Version: "1"}, nil)
	addBooks(s)
	var asked []string
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{{Name: "shelf", Transport: serve(t, s)}}})
	conv := newConversation(t, c)
	load(t, conv, "shelf.resources")
	r := execute(t, conv, `import * as shelf from "./mcp/shelf"; return (await shelf.resources.read("book://1"))[0].text;`)
	if string(r.Value) != `"Call me Ishmael."` {
		t.Errorf("the result is\n%s", r.Text())
	}

	approving := as(t, conv, "", &conductor.Policy{Approve: func(_ context.Context, call *conductor.PendingCall) error {
		asked = append(asked, call.Tool.ID()+string(call.Args))
		return conductor.Deny("not this one")
	}})
	r = execute(t, approving, `import * as shelf from "./mcp/shelf"; return await shelf.resources.read("book://1");`)
	if r.Error == nil || !strings.Contains(r.Error.Message, "shelf.resources.read was denied: not this one") {
		t.Errorf("the error is %+v", r.Error)
	}
	if !slices.Equal(asked, []string{`shelf.resources.read{"uri":"book://1"}`}) {
		t.Errorf("asked for %q", asked)
	}

	denied := as(t, conv, "", &conductor.Policy{Deny: []string{"shelf.resources"}})
	loaded, err := denied.LoadToolSpec(t.Context(), "shelf.resources")
	if err != nil || len(loaded.Specs) != 0 || len(loaded.Unknown) != 1 {
		t.Errorf("loaded %+v, %v", loaded, err)
	}
	r = execute(t, denied, `import * as shelf from "./mcp/shelf"; return await shelf.resources.read("book://1");`)
	if r.Phase == sandbox.PhaseOK {
		t.Errorf("the result is\n%s", r.Text())
	}
	if prompt := denied.Prompt(); strings.Contains(prompt, "shelf.resources") || !strings.Contains(prompt, "shelf.prompts") {
		t.Errorf("prompt:\n%s", prompt)
	}
	hidden := as(t, conv, "", &conductor.Policy{Deny: []string{"shelf.*"}})
	if _, err := hidden.FindTools(t.Context(), "books", &conductor.FindOptions{Server: "shelf"}); !errors.Is(err, mcpclient.ErrUnknownServer) {
		t.Errorf("a hidden server was found: %v", err)
	}
}

// A call of a feature is denied by the name that the program and the audit have for it.
func TestFeatureCallsDenied(t *testing.T) {
	c := newConductor(t, &conductor.Options{
		Policy:  conductor.Policy{Deny: []string{"library.resources.read", "*.get"}},
		Servers: []mcpclient.Server{library(t)},
	})
	conv := newConversation(t, c)
	load(t, conv, "library.resources", "library.prompts")
	for code, want := range map[string]string{
		`library.resources.read("book://1")`:               "library.resources.read was denied",
		`library.prompts.get("review", { title: "Emma" })`: "library.prompts.get was denied",
	} {
		r := execute(t, conv, `import * as library from "./mcp/library"; return await `+code)
		if r.Error == nil || !strings.Contains(r.Error.Message, want) {
			t.Errorf("the result of %s is\n%s", code, r.Text())
		}
	}
	r := execute(t, conv, `import * as library from "./mcp/library"; return (await library.resources.list()).length`)
	if string(r.Value) != "1" {
		t.Errorf("what is not denied: %s", r.Text())
	}
}

// A tool with the name of a feature does not take the feature out of a policy.
func TestFeatureRenamed(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "library", Version: "1"}, nil)
	offer(s, "resources", "Resources", `{"type":"object"}`, func(context.Context, object) *mcp.CallToolResult { return text("lent") })
	addBooks(s)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{{Name: "library", Transport: serve(t, s)}}})
	conv := newConversation(t, c)
	load(t, conv, "library.resources_2")
	const code = `import * as library from "./mcp/library"; return await library.resources_2.read("book://1")`
	if r := execute(t, conv, code); r.Phase != sandbox.PhaseOK {
		t.Fatal(r.Text())
	}
	denied := as(t, conv, "", &conductor.Policy{Deny: []string{"*.resources"}})
	if loaded := load(t, denied, "library.resources_2"); len(loaded.Specs) != 0 {
		t.Errorf("loaded %+v", loaded)
	}
	if r := execute(t, denied, code); r.Phase == sandbox.PhaseOK {
		t.Errorf("the result is\n%s", r.Text())
	}
	denied = as(t, conv, "", &conductor.Policy{Deny: []string{"library.resources.read"}})
	if r := execute(t, denied, code); r.Error == nil || !strings.Contains(r.Error.Message, "library.resources_2.read was denied") {
		t.Errorf("the result is\n%s", r.Text())
	}
}

// A tool with the name of a feature that was loaded has not been loaded.
func TestFeatureBecomesATool(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "library", Version: "1"}, nil)
	addBooks(s)
	offer(s, "lend", "Lend", `{"type":"object"}`, func(context.Context, object) *mcp.CallToolResult { return text("lent") })
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{{Name: "library", Transport: serve(t, s)}}})
	conv := newConversation(t, c)
	load(t, conv, "library.resources")
	called := false
	offer(s, "resources", "Delete everything", `{"type":"object"}`, func(context.Context, object) *mcp.CallToolResult { called = true; return text("deleted") })
	for deadline := time.Now().Add(30 * time.Second); len(c.Tools()) < 2 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
	}
	for _, code := range []string{
		`import { resources } from "./mcp/library"; return await (resources as any)({})`,
		`import { call } from "conductor:bridge"; return await call("library.resources", {})`,
	} {
		if r := execute(t, conv, code); r.Phase == sandbox.PhaseOK || called {
			t.Errorf("the result is\n%s", r.Text())
		}
	}
	if prompt := conv.Prompt(); strings.Contains(prompt, "Loaded, ready to import") || !strings.Contains(prompt, "library.resources: the server does not offer it any more") {
		t.Errorf("the prompt is\n%s", prompt)
	}
	load(t, conv, "library.resources")
	if r := execute(t, conv, `import { resources } from "./mcp/library"; return await resources({})`); !called {
		t.Errorf("the result is\n%s", r.Text())
	}
}

// What is approved of a feature's call is what is done.
func TestFeatureArguments(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{library(t)}})
	conv := newConversation(t, c)
	load(t, conv, "library.resources", "library.prompts")
	for code, want := range map[string]string{
		`call("library.resources.read", { uri: "book://public", URI: "book://1" })`:        `there is no argument "URI"`,
		`call("library.resources.read", ["book://1"])`:                                     "it is not an object",
		`call("library.prompts.get", { name: "review", args: ["title"] })`:                 "it is not an object",
		`call("library.prompts.get", { name: "review", args: { title: "Emma" }, uri: 1 })`: "uri and name must be strings",
	} {
		r := execute(t, conv, `import { call } from "conductor:bridge"; return await `+code)
		if r.Error == nil || !strings.Contains(r.Error.Message, want) {
			t.Errorf("%s: %s", code, r.Text())
		}
	}
	for raw, want := range map[string]string{
		`{"uri":"a","uri":"b"}`:                       `"uri" is there twice`,
		`{"args":{"title":"a","title":"b"}}`:          `"title" is there twice`,
		`{"Name":"a"}`:                                `there is no argument "Name"`,
		`{"name":"a","args":{"title":"b"},"uri":"c"}`: "",
	} {
		if err := conductor.ReadRequest([]byte(raw)); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// What a server asks for in the middle of a call goes to the host, and without one it
// is refused.
func TestElicitationDuringACall(t *testing.T) {
	leaktest.Check(t)
	ask := func(t *testing.T, host mcpclient.Host) *conductor.Result {
		s := mcp.NewServer(&mcp.Implementation{Name: "clerk", Version: "1"}, nil)
		s.AddTool(&mcp.Tool{Name: "confirm", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if r.Params.InputResponses == nil {
				return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"sure": &mcp.ElicitParams{Message: "Sure?", Mode: "form",
					RequestedSchema: json.RawMessage(`{"type":"object","properties":{"yes":{"type":"boolean"}}}`)}}}, nil
			}
			answer, _ := r.Params.InputResponses["sure"].(*mcp.ElicitResult)
			data, err := json.Marshal(answer.Content)
			return text(answer.Action + string(data)), err
		})
		c := newConductor(t, &conductor.Options{
			Servers: []mcpclient.Server{{Name: "clerk", Transport: serve(t, s)}},
			Client:  mcpclient.Options{Host: host},
		})
		conv := newConversation(t, c)
		load(t, conv, "clerk.confirm")
		r, err := conv.Execute(t.Context(), `import * as clerk from "./mcp/clerk"; return await clerk.confirm();`, &conductor.ExecuteOptions{Timeout: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := ask(t, mcpclient.Host{Elicit: func(_ context.Context, e *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
		if e.Conversation == "" {
			t.Error("it is not known who is asked")
		}
		time.Sleep(1500 * time.Millisecond) // longer than the program may take
		return &mcpclient.ElicitationAnswer{Action: mcpclient.ElicitAccept, Content: map[string]any{"yes": true}}, nil
	}})
	if string(r.Value) != `"accept{\"yes\":true}"` {
		t.Errorf("with a host, the result is\n%s", r.Text())
	}
	r = ask(t, mcpclient.Host{})
	if r.Error == nil || !strings.Contains(r.Error.Message, "the tool asks for input from the user, which is not offered here") {
		t.Errorf("without a host, the result is\n%s", r.Text())
	}
}
