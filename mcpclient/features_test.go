package mcpclient_test

//lint:file-ignore SA1019 the servers of today have roots, sampling and logging.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
)

func init() {
	personalities["featured"] = func() { serve(featured()) }
	personalities["pages"] = pages
}

// featured is a server with everything beside tools, and tools that ask the client
// for something.
func featured() *mcp.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "featured", Version: "1"}, &mcp.ServerOptions{
		SubscribeHandler:   func(context.Context, *mcp.SubscribeRequest) error { return nil },
		UnsubscribeHandler: func(context.Context, *mcp.UnsubscribeRequest) error { return nil },
		CompletionHandler: func(_ context.Context, r *mcp.CompleteRequest) (*mcp.CompleteResult, error) {
			return &mcp.CompleteResult{Completion: mcp.CompletionResultDetails{
				Values: []string{r.Params.Ref.Type + r.Params.Ref.Name + r.Params.Ref.URI, r.Params.Argument.Value + "x"},
			}}, nil
		},
	})
	read := func(_ context.Context, r *mcp.ReadResourceRequest) (*mcp.ReadResourceResult, error) {
		if r.Params.URI == "mem://none" {
			return nil, mcp.ResourceNotFoundError(r.Params.URI)
		}
		return &mcp.ReadResourceResult{Contents: []*mcp.ResourceContents{
			{URI: r.Params.URI, MIMEType: "text/plain", Text: "hello"}, {URI: r.Params.URI + "/b", Blob: []byte{0, 255}},
		}}, nil
	}
	s.AddResource(&mcp.Resource{URI: "mem://a", Name: "a", Title: "A", MIMEType: "text/plain"}, read)
	s.AddResourceTemplate(&mcp.ResourceTemplate{URITemplate: "mem://{id}", Name: "any"}, read)
	s.AddPrompt(&mcp.Prompt{Name: "greet", Description: "says hello", Arguments: []*mcp.PromptArgument{{Name: "who", Required: true}}},
		func(_ context.Context, r *mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return &mcp.GetPromptResult{Messages: []*mcp.PromptMessage{{Role: "user", Content: &mcp.TextContent{Text: "hello " + r.Params.Arguments["who"]}}}}, nil
		})
	asking(s)
	return s
}

func asking(s *mcp.Server) {
	s.AddTool(&mcp.Tool{Name: "log", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		for range 300 {
			if err := r.Session.Log(ctx, &mcp.LoggingMessageParams{Level: "warning", Logger: "disk", Data: "nearly \x1b[31mfull"}); err != nil {
				return nil, err
			}
		}
		return &mcp.CallToolResult{}, nil
	})
	s.AddTool(&mcp.Tool{Name: "touch", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return &mcp.CallToolResult{}, s.ResourceUpdated(ctx, &mcp.ResourceUpdatedNotificationParams{URI: "mem://a"})
	})
	input := func(name string, request mcp.InputRequest) {
		s.AddTool(&mcp.Tool{Name: name, InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if r.Params.InputResponses == nil {
				return &mcp.CallToolResult{InputRequests: mcp.InputRequestMap{"q": request}}, nil
			}
			data, err := json.Marshal(r.Params.InputResponses["q"])
			return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: string(data)}}}, err
		})
	}
	input("elicit", &mcp.ElicitParams{Mode: "form", Message: "name\x1b[2J?",
		RequestedSchema: json.RawMessage(`{"type":"object","properties":{"name":{"type":"string","default":"nobody"}}}`)})
	input("visit", &mcp.ElicitParams{Mode: "url", Message: "log in", URL: "https://example.com/login", ElicitationID: "1"})
	input("visit_file", &mcp.ElicitParams{Mode: "url", Message: "log in", URL: "file:///etc/passwd", ElicitationID: "2"})
	input("sample", &mcp.CreateMessageParams{MaxTokens: 10, SystemPrompt: "be brief",
		Messages: []*mcp.SamplingMessage{{Role: "user", Content: &mcp.TextContent{Text: "2+2?"}}}})
	input("roots", &mcp.ListRootsParams{})
}

