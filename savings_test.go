package conductor_test

import (
	"context"
	"fmt"
	"log"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/mcpclient"
)

// warehouse has many tools, one of which returns much.
func warehouse(t testing.TB, tools int) mcpclient.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: "warehouse", Version: "1"}, nil)
	offer(s, "rows", "Returns all rows", `{"type":"object"}`, func(context.Context, object) *mcp.CallToolResult {
		return text("[" + strings.Repeat(`{"sku":"A-1234","stock":17,"place":"aisle 7"},`, 1000) + "0]")
	})
	for i := range tools - 1 {
		offer(s, fmt.Sprintf("tool%02d", i), "One of the many tools of this server, with a description of the usual length",
			`{"type":"object","properties":{"id":{"type":"string","description":"Which one"},"limit":{"type":"integer","description":"How many at most"}}}`,
			func(context.Context, object) *mcp.CallToolResult { return text("ok") })
	}
	return mcpclient.Server{Name: "warehouse", Transport: serve(t, s)}
}

func TestSavings(t *testing.T) {
	store := conversation.NewMemory(nil)
	c := newConductor(t, &conductor.Options{Store: store, Servers: []mcpclient.Server{warehouse(t, 60)}})
	conv := newConversation(t, c)
	if got := conv.Savings(); got != (conductor.Savings{}) || !strings.HasSuffix(got.Text(), "nothing to compare with\n") {
		t.Errorf("in the beginning: %+v\n%s", got, got.Text())
	}
	if _, err := conv.FindTools(t.Context(), "all rows", nil); err != nil {
		t.Fatal(err)
	}
	load(t, conv, "warehouse.rows")
	execute(t, conv, `return 1 + 1`)
	before := conv.Savings()
	if before.Requests != 3 || before.DirectRequests != 0 || before.Direct() != 0 || before.Saved() != -before.Spent() || before.PromptTokens < 3*300 || before.TextTokens < 50 {
		t.Errorf("without a call: %+v", before)
	}
	execute(t, conv, `import * as w from "./mcp/warehouse"; const [a, b] = await Promise.all([w.rows(), w.rows()]); return a.length + b.length`)
	got := conv.Savings()
	if got.Requests != 4 || got.DirectRequests != 1 || got.DirectSchemaTokens < 59*40 || got.DirectSchemaTokens > 60*100 ||
		got.DirectCallTokens < 2*1000*12 || got.DirectCallTokens > 2*1000*30 || got.Saved() != got.Direct()-got.Spent() || got.Saved() <= 0 {
		t.Errorf("with calls: %+v", got)
	}
	if text := got.Text(); !strings.Contains(text, "4 requests") || !strings.Contains(text, "in 1 request (") || !strings.Contains(text, "\nsaved: ") {
		t.Errorf("in words:\n%s", text)
	}
	// It is the conversation's, and not the handle's or the process's.
	other, err := newConductor(t, &conductor.Options{Store: store, LazySandbox: true}).Conversation(t.Context(), conv.ID())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, other.Savings()); diff != "" {
		t.Errorf("another replica (-first +second):\n%s", diff)
	}
	// Of tools that it may not use it would not have been told.
	bound := as(t, newConversation(t, c), "", &conductor.Policy{Allow: []string{"warehouse.rows"}})
	load(t, bound, "warehouse.rows")
	execute(t, bound, `import * as w from "./mcp/warehouse"; return (await w.rows()).length`)
	if s := bound.Savings(); s.DirectSchemaTokens > 100 {
		t.Errorf("bound by a policy: %+v", s)
	}
}

// Where programs lose, the report says so.
func TestSavingsLost(t *testing.T) {
	c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{warehouse(t, 3)}})
	conv := newConversation(t, c)
	load(t, conv, "warehouse.tool00")
	execute(t, conv, `import * as w from "./mcp/warehouse"; return await w.tool00({})`)
	got := conv.Savings()
	if text := got.Text(); got.Saved() >= 0 || !strings.Contains(text, "\nlost: ") || !strings.Contains(text, "more than direct tool calling") {
		t.Errorf("%+v\n%s", got, text)
	}
}

func TestSavingsAreComplete(t *testing.T) {
	c := newConductor(t, &conductor.Options{LazySandbox: true, Servers: []mcpclient.Server{warehouse(t, 30)}})
	conv := newConversation(t, c)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if _, err := conv.FindTools(t.Context(), "rows", nil); err != nil {
				t.Error(err)
			}
			load(t, conv, fmt.Sprintf("warehouse.tool%02d", i))
		})
	}
	wg.Wait()
	if got := conv.Savings().Requests; got != 40 {
		t.Errorf("%d requests, want 40", got)
	}
}

func ExampleConversation_Savings() {
	ctx := context.Background()
	c, err := conductor.New(ctx, &conductor.Options{Servers: []mcpclient.Server{files(ctx)}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := conv.LoadToolSpec(ctx, "files.read_file"); err != nil {
		log.Fatal(err)
	}
	_, err = conv.Execute(ctx, `
		import * as files from "./mcp/files";
		await Promise.all(Array.from({ length: 100 }, (_, i) => files.read_file({ path: i + ".txt" })));`, nil)
	if err != nil {
		log.Fatal(err)
	}
	savings := conv.Savings() // savings.Text() has it all in words
	fmt.Println("requests:", savings.Requests, "instead of", savings.DirectRequests, "at least")
	fmt.Println("two small tools are worth it:", savings.Saved() > 0)
	// Output:
	// requests: 2 instead of 1 at least
	// two small tools are worth it: false
}
