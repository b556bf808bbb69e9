package conductor_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/internal/leaktest"
	"github.com/conductor/conductor/mcpclient"
	"github.com/conductor/conductor/sandbox"
)

// A shop is a server in this process whose tools can change, and that can be connected
// again and again.
func shop(t testing.TB) (*mcp.Server, mcpclient.Server) {
	s := mcp.NewServer(&mcp.Implementation{Name: "shop", Version: "1"}, nil)
	offer(s, "list_orders", "List the orders of a customer", `{"type":"object","properties":{"customer":{"type":"string"}}}`, func(context.Context, object) *mcp.CallToolResult {
		return text(`[1,2]`)
	})
	ctx, cancel := context.WithCancel(context.Background())
	var served []chan struct{}
	t.Cleanup(func() {
		cancel()
		for _, done := range served {
			<-done
		}
	})
	return s, mcpclient.Server{Name: "shop", Dial: func(context.Context) (mcp.Transport, error) {
		near, far := mcp.NewInMemoryTransports()
		done := make(chan struct{})
		served = append(served, done) // one attempt at a time
		go func() {
			defer close(done)
			_ = s.Run(ctx, far) // ends with the client or the test
		}()
		return near, nil
	}}
}

func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it never came about that %s", what)
		}
	}
}

// finds tells whether a search finds a tool, with this in its signature.
func finds(t testing.TB, conv *conductor.Conversation, query, name, signature string) bool {
	t.Helper()
	found, err := conv.FindTools(t.Context(), query, nil)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(found.Tools, func(f conductor.FoundTool) bool {
		return f.Name == name && strings.Contains(f.Signature, signature)
	})
}

func TestToolsChange(t *testing.T) {
	leaktest.Check(t)
	server, config := shop(t)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{config}, LazySandbox: true})
	conv := newConversation(t, c)
	offer(server, "refund", "Give money back", `{"type":"object","properties":{"order":{"type":"integer"}}}`, func(context.Context, object) *mcp.CallToolResult { return text("done") })
	eventually(t, "a new tool is found", func() bool { return finds(t, conv, "give money back", "shop.refund", "order?: number") })
	offer(server, "refund", "Give money back", `{"type":"object","properties":{"amount":{"type":"number"}}}`, func(context.Context, object) *mcp.CallToolResult { return text("done") })
	eventually(t, "a changed tool has its new type", func() bool { return finds(t, conv, "give money back", "shop.refund", "amount?: number") })
	server.RemoveTools("refund")
	eventually(t, "a removed tool is gone", func() bool { return !finds(t, conv, "give money back", "shop.refund", "") })
	if result := load(t, conv, "shop.list_orders", "shop.refund"); len(result.Specs) != 1 || len(result.Unknown) != 1 {
		t.Errorf("loaded %+v", result)
	}
}

