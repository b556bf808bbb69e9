package conductor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// as returns the conversation bound by a policy too.
func as(t testing.TB, conv *conductor.Conversation, user string, p *conductor.Policy) *conductor.Conversation {
	t.Helper()
	bound, err := conv.As(user, p)
	if err != nil {
		t.Fatal(err)
	}
	return bound
}

// What is not permitted is nowhere to be seen, by whatever way one looks.
func TestPolicyHides(t *testing.T) {
	for _, test := range []struct {
		name                   string
		general, own           conductor.Policy
		hidden                 []string // tools
		server                 string   // that is hidden, or empty
		visible                []string
		prompt, notInThePrompt string
	}{
		{"deny a tool", conductor.Policy{Deny: []string{"*.delete_*"}}, conductor.Policy{},
			[]string{"notes.delete_note"}, "", []string{"notes.add_note", "weather.forecast"}, "  notes.add_note(", "delete_note"},
		{"allow a server", conductor.Policy{Allow: []string{"weather.*"}}, conductor.Policy{},
			[]string{"notes.add_note", "notes.search-notes"}, "notes", []string{"weather.forecast"}, "  weather.forecast(", "notes"},
		{"deny a function", conductor.Policy{Deny: []string{"notes.search_notes"}}, conductor.Policy{},
			[]string{"notes.search-notes"}, "", []string{"notes.add_note", "weather.forecast"}, "  notes.add_note(", "search_notes"},
		{"both lists", conductor.Policy{Allow: []string{"notes.*"}, Deny: []string{"notes.[ad]*"}}, conductor.Policy{},
			[]string{"notes.add_note", "notes.delete_note", "weather.forecast"}, "weather", []string{"notes.search-notes"}, "  notes.scan(", "add_note"},
		{"two policies", conductor.Policy{Allow: []string{"notes.*"}}, conductor.Policy{Deny: []string{"notes.scan", "notes.wait", "notes.add_note"}},
			[]string{"notes.scan", "notes.add_note", "weather.forecast"}, "weather", []string{"notes.search-notes"}, "  notes.delete_note(", "scan"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newConductor(t, &conductor.Options{LazySandbox: true, Policy: test.general, Servers: []mcpclient.Server{notes(t), weather(t)}})
			conv := as(t, newConversation(t, c), "", &test.own)
			found, err := conv.FindTools(t.Context(), "note forecast search delete scan wait add", &conductor.FindOptions{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, tool := range found.Tools {
				names = append(names, tool.Name)
			}
			for _, tool := range test.visible {
				if !slices.Contains(names, tool) {
					t.Errorf("%s is not among what was found: %v", tool, names)
				}
			}
			for _, tool := range test.hidden {
				if slices.Contains(names, tool) {
					t.Errorf("%s was found", tool)
				}
				unknown := load(t, conv, tool).Unknown
				if len(unknown) != 1 || unknown[0].Reason != "it may not be used in this conversation" || slices.Contains(unknown[0].Suggestions, tool) {
					t.Errorf("loading %s: %+v", tool, unknown)
				}
			}
			if unknown := load(t, conv, strings.ReplaceAll(test.hidden[0], "-", "_")+"s").Unknown; len(unknown) != 1 || slices.ContainsFunc(unknown[0].Suggestions, func(s string) bool { return slices.Contains(test.hidden, s) }) {
				t.Errorf("suggestions %+v", unknown)
			}
			if got := load(t, conv, test.visible...).Specs; len(got) != len(test.visible) {
				t.Errorf("%d of %v were loaded", len(got), test.visible)
			}
			if prompt := conv.Prompt(); !strings.Contains(prompt, test.prompt) || strings.Contains(prompt, test.notInThePrompt) {
				t.Errorf("prompt is\n%s", prompt)
			}
			if test.server == "" {
				return
			}
			_, err = conv.FindTools(t.Context(), "note", &conductor.FindOptions{Server: test.server})
			if !errors.Is(err, mcpclient.ErrUnknownServer) || strings.Contains(strings.TrimPrefix(err.Error(), `conductor: unknown server: there is no server "`+test.server), test.server) {
				t.Errorf("searching a hidden server: %v", err)
			}
		})
	}
}

// A server that is down is named only to those who may use something of it, as far as
// the patterns tell.
func TestPolicyHidesServersThatAreDown(t *testing.T) {
	c := newConductor(t, &conductor.Options{LazySandbox: true, Servers: []mcpclient.Server{broken, weather(t)}})
	free := newConversation(t, c)
	for _, test := range []struct {
		policy conductor.Policy
		shown  bool
	}{
		{conductor.Policy{}, true},
		{conductor.Policy{Deny: []string{"*.delete_*", "broken.x"}}, true},
		{conductor.Policy{Deny: []string{"broken.*"}}, false},
		{conductor.Policy{Deny: []string{"b*"}}, false},
		{conductor.Policy{Allow: []string{"weather.*"}}, false},
		{conductor.Policy{Allow: []string{"weather.*", "broken.one_tool"}}, true},
		{conductor.Policy{Allow: []string{"*.one_tool"}}, true},
		{conductor.Policy{Allow: []string{`\broken.*`}}, true},
		{conductor.Policy{Allow: []string{"br[aeiou]ken.*"}}, true},
	} {
		conv := as(t, free, "", &test.policy)
		found, err := conv.FindTools(t.Context(), "anything", nil)
		if err != nil {
			t.Fatal(err)
		}
		if shown := strings.Contains(conv.Prompt(), "broken"); shown != test.shown || (len(found.Unavailable) == 1) != test.shown {
			t.Errorf("%+v: shown in the prompt %v, unavailable %v; want %v", test.policy, shown, found.Unavailable, test.shown)
		}
	}
}

// A tool that was loaded before it was denied can no longer be imported or called.
func TestPolicyAfterLoading(t *testing.T) {
	store := conversation.NewMemory(nil)
	c := newConductor(t, &conductor.Options{Store: store, Servers: []mcpclient.Server{notes(t), weather(t)}})
	free := newConversation(t, c)
	load(t, free, "notes.add_note", "notes.search-notes", "weather.forecast")
	bound := as(t, free, "", &conductor.Policy{Deny: []string{"notes.add_note", "weather.*"}})
	for _, test := range []struct{ name, code, want string }{
		{"named", `import { add_note } from "./mcp/notes"; await add_note({ text: "x" })`, "notes.add_note: it may not be used in this conversation"},
		{"by the namespace", `import * as notes from "./mcp/notes"; await notes.add_note({ text: "x" })`, "notes.add_note: it may not be used in this conversation"},
		{"a hidden server", `import * as weather from "./mcp/weather"; await weather.forecast({ city: "Oslo" })`, `cannot import "./mcp/weather": a program can import ./mcp/notes`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := execute(t, bound, test.code)
			if result.Phase != sandbox.PhaseRejected || !strings.Contains(result.Error.Message, test.want) {
				t.Errorf("got %s\nwant %s", result.Text(), test.want)
			}
		})
	}
	result := execute(t, bound, `import * as notes from "./mcp/notes"; return (await notes.search_notes({ query: "rain" })).length`)
	if string(result.Value) != "2" {
		t.Errorf("a permitted tool: %s", result.Text())
	}
	if prompt := bound.Prompt(); strings.Contains(prompt, "add_note") || strings.Contains(prompt, "forecast") {
		t.Errorf("prompt is\n%s", prompt)
	}
	if result := execute(t, free, `import { add_note } from "./mcp/notes"; return await add_note({ text: "x" })`); string(result.Value) != `"written"` {
		t.Errorf("the handle that is not bound: %s", result.Text())
	}
}

