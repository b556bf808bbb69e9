package conductor_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
	"github.com/conductor/conductor/mcpclient"
)

// many is a server with n tools.
func many(t testing.TB, name string, n int) mcpclient.Server {
	s := mcp.NewServer(&mcp.Implementation{Name: name, Version: "1"}, nil)
	for i := range n {
		offer(s, fmt.Sprintf("tool%02d", i), "Does something", `{"type":"object"}`, func(context.Context, object) *mcp.CallToolResult { return text(`[{"a":1}]`) })
	}
	return mcpclient.Server{Name: name, Transport: serve(t, s)}
}

// Up to twenty tools are shown as they are.
func TestPromptOfFewTools(t *testing.T) {
	c := newConductor(t, &conductor.Options{LazySandbox: true, Servers: []mcpclient.Server{notes(t), broken, weather(t), {Name: "off", Command: "off", Disabled: true}}})
	conv := newConversation(t, c)
	load(t, conv, "weather.forecast", "notes.search-notes")
	load(t, conv, "notes.add_note", "weather.forecast")
	prompt := conv.Prompt()
	_, got, _ := strings.Cut(prompt, "All tools are listed below")
	want := `: there is no need for find_tools.

Tools:
- notes | Notes and reminders
  notes.add_note(args: { text: string }) // Write a note
  notes.delete_note(args: { id: string }) // Delete a note for good
  notes.scan() // Scan a picture
  notes.search_notes(args: { query: string; limit?: number }) // Search notes by words
  notes.wait() // Wait for ever
- weather | Forecasts for the whole world. Ask in metric units.
  weather.forecast(args: { city: string }): Promise<{ celsius: number }[]> // Weather forecast for a city

Loaded, ready to import:
import * as weather from "./mcp/weather";
- weather.forecast(args: { city: string }): Promise<{ celsius: number }[]>
import * as notes from "./mcp/notes";
- notes.search_notes(args: { query: string; limit?: number })
- notes.add_note(args: { text: string })

Not available now:
- broken: command "conductor-no-such-command" was not found in PATH: install it, or set Command to its full path
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("prompt (-want +got):\n%s", diff)
	}
	for range 20 {
		if again := conv.Prompt(); again != prompt {
			t.Fatalf("the prompt changes:\n%s", cmp.Diff(prompt, again))
		}
	}
}

func TestPromptOfManyTools(t *testing.T) {
	for _, test := range []struct {
		tools int
		want  string
	}{
		{20, "Tools:\n- many\n  many.tool00() // Does something\n"},
		{21, "Servers:\n- many (21 tools, complete): tool00, tool01, "},
		{100, "Servers:\n- many (100 tools, partial): tool00, tool01, "},
	} {
		t.Run(fmt.Sprint(test.tools), func(t *testing.T) {
			c := newConductor(t, &conductor.Options{LazySandbox: true, Servers: []mcpclient.Server{many(t, "many", test.tools)}})
			prompt := newConversation(t, c).Prompt()
			if !strings.Contains(prompt, test.want) {
				t.Errorf("prompt is\n%s\nwant in it\n%s", prompt, test.want)
			}
			if n := conductor.EstimateTokens(prompt); n > 600 {
				t.Errorf("the prompt takes %d tokens", n)
			}
		})
	}
	var servers []mcpclient.Server
	for i := range 60 {
		servers = append(servers, many(t, fmt.Sprintf("server%d", i), 5))
	}
	prompt := newConversation(t, newConductor(t, &conductor.Options{LazySandbox: true, Servers: servers})).Prompt()
	if !strings.HasSuffix(prompt, "- server49 (5 tools, complete): tool00, tool01, tool02, tool03, tool04\n- and 10 more servers: find_tools searches all\n") {
		t.Errorf("the end of\n%s", prompt)
	}
}

// A provider's cache keeps what it has: loading appends, programs and what was seen of
// results change nothing, and a server that is lost keeps its line.
func TestPromptOnlyGrows(t *testing.T) {
	for _, tools := range []int{5, 30} {
		t.Run(fmt.Sprint(tools), func(t *testing.T) {
			c := newConductor(t, &conductor.Options{Servers: []mcpclient.Server{many(t, "a", tools), fragile(t), many(t, "b", tools)}})
			conv := newConversation(t, c)
			last := conv.Prompt()
			step := func(what string, do func()) {
				t.Helper()
				do()
				next := conv.Prompt()
				if !strings.HasPrefix(next, last) {
					t.Errorf("%s changes the prompt:\n%s", what, cmp.Diff(last, next))
				}
				last = next
			}
			step("loading", func() { load(t, conv, "b.tool03", "fragile.die") })
			step("a program", func() {
				execute(t, conv, `import * as b from "./mcp/b"; return await b.tool03()`)
			})
			step("loading what is loaded", func() { load(t, conv, "b.tool03") })
			step("loading more", func() { load(t, conv, "a.tool01", "b.tool00") })
			step("losing a server", func() {
				execute(t, conv, `import * as fragile from "./mcp/fragile"; await fragile.die().catch(() => {})`)
			})
			if !strings.Contains(last, "\nNot available now:\n- fragile: ") {
				t.Errorf("the prompt does not say what is not available:\n%s", last)
			}
			resumed, err := c.Conversation(t.Context(), conv.ID())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(last, resumed.Prompt()); diff != "" {
				t.Errorf("another handle's prompt (-first +second):\n%s", diff)
			}
		})
	}
}

// The part that is kept follows the servers.
func TestPromptFollowsServers(t *testing.T) {
	c := newConductor(t, &conductor.Options{LazySandbox: true})
	conv := newConversation(t, c)
	narrow := as(t, conv, "", &conductor.Policy{Deny: []string{"b.*"}})
	check := func(want ...string) {
		t.Helper()
		for _, name := range []string{"a", "b"} {
			shown := strings.Contains(conv.Prompt(), "\n- "+name+"\n")
			if shown != slices.Contains(want, name) {
				t.Errorf("server %s: shown = %v, want %v", name, shown, want)
			}
			if strings.Contains(narrow.Prompt(), "\n- b\n") {
				t.Error("what a policy denies is shown")
			}
		}
	}
	check()
	for _, name := range []string{"a", "b"} {
		if err := c.AddServer(t.Context(), many(t, name, 3)); err != nil {
			t.Fatal(err)
		}
	}
	check("a", "b")
	if err := c.RemoveServer("a"); err != nil {
		t.Fatal(err)
	}
	check("b")
}

// What a server says of itself stays within its line.
func TestPromptIsBounded(t *testing.T) {
	s := mcp.NewServer(&mcp.Implementation{Name: "loud", Title: strings.Repeat("LOUD\n\u202e", 500), Version: "1"}, nil)
	for i := range 30 {
		offer(s, fmt.Sprintf("%s%d", strings.Repeat("x", 120), i), strings.Repeat("y ", 5000), `{"type":"object"}`, func(context.Context, object) *mcp.CallToolResult { return text("") })
	}
	c := newConductor(t, &conductor.Options{LazySandbox: true, Servers: []mcpclient.Server{{Name: "loud", Transport: serve(t, s)}}})
	prompt := newConversation(t, c).Prompt()
	if _, line, _ := strings.Cut(prompt, "Servers:\n"); len(line) > 1200 || strings.Count(line, "\n") != 1 || strings.Contains(line, "\u202e") {
		t.Errorf("%d bytes:\n%s", len(line), line)
	}
}

func ExampleConversation_Prompt() {
	ctx := context.Background()
	c, err := conductor.New(ctx, &conductor.Options{Servers: []mcpclient.Server{files(ctx)}, LazySandbox: true})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	conv, err := c.Conversation(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	first := conv.Prompt()
	if _, err := conv.LoadToolSpec(ctx, "files.read_file"); err != nil {
		log.Fatal(err)
	}
	added, same := strings.CutPrefix(conv.Prompt(), first)
	fmt.Println("the beginning is the same:", same)
	fmt.Print(added)
	// Output:
	// the beginning is the same: true
	//
	// Loaded, ready to import:
	// import * as files from "./mcp/files";
	// - files.read_file(args: { path: string })
}

// counted are texts with their number of tokens in the vocabulary o200k.
var counted = []struct {
	name, text string
	tokens     int
}{
	{"English", "The audit keeps a record of every call that a program makes: who made it, in which conversation, which tool was called, a hash of its arguments, the outcome and how long it took. If the record cannot be written, the call is not made, and the program gets an error that it can catch.", 64},
	{"a definition", "{\"name\":\"create_pull_request\",\"description\":\"Create a new pull request in a GitHub repository\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"owner\":{\"type\":\"string\",\"description\":\"Repository owner (username or organization)\"},\"repo\":{\"type\":\"string\",\"description\":\"Repository name\"},\"title\":{\"type\":\"string\"},\"draft\":{\"type\":\"boolean\",\"description\":\"Whether to create the pull request as a draft\"},\"maintainer_can_modify\":{\"type\":\"boolean\"}},\"required\":[\"owner\",\"repo\",\"title\"],\"additionalProperties\":false}}", 108},
	{"TypeScript", "import * as github from \"./mcp/github\";\nimport * as slack from \"./mcp/slack\";\n\nconst issues = await github.list_issues({ owner: \"acme\", repo: \"site\", state: \"open\" });\nconst stale = issues.filter((i) => Date.parse(i.updated_at) < Date.now() - 30 * 86_400_000);\nawait Promise.all(stale.map((i) => slack.post_message({ channel: \"#triage\", text: `${i.title} (${i.html_url})` })));\nreturn stale.length;\n", 115},
	{"signatures", "- github.search_repositories(args: { query: string; page?: number; perPage?: number }): Promise<any>\n- notion.API_post_page(args: { parent: { page_id: string }; properties: object }): Promise<any>\n- browser.browser_take_screenshot(args?: { raw?: boolean; filename?: string }): Promise<any>\n", 67},
	{"data", "[{\"id\":9001,\"email\":\"user0@example.com\",\"balance\":0.0,\"created\":\"2026-03-01T09:15:00Z\",\"tags\":[\"new\",\"eu-west-1\"]},{\"id\":9002,\"email\":\"user1@example.com\",\"balance\":1234.5,\"created\":\"2026-03-02T09:15:00Z\",\"tags\":[\"new\",\"eu-west-1\"]},{\"id\":9003,\"email\":\"user2@example.com\",\"balance\":2469.0,\"created\":\"2026-03-03T09:15:00Z\",\"tags\":[\"new\",\"eu-west-1\"]},{\"id\":9004,\"email\":\"user3@example.com\",\"balance\":3703.5,\"created\":\"2026-03-04T09:15:00Z\",\"tags\":[\"new\",\"eu-west-1\"]}]", 181},
	{"German", "Die Bestellung wurde am 14. März ausgelöst, aber die Rückmeldung des Lieferanten fehlt. Bitte prüfen Sie, ob die Überweisung eingegangen ist, und verständigen Sie den zuständigen Sachbearbeiter.", 44},
	{"Chinese", "会话会记住已经加载的工具，因此后面的消息只需要很少的令牌。工作区中的文件在会话结束之前一直保留，配额限制字节数和文件数。", 44},
	{"Russian", "Разговор помнит загруженные инструменты, поэтому следующие сообщения почти ничего не стоят. Файлы рабочей папки сохраняются до конца разговора.", 32},
}

func TestEstimateTokens(t *testing.T) {
	for _, test := range counted {
		t.Run(test.name, func(t *testing.T) {
			got := conductor.EstimateTokens(test.text)
			if off := float64(got)/float64(test.tokens) - 1; off < -0.15 || off > 0.15 {
				t.Errorf("%d tokens, o200k has %d: %+.0f %%", got, test.tokens, 100*off)
			}
		})
	}
	for text, want := range map[string]int{"": 0, "a": 1, " ": 1, "\xff\xfe": 2} {
		if got := conductor.EstimateTokens(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func FuzzEstimateTokens(f *testing.F) {
	f.Add("import * as x from './y';\n\n\t{\"a\": 12345}", "Überraschung 漢字")
	f.Fuzz(func(t *testing.T, a, b string) {
		n := conductor.EstimateTokens(a + "\n" + b)
		if n < 0 || n > 2*(len(a)+len(b)+1) {
			t.Errorf("%d tokens of %d bytes", n, len(a)+len(b))
		}
	})
}

func ExampleEstimateTokens() {
	definitions, err := json.Marshal(conductor.Definitions())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the three functions take about", conductor.EstimateTokens(string(definitions))/100*100, "tokens")
	// Output: the three functions take about 300 tokens
}