func TestManageServers(t *testing.T) {
	leaktest.Check(t)
	_, config := shop(t)
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{weather(t)}})
	conv := newConversation(t, c)
	if err := c.AddServer(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	load(t, conv, "shop.list_orders")
	if err := c.AddServer(t.Context(), mcpclient.Server{Name: "a_b", Command: "x", Disabled: true}); err != nil {
		t.Fatal(err)
	}
	const program = `import * as shop from "./mcp/shop"; return (await shop.list_orders()).length`
	if result := execute(t, conv, program); string(result.Value) != "2" {
		t.Fatal(result.Text())
	}
	for name, s := range map[string]mcpclient.Server{
		"is used already":                 config,
		"would both be the module":        {Name: "a b", Command: "x"},
		"none of Command, URL, Transport": {Name: "other"},
	} {
		if err := c.AddServer(t.Context(), s); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q in it", err, name)
		}
	}
	if err := c.DisableServer("shop"); err != nil {
		t.Fatal(err)
	}
	if finds(t, conv, "orders of a customer", "shop.list_orders", "") {
		t.Error("a tool of a disabled server is found")
	}
	if result := execute(t, conv, program); result.Phase != sandbox.PhaseRejected || !strings.Contains(result.Error.Message, "it is disabled") {
		t.Error(result.Text())
	}
	if err := c.EnableServer("shop"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "an enabled server is found again", func() bool { return finds(t, conv, "orders of a customer", "shop.list_orders", "") })
	if err := c.ReconnectServer("shop"); err != nil {
		t.Fatal(err)
	}
	if result := execute(t, conv, program); string(result.Value) != "2" {
		t.Error(result.Text())
	}
	_, odd := shop(t)
	odd.Name = "my shop"
	if err := c.AddServer(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	if prompt := conv.Prompt(); !strings.Contains(prompt, `my shop, imported from "./mcp/my_shop"`) {
		t.Errorf("the prompt does not say what the module is called:\n%s", prompt)
	}
	if err := c.RemoveServer("my shop"); err != nil {
		t.Fatal(err)
	}
	if err := c.RemoveServer("shop"); err != nil {
		t.Fatal(err)
	}
	if len(c.Status()) != 2 || finds(t, conv, "orders of a customer", "shop.list_orders", "") || strings.Contains(conv.Prompt(), "- shop") {
		t.Errorf("a removed server is still known: %+v\n%s", c.Status(), conv.Prompt())
	}
	for _, change := range []func(string) error{c.RemoveServer, c.DisableServer, c.EnableServer, c.ReconnectServer} {
		if err := change("shop"); !errors.Is(err, mcpclient.ErrUnknownServer) {
			t.Errorf("error %v", err)
		}
	}
	if err := c.AddServer(t.Context(), config); err != nil {
		t.Errorf("the name is not free again: %v", err)
	}
}

func TestProgressIsLogged(t *testing.T) {
	leaktest.Check(t)
	server, config := shop(t)
	seen := make(chan struct{})
	server.AddTool(&mcp.Tool{Name: "export", InputSchema: json.RawMessage(`{"type":"object"}`)}, func(ctx context.Context, r *mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		token := r.Params.GetProgressToken()
		if token == nil {
			return nil, errors.New("nobody wants to know")
		}
		for i := range 3 {
			if err := r.Session.NotifyProgress(ctx, &mcp.ProgressNotificationParams{ProgressToken: token, Progress: float64(i + 1), Total: 3, Message: "rows"}); err != nil {
				return nil, err
			}
		}
		<-seen // what is on its way when a call ends may be lost
		return text("exported"), nil
	})
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{config}})
	conv := newConversation(t, c)
	load(t, conv, "shop.export")
	var lines []string
	result, err := conv.Execute(t.Context(), `import * as shop from "./mcp/shop"; console.log("go"); return await shop.export()`,
		&conductor.ExecuteOptions{OnLog: func(l sandbox.Log) {
			if lines = append(lines, l.Message); strings.Contains(l.Message, "3/3") {
				close(seen)
			}
		}})
	if err != nil || string(result.Value) != `"exported"` {
		t.Fatalf("%v, %s", err, result.Text())
	}
	// Those that follow each other closely are left out, but for the last.
	if len(lines) < 3 || lines[0] != "go" || lines[1] != "shop.export: 1/3 rows" || lines[len(lines)-1] != "shop.export: 3/3 rows" {
		t.Errorf("logged %q", lines)
	}
}

// A server is told that nobody waits for a call any more when its program has ended.
func TestRunThatEndsCancelsItsCalls(t *testing.T) {
	leaktest.Check(t)
	server, config := shop(t)
	cancelled := make(chan struct{}, 2)
	offer(server, "hang", "Wait", `{"type":"object"}`, func(ctx context.Context, _ object) *mcp.CallToolResult {
		<-ctx.Done()
		cancelled <- struct{}{}
		return text("")
	})
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{config}})
	conv := newConversation(t, c)
	load(t, conv, "shop.hang")
	for name, program := range map[string]string{
		"timeout":    `import * as shop from "./mcp/shop"; await shop.hang()`,
		"not waited": `import * as shop from "./mcp/shop"; shop.hang().catch(() => {}); await new Promise((r) => setTimeout(r, 200)); return 1`,
	} {
		if _, err := conv.Execute(t.Context(), program, &conductor.ExecuteOptions{Timeout: time.Second}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-cancelled:
		case <-time.After(20 * time.Second):
			t.Errorf("%s: the server was not told", name)
		}
	}
}