// disk has tools with annotations.
func disk(t testing.TB) mcpclient.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "disk", Version: "1"}, nil)
	no := false
	for _, tool := range []*mcp.Tool{
		{Name: "read", Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true}},
		{Name: "append", Annotations: &mcp.ToolAnnotations{DestructiveHint: &no}},
		{Name: "format"},
	} {
		tool.InputSchema = json.RawMessage(`{"type":"object","properties":{"path":{"type":"string"}}}`)
		s.AddTool(tool, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return text("done: " + r.Params.Name), nil
		})
	}
	return mcpclient.Server{Name: "disk", Transport: serve(t, s)}
}

func TestApprove(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{disk(t)}})
	conv := newConversation(t, c)
	load(t, conv, "disk.read", "disk.append", "disk.format")
	for _, test := range []struct {
		name    string
		approve func(context.Context, *conductor.PendingCall) error
		want    string
	}{
		{"by annotations", func(_ context.Context, call *conductor.PendingCall) error {
			if a := call.Tool.Annotations; a.ReadOnlyHint || a.DestructiveHint != nil && !*a.DestructiveHint {
				return nil
			}
			return conductor.Deny("formatting needs a ticket")
		}, `["done: read","done: append","ToolError disk.format was denied: formatting needs a ticket {\"denied\":true,\"reason\":\"formatting needs a ticket\"}"]`},
		{"by arguments and user", func(_ context.Context, call *conductor.PendingCall) error {
			if call.User == "ada" && call.ConversationID == conv.ID() && string(call.Args) == `{"path":"/b"}` {
				return conductor.Deny(call.Tool.Name)
			}
			call.Args = nil // changes nothing
			return nil
		}, `["done: read","ToolError disk.append was denied: append {\"denied\":true,\"reason\":\"append\"}","done: format"]`},
		{"a hook that fails", func(context.Context, *conductor.PendingCall) error {
			return errors.New("dial tcp 10.0.0.7: s3cret")
		}, `["ToolError disk.read was denied: X","ToolError disk.append was denied: X","ToolError disk.format was denied: X"]`},
	} {
		t.Run(test.name, func(t *testing.T) {
			result := execute(t, as(t, conv, "ada", &conductor.Policy{Approve: test.approve}), `
				import * as disk from "./mcp/disk";
				const calls = [disk.read({ path: "/a" }), disk.append({ path: "/b" }), disk.format({ path: "/c" })];
				return await Promise.all(calls.map((c) => c.catch((e) => e.name + " " + e.message + " " + JSON.stringify(e.data))));`)
			const unknown = "whether it may be called could not be found out"
			want := strings.ReplaceAll(test.want, "X", unknown+` {\"denied\":true,\"reason\":\"`+unknown+`\"}`)
			if string(result.Value) != want {
				t.Errorf("got  %s\nwant %s", result.Text(), want)
			}
		})
	}
}