// eachEra runs a test against the featured server over transports of both eras.
func eachEra(t *testing.T, test func(t *testing.T, s mcpclient.Server, modern bool)) {
	handler := func(t *testing.T, o *mcp.StreamableHTTPOptions) string {
		s := featured()
		t.Cleanup(func() {
			for session := range s.Sessions() {
				_ = session.Close()
			}
		})
		return listen(t, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, o))
	}
	t.Run("stdio", func(t *testing.T) {
		leaktest.Check(t)
		s := self("featured")
		test(t, s, false)
	})
	t.Run("http 2025-11-25", func(t *testing.T) {
		leaktest.Check(t)
		test(t, mcpclient.Server{Name: "featured", URL: handler(t, nil)}, false)
	})
	t.Run("http 2026-07-28", func(t *testing.T) {
		leaktest.Check(t)
		test(t, mcpclient.Server{Name: "featured", URL: handler(t, &mcp.StreamableHTTPOptions{Stateless: true})}, true)
	})
}

func TestFeatures(t *testing.T) {
	eachEra(t, func(t *testing.T, s mcpclient.Server, modern bool) {
		c := ready(t, s)
		ctx := testContext(t)
		status := c.Status()[0]
		if want := (mcpclient.Capabilities{Tools: true, Resources: true, Subscribe: true, Prompts: true, Completions: true, Logging: true}); status.Capabilities != want {
			t.Errorf("capabilities %+v", status.Capabilities)
		}
		if (status.ProtocolVersion == "2026-07-28") != modern {
			t.Errorf("protocol %s", status.ProtocolVersion)
		}
		same := func(what string, want, got any, err error) {
			t.Helper()
			if err != nil {
				t.Errorf("%s: %v", what, err)
			} else if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", what, diff)
			}
		}
		resources, err := c.Resources(ctx, "featured", nil)
		same("resources", []mcpclient.Resource{{URI: "mem://a", Name: "a", Title: "A", MIMEType: "text/plain"}}, resources, err)
		templates, err := c.ResourceTemplates(ctx, "featured", nil)
		same("templates", []mcpclient.ResourceTemplate{{URITemplate: "mem://{id}", Name: "any"}}, templates, err)
		contents, err := c.ReadResource(ctx, "featured", "mem://a", nil)
		same("contents", []mcpclient.ResourceContents{{URI: "mem://a", MIMEType: "text/plain", Text: "hello"}, {URI: "mem://a/b", MIMEType: "text/plain", Blob: []byte{0, 255}}}, contents, err)
		prompts, err := c.Prompts(ctx, "featured", nil)
		same("prompts", []mcpclient.Prompt{{Name: "greet", Description: "says hello", Arguments: []mcpclient.PromptArgument{{Name: "who", Required: true}}}}, prompts, err)
		prompt, err := c.Prompt(ctx, "featured", "greet", map[string]string{"who": "you"}, nil)
		same("prompt", &mcpclient.PromptResult{Messages: []mcpclient.Message{{Role: "user", Content: mcpclient.Content{Type: "text", Text: "hello you"}}}}, prompt, err)
		completion, err := c.Complete(ctx, "featured", mcpclient.CompletionRequest{Prompt: "greet", Argument: "who", Value: "y"}, nil)
		same("completion", &mcpclient.Completion{Values: []string{"ref/promptgreet", "yx"}}, completion, err)
		completion, err = c.Complete(ctx, "featured", mcpclient.CompletionRequest{URITemplate: "mem://{id}", Argument: "id", Value: "1"}, nil)
		same("completion", &mcpclient.Completion{Values: []string{"ref/resourcemem://{id}", "1x"}}, completion, err)

		_, err = c.ReadResource(ctx, "featured", "mem://none", nil)
		var refused *mcpclient.ProtocolError
		var failed *mcpclient.CallError
		if !errors.As(err, &refused) || !errors.As(err, &failed) || failed.Tool != "resources/read" || failed.OutcomeUnknown {
			t.Errorf("a resource that does not exist: %v", err)
		}
		if _, err := c.Prompts(ctx, "nobody", nil); !errors.Is(err, mcpclient.ErrUnknownServer) {
			t.Errorf("an unknown server: %v", err)
		}
	})
}

// What only reads has no outcome that could be unknown, and none of it is a tool.
func TestFeaturesOfAServerThatBreaks(t *testing.T) {
	leaktest.Check(t)
	s := featured()
	inner := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true})
	c := ready(t, mcpclient.Server{Name: "featured", URL: listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Mcp-Method"), "resources/") || strings.Contains(r.Header.Get("Mcp-Method"), "prompts/") {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		inner.ServeHTTP(w, r)
	}))})
	for name, ask := range map[string]func() error{
		"list":   func() error { _, err := c.Resources(t.Context(), "featured", nil); return err },
		"read":   func() error { _, err := c.ReadResource(t.Context(), "featured", "mem://a", nil); return err },
		"prompt": func() error { _, err := c.Prompt(t.Context(), "featured", "greet", nil, nil); return err },
	} {
		var failed *mcpclient.CallError
		if err := ask(); !errors.As(err, &failed) || failed.OutcomeUnknown {
			t.Errorf("%s: %v", name, err)
		} else {
			wantNoText(t, err.Error(), "the tool")
		}
	}
}