// While a person thinks, the run's clock stands still.
func TestApproveWaits(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{disk(t)}})
	conv := newConversation(t, c)
	load(t, conv, "disk.read")
	slow := as(t, conv, "", &conductor.Policy{Approve: func(ctx context.Context, _ *conductor.PendingCall) error {
		select {
		case <-time.After(2500 * time.Millisecond):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	code := `import * as disk from "./mcp/disk"; return await disk.read({})`
	result, err := slow.Execute(t.Context(), code, &conductor.ExecuteOptions{Timeout: 2 * time.Second})
	if err != nil || string(result.Value) != `"done: read"` {
		t.Fatalf("%v, %v", result, err)
	}
	if result.DurationMS >= 2000 {
		t.Errorf("the run took %v ms of its two seconds", result.DurationMS)
	}
	ctx, cancel := context.WithCancel(t.Context())
	never := as(t, conv, "", &conductor.Policy{Approve: func(ctx context.Context, _ *conductor.PendingCall) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}})
	if result, err := never.Execute(ctx, code, nil); !errors.Is(err, context.Canceled) || result.Phase != sandbox.PhaseCancelled {
		t.Errorf("cancelled while asking: %v, %v", result, err)
	}
}

func TestPolicyRefused(t *testing.T) {
	for _, pattern := range []string{"", "github", "git[hub.x", `a.b\`} {
		policy := conductor.Policy{Deny: []string{pattern}}
		want := fmt.Sprintf("Policy.Deny: %q", pattern)
		if _, err := conductor.New(t.Context(), &conductor.Options{LazySandbox: true, Policy: policy}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New with %q: %v", pattern, err)
		}
		c := newConductor(t, &conductor.Options{LazySandbox: true})
		if _, err := newConversation(t, c).As("", &policy); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("As with %q: %v", pattern, err)
		}
	}
	// What a caller does to its lists later changes nothing.
	deny := []string{"notes.add_note"}
	c := newConductor(t, &conductor.Options{LazySandbox: true, Policy: conductor.Policy{Deny: deny}, Servers: []mcpclient.Server{notes(t)}})
	deny[0] = "x.y"
	if diff := cmp.Diff(1, len(load(t, newConversation(t, c), "notes.add_note").Unknown)); diff != "" {
		t.Errorf("the list is shared with its caller")
	}
}