// A server that does not announce a feature is not asked for it.
func TestNotOffered(t *testing.T) {
	leaktest.Check(t)
	c := ready(t, self("good"))
	for name, ask := range map[string]func() error{
		"resources": func() error { _, err := c.Resources(t.Context(), "good", nil); return err },
		"prompts":   func() error { _, err := c.Prompts(t.Context(), "good", nil); return err },
		"subscribe": func() error { return c.SubscribeResource(t.Context(), "good", "mem://a", nil) },
		"complete": func() error {
			_, err := c.Complete(t.Context(), "good", mcpclient.CompletionRequest{}, nil)
			return err
		},
	} {
		if err := ask(); !errors.Is(err, mcpclient.ErrNotOffered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the host sets is announced and used; what it does not set is refused.
func TestHost(t *testing.T) {
	host := mcpclient.Host{
		Elicit: func(ctx context.Context, e *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
			if _, ok := ctx.Deadline(); !ok {
				return nil, errors.New("there is no deadline")
			}
			if e.URL == "" && (e.Message != "name?" || !bytes.Contains(e.Schema, []byte("nobody")) || e.Server != "featured") {
				return nil, fmt.Errorf("asked for %+v", e)
			}
			return &mcpclient.ElicitationAnswer{Action: mcpclient.ElicitAccept}, nil
		},
		Sample: func(_ context.Context, s *mcpclient.Sampling) (*mcpclient.SamplingAnswer, error) {
			if s.SystemPrompt != "be brief" || s.MaxTokens != 10 || s.Messages[0].Content.Text != "2+2?" {
				return nil, fmt.Errorf("asked for %+v", s)
			}
			return &mcpclient.SamplingAnswer{Model: "m", Content: mcpclient.Content{Type: "text", Text: "4"}, StopReason: "endTurn"}, nil
		},
	}
	eachEra(t, func(t *testing.T, s mcpclient.Server, _ bool) {
		s.Roots = []mcpclient.Root{{URI: "file:///data", Name: "data"}}
		c := connect(t, &mcpclient.Options{Host: host}, s)
		for tool, want := range map[string]string{
			"elicit": `{"action":"accept","content":{"name":"nobody"}}`,
			"visit":  `{"action":"accept"}`,
			"sample": `"text":"4"`,
			"roots":  `{"roots":[{"name":"data","uri":"file:///data"}]}`,
		} {
			r := call(t, c, "featured", tool, "{}")
			wantText(t, r.Content[0].Text, want)
		}
		if err := refusal(t, c, "visit_file"); !strings.Contains(err, "not https://host/path") {
			t.Errorf("a URL that no browser should see: %v", err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		eachEra(t, func(t *testing.T, s mcpclient.Server, modern bool) {
			c := ready(t, s)
			for _, tool := range []string{"elicit", "sample"} {
				err := refusal(t, c, tool)
				if modern && !strings.Contains(err, "the tool asks for input from the user, which is not offered here") || !modern && !strings.Contains(err, "does not support") {
					t.Errorf("%s: %s", tool, err)
				}
			}
		})
	})
	t.Run("fails", func(t *testing.T) {
		leaktest.Check(t)
		log, logged := logger()
		c := connect(t, &mcpclient.Options{Logger: log, Host: mcpclient.Host{Elicit: func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
			return nil, errors.New("the secret reason")
		}}}, self("featured"))
		wantNoText(t, refusal(t, c, "elicit"), "secret reason")
		wantText(t, logged.String(), "secret reason")
	})
}

// refusal calls a tool that must fail, and returns what it said.
func refusal(t *testing.T, c *mcpclient.Client, tool string) string {
	t.Helper()
	r, err := c.Call(testContext(t), "featured", tool, nil, nil)
	if err != nil {
		return err.Error()
	}
	if !r.IsError {
		t.Fatalf("%s: got %+v", tool, r)
	}
	return r.Content[0].Text
}

func TestServerLogs(t *testing.T) {
	eachEra(t, func(t *testing.T, s mcpclient.Server, _ bool) {
		s.LogLevel = mcpclient.LogWarning
		messages := make(chan mcpclient.LogMessage, 1000)
		c := connect(t, &mcpclient.Options{Host: mcpclient.Host{OnLog: func(m mcpclient.LogMessage) { messages <- m }}}, s)
		call(t, c, "featured", "log", "{}")
		want := mcpclient.LogMessage{Server: "featured", Level: mcpclient.LogWarning, Logger: "disk", Text: "nearly full"}
		select {
		case got := <-messages:
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was logged")
		}
		time.Sleep(100 * time.Millisecond)
		if n := len(messages); n > 250 {
			t.Errorf("%d messages came through", n)
		}
	})
	t.Run("to the logger", func(t *testing.T) {
		leaktest.Check(t)
		s := self("featured")
		s.LogLevel = mcpclient.LogDebug
		log, logged := logger()
		c := connect(t, &mcpclient.Options{Logger: log}, s)
		call(t, c, "featured", "log", "{}")
		for deadline := time.Now().Add(10 * time.Second); !strings.Contains(logged.String(), "nearly full"); {
			if time.Now().After(deadline) {
				t.Fatalf("logged %q", logged.String())
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
}

func TestSubscribe(t *testing.T) {
	eachEra(t, func(t *testing.T, s mcpclient.Server, _ bool) {
		updated := make(chan string, 10)
		c := connect(t, &mcpclient.Options{Host: mcpclient.Host{OnResourceUpdated: func(server, uri string) { updated <- server + " " + uri }}}, s)
		if err := c.SubscribeResource(testContext(t), "featured", "mem://a", nil); err != nil {
			t.Fatal(err)
		}
		// The stream may be on its way, so a first change may go unnoticed.
		for deadline := time.Now().Add(20 * time.Second); ; {
			call(t, c, "featured", "touch", "{}")
			select {
			case got := <-updated:
				if got != "featured mem://a" {
					t.Errorf("got %q", got)
				}
			case <-time.After(100 * time.Millisecond):
				if time.Now().After(deadline) {
					t.Fatal("no update came")
				}
				continue
			}
			break
		}
		// It outlives the connection.
		if err := c.Reconnect("featured"); err != nil {
			t.Fatal(err)
		}
		if err := c.Settle(testContext(t), "featured"); err != nil {
			t.Fatal(err)
		}
		for drained := false; !drained; {
			select {
			case <-updated:
			default:
				drained = true
			}
		}
		eventually(t, "an update after reconnecting", func() bool {
			call(t, c, "featured", "touch", "{}")
			select {
			case <-updated:
				return true
			case <-time.After(100 * time.Millisecond):
				return false
			}
		})
		if err := c.UnsubscribeResource(testContext(t), "featured", "mem://a", nil); err != nil {
			t.Error(err)
		}
	})
}

// A subscription that fails the second time is still the first one.
func TestSubscribeAgain(t *testing.T) {
	eachEra(t, func(t *testing.T, s mcpclient.Server, _ bool) {
		updated := make(chan string, 10)
		c := connect(t, &mcpclient.Options{Host: mcpclient.Host{OnResourceUpdated: func(_, uri string) {
			select {
			case updated <- uri:
			default:
			}
		}}}, s)
		if err := c.SubscribeResource(testContext(t), "featured", "mem://a", nil); err != nil {
			t.Fatal(err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = c.SubscribeResource(ended, "featured", "mem://a", nil) // of 2026-07-28 it is a stream, for which nobody waits
		if err := c.Reconnect("featured"); err != nil {
			t.Fatal(err)
		}
		if err := c.Settle(testContext(t), "featured"); err != nil {
			t.Fatal(err)
		}
		for len(updated) > 0 {
			<-updated
		}
		eventually(t, "an update after reconnecting", func() bool {
			call(t, c, "featured", "touch", "{}")
			select {
			case <-updated:
				return true
			case <-time.After(100 * time.Millisecond):
				return false
			}
		})
	})
}

// pages answers resources/list as its environment says: for ever, or with nonsense.
func pages() {
	n := 0
	script(func(l line) string {
		switch l.Method {
		case "initialize":
			return `{"protocolVersion":"2025-06-18","capabilities":{"resources":{},"prompts":{}},"serverInfo":{"name":"pages","version":"0"}}`
		case "resources/list":
			n++
			return fmt.Sprintf(`{"resources":[{"uri":"mem://%d","name":"n"},{"name":"no uri"},17],"nextCursor":"%d"}`, n, n)
		case "resources/templates/list":
			return `{"resourceTemplates":[],"nextCursor":"same"}`
		case "resources/read":
			return `{"contents":"nonsense"}`
		case "prompts/list":
			return `{"prompts":[` + strings.TrimSuffix(strings.Repeat(`{"name":"p"},`, 10_001), ",") + `]}`
		}
		return `!{"code":-32601,"message":"unknown \u001b[1mmethod"}`
	})
}

// What a server lists has bounds, and what cannot be read is an error that says so.
func TestFeatureBounds(t *testing.T) {
	leaktest.Check(t)
	c := ready(t, self("pages"))
	for name, test := range map[string]struct {
		ask  func() error
		want string
	}{
		"pages":     {func() error { _, err := c.Resources(testContext(t), "pages", nil); return err }, "calling pages.resources/list: the list has more than 1000 pages"},
		"cursor":    {func() error { _, err := c.ResourceTemplates(testContext(t), "pages", nil); return err }, `the server repeats the cursor "same"`},
		"many":      {func() error { _, err := c.Prompts(testContext(t), "pages", nil); return err }, "the server lists more than 10000"},
		"malformed": {func() error { _, err := c.ReadResource(testContext(t), "pages", "mem://1", nil); return err }, "the result is not as MCP has it"},
		"refused":   {func() error { _, err := c.Prompt(testContext(t), "pages", "p", nil, nil); return err }, "server answered with error -32601: unknown method"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.ask(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// The host learns who is asked where the connection, or the call, says so.
func TestElicitationSaysForWhom(t *testing.T) {
	leaktest.Check(t)
	var whom []string
	host := mcpclient.Host{Elicit: func(_ context.Context, e *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
		whom = append(whom, e.Conversation)
		return nil, nil
	}}
	own := self("featured")
	own.Sharing = mcpclient.SharingPerConversation
	modern := featured()
	url := listen(t, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return modern }, &mcp.StreamableHTTPOptions{Stateless: true}))
	c := connect(t, &mcpclient.Options{Host: host}, own, mcpclient.Server{Name: "modern", URL: url})
	for _, server := range []string{"featured", "modern"} {
		r, err := c.Call(testContext(t), server, "elicit", nil, &mcpclient.CallOptions{Conversation: "of ada"})
		if err != nil {
			t.Fatal(err)
		}
		wantText(t, r.Content[0].Text, `{"action":"cancel"}`)
	}
	if diff := cmp.Diff([]string{"of ada", "of ada"}, whom); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// However much a server asks at a time, the host has four questions at most.
func TestHostRequestsAtATime(t *testing.T) {
	ask := func(t *testing.T, questions, conversations int) (most int, failure string) {
		leaktest.Check(t)
		requests := mcp.InputRequestMap{}
		for i := range questions {
			requests[fmt.Sprint(i)] = &mcp.ElicitParams{Mode: "form", Message: fmt.Sprint(i)}
		}
		s := mcp.NewServer(&mcp.Implementation{Name: "nosy", Version: "1"}, nil)
		s.AddTool(&mcp.Tool{Name: "ask", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(_ context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			if r.Params.InputResponses == nil {
				return &mcp.CallToolResult{InputRequests: requests}, nil
			}
			return &mcp.CallToolResult{}, nil
		})
		url := listen(t, mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return s }, &mcp.StreamableHTTPOptions{Stateless: true}))
		var mu sync.Mutex
		now := 0
		c := connect(t, &mcpclient.Options{Host: mcpclient.Host{Elicit: func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			time.Sleep(5 * time.Millisecond)
			mu.Lock()
			now--
			mu.Unlock()
			return nil, nil
		}}}, mcpclient.Server{Name: "nosy", URL: url, Sharing: mcpclient.SharingPerConversation})
		var group sync.WaitGroup
		for i := range conversations {
			group.Go(func() {
				if _, err := c.Call(testContext(t), "nosy", "ask", nil, &mcpclient.CallOptions{Conversation: fmt.Sprint(i)}); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failure = err.Error()
				}
			})
		}
		group.Wait()
		mu.Lock()
		defer mu.Unlock()
		return most, failure
	}
	t.Run("some", func(t *testing.T) {
		if most, failure := ask(t, 12, 1); most > mcpclient.MaxHostRequests || failure != "" {
			t.Errorf("%d at a time, %s", most, failure)
		}
	})
	t.Run("of conversations", func(t *testing.T) {
		if most, failure := ask(t, 6, 5); most > mcpclient.MaxHostRequests || failure != "" {
			t.Errorf("%d at a time, %s", most, failure)
		}
	})
	t.Run("too many", func(t *testing.T) {
		most, failure := ask(t, 1000, 1)
		if most > mcpclient.MaxHostRequests {
			t.Errorf("%d at a time", most)
		}
		wantText(t, failure, "this client is busy")
	})
}

// A server is told of what the host has, and of nothing else.
func TestAdvertised(t *testing.T) {
	elicit := func(context.Context, *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) { return nil, nil }
	sample := func(context.Context, *mcpclient.Sampling) (*mcpclient.SamplingAnswer, error) { return nil, nil }
	tests := []struct {
		name  string
		host  mcpclient.Host
		roots []mcpclient.Root
		want  string
	}{
		{"nothing", mcpclient.Host{OnLog: func(mcpclient.LogMessage) {}, OnResourceUpdated: func(string, string) {}}, nil, `{}`},
		{"elicitation", mcpclient.Host{Elicit: elicit}, nil, `{"elicitation":{"form":{},"url":{}}}`},
		{"sampling", mcpclient.Host{Sample: sample}, nil, `{"sampling":{}}`},
		{"roots", mcpclient.Host{}, []mcpclient.Root{{URI: "file:///data"}}, `{"roots":{}}`},
		{"all", mcpclient.Host{Elicit: elicit, Sample: sample}, []mcpclient.Root{{URI: "file:///data"}}, `{"elicitation":{"form":{},"url":{}},"roots":{},"sampling":{}}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			leaktest.Check(t)
			var told []byte
			s := &streamer{stream: func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusMethodNotAllowed) }}
			s.initialize = func(params json.RawMessage) {
				var p struct {
					Capabilities map[string]any `json:"capabilities"`
				}
				if err := json.Unmarshal(params, &p); err != nil {
					t.Error(err)
				}
				told, _ = json.Marshal(p.Capabilities)
			}
			connect(t, &mcpclient.Options{Host: test.host}, mcpclient.Server{Name: "x", URL: listen(t, s), Roots: test.roots})
			if diff := cmp.Diff(test.want, string(told)); diff != "" {
				t.Errorf("capabilities (-want +got):\n%s", diff)
			}
		})
	}
}

// A server of 2025-11-25 that wants the user to visit a URL before it does anything.
func TestVisitFirst(t *testing.T) {
	const complete = `{"jsonrpc":"2.0","method":"notifications/elicitation/complete","params":{"elicitationId":"7"}}`
	tests := []struct {
		name    string
		action  mcpclient.ElicitAction
		url     string
		unasked []string
		want    string // of the error; empty if the call is made
	}{
		{"visited", mcpclient.ElicitAccept, "https://example.com/", []string{complete}, ""},
		{"declined", mcpclient.ElicitDecline, "https://example.com/", []string{complete}, "server answered with error -32042: log in first"},
		{"never done", mcpclient.ElicitAccept, "https://example.com/", nil, "server answered with error -32042: log in first"},
		{"not for a browser", mcpclient.ElicitAccept, "javascript:alert(1)", []string{complete}, "-32042"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			leaktest.Check(t)
			calls, asked := 0, ""
			transport := piped(t, func(l line) string {
				switch l.Method {
				case "initialize":
					return `"result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"serverInfo":{"name":"x","version":"0"}}`
				case "tools/list":
					return `"result":{"tools":[{"name":"only"}]}`
				case "tools/call":
					if calls++; calls == 1 {
						return fmt.Sprintf(`"error":{"code":-32042,"message":"log in first","data":{"elicitations":[{"mode":"url","message":"log in","url":%q,"elicitationId":"7"}]}}`, test.url)
					}
					return `"result":{"content":[]}`
				}
				return `"error":{"code":-32601,"message":"no"}`
			}, test.unasked...)
			c := connect(t, &mcpclient.Options{Host: mcpclient.Host{Elicit: func(_ context.Context, e *mcpclient.Elicitation) (*mcpclient.ElicitationAnswer, error) {
				asked = e.URL
				return &mcpclient.ElicitationAnswer{Action: test.action}, nil
			}}}, mcpclient.Server{Name: "x", Transport: transport})
			timeout := 20 * time.Second
			if test.unasked == nil {
				timeout = 300 * time.Millisecond
			}
			_, err := c.Call(testContext(t), "x", "only", nil, &mcpclient.CallOptions{Timeout: timeout})
			switch {
			case test.want == "" && (err != nil || asked != test.url):
				t.Errorf("asked for %q, %v", asked, err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
