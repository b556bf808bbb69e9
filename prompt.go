package conductor

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/conductor/conductor/codegen"
	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/mcpclient"
)

const (
	// maxWhole is up to how many tools in all the prompt shows each with its signature.
	maxWhole = 20
	// maxListedServers bounds the lines of a prompt, maxListedDown those of servers that
	// are not available.
	maxListedServers = 50
	maxListedDown    = 20
	// serverTokens are divided among the servers, so that more servers mean shorter
	// lines. They depend on nothing else, so that no line depends on another one.
	serverTokens = 480
	minLine      = 32
	maxLine      = 160
	// maxAbout is how many bytes a server may say of itself in its line, and
	// maxWholeAbout what a tool may where all of them are shown.
	maxAbout      = 60
	maxWholeAbout = 80
	// maxShownReason is how many bytes of a failure the prompt shows; search results
	// have more of it.
	maxShownReason = 120
)

// promptRules are what models otherwise stumble over.
const promptRules = `You use tools by writing TypeScript programs:
1. find_tools finds tools by what they do.
2. load_tool_spec shows their types and makes them importable for the rest of the conversation. Load all you need at once.
3. execute_code runs a program, e.g.
import * as crm from "./mcp/crm";
const [a, b] = await Promise.all([crm.get({ id: 1 }), crm.get({ id: 2 })]);
return a.total + b.total;
- What an earlier program imported is still imported. Results are parsed already: no JSON.parse.
- Make independent calls together, with Promise.all.
- Filter, join and count in the program; return only what you need.
- A failed call throws a ToolError (message, data). Do not just run a program again that may have changed something before it failed: look first.
`

// wholeRule takes the place of the first step where all tools are shown.
const wholeRule = "- All tools are listed below: there is no need for find_tools.\n"

// workspaceRule is for conversations with a folder.
const workspaceRule = `- Programs share a working folder that lasts: await Deno.writeTextFile("a.csv", text), Deno.readTextFile("a.csv").
`

// Prompt is the section of the system prompt that tells a model, at this moment, how
// to use the tools, which servers there are and whether a server's line names all of
// its tools (complete) or not (partial), which tools are loaded, which of these have
// changed since, and which servers are not available. Up to 20 tools in all are shown
// with their signatures.
//
// It is made for a provider's prompt cache: what changes least comes first. While the
// servers stay the same, loading a tool only appends to it, but for the end, which says
// what has changed and what is not available; and a server that is lost keeps its line.
// The same state gives the same bytes.
func (v *Conversation) Prompt() string {
	v.mu.Lock()
	state := v.state
	v.mu.Unlock()

	served, _ := v.served()
	return served + v.loadedLines(&state) + v.driftLines(&state) + v.downLines()
}

// A servedPrompt is the part of prompts that is the same until the servers or their
// tools change. It is kept, since it is counted with every step of a conversation.
type servedPrompt struct {
	generation int // of the Conductor's modules
	text       string
	tokens     int
}

func (v *Conversation) served() (text string, tokens int) {
	v.c.mu.RLock()
	kept, generation := v.c.served, v.c.generation
	v.c.mu.RUnlock()
	if kept.generation == generation && !v.narrowed {
		return kept.text, kept.tokens
	}
	now := servedPrompt{generation: generation, text: v.makeServed()}
	now.tokens = EstimateTokens(now.text)
	if !v.narrowed {
		v.c.mu.Lock()
		v.c.served = now
		v.c.mu.Unlock()
	}
	return now.text, now.tokens
}

func (v *Conversation) makeServed() string {
	var b strings.Builder
	b.WriteString("# Tools by program\n\n" + promptRules)
	if v.c.workspaces != nil {
		b.WriteString(workspaceRule)
	}
	servers := v.servers()
	tools := 0
	for _, s := range servers {
		tools += len(v.tools(s))
	}
	if tools > 0 && tools <= maxWhole {
		b.WriteString(wholeRule + "\nTools:\n")
		for _, s := range servers {
			v.writeWhole(&b, s)
		}
		return b.String()
	}
	b.WriteString("\nServers:\n")
	line := min(max(serverTokens/max(len(servers), 1), minLine), maxLine)
	for _, s := range servers[:min(len(servers), maxListedServers)] {
		b.WriteString(v.serverLine(s, line) + "\n")
	}
	if more := len(servers) - maxListedServers; more > 0 {
		fmt.Fprintf(&b, "- and %d more servers: find_tools searches all\n", more)
	}
	if len(servers) == 0 {
		b.WriteString("- none is connected\n")
	}
	return b.String()
}

// writeWhole shows all tools of a server.
func (v *Conversation) writeWhole(b *strings.Builder, server *codegen.Server) {
	shown := v.c.presentation(server.Name())
	b.WriteString("- " + imported(server) + v.beside(server))
	if shown.about != "" {
		b.WriteString(" | " + shown.about)
	}
	b.WriteString("\n")
	for _, tool := range v.tools(server) {
		b.WriteString("  " + shown.lines[tool] + "\n")
	}
}

// serverLine names as many tools of a server as fit into a number of tokens.
func (v *Conversation) serverLine(server *codegen.Server, tokens int) string {
	tools := v.tools(server)
	end := v.beside(server)
	if about := v.c.presentation(server.Name()).about; about != "" {
		end += " | " + about
	}
	line := func(shown int) string {
		names := make([]string, shown)
		for i := range names {
			names[i] = oneLine(tools[i], maxAbout)
		}
		if shown == len(tools) {
			return fmt.Sprintf("- %s (%d %s, complete): %s%s", server.Name(), shown, plural(shown, "tool"), strings.Join(names, ", "), end)
		}
		return fmt.Sprintf("- %s (%d tools, partial): %s, …%s", server.Name(), len(tools), strings.Join(names, ", "), end)
	}
	most := min(len(tools), tokens) // a name is a token at least
	if most == len(tools) && EstimateTokens(line(most)) <= tokens {
		return line(most)
	}
	shown := sort.Search(most, func(n int) bool { return EstimateTokens(line(n+1)) > tokens })
	return line(max(shown, min(len(tools), 1)))
}

// imported is a server's name, with its module where that is called otherwise. Longer
// lists go without: whoever loads a tool reads how it is imported.
func imported(server *codegen.Server) string {
	if server.ModulePath() == "./mcp/"+server.Name() {
		return server.Name()
	}
	return fmt.Sprintf("%s, imported from %q", server.Name(), server.ModulePath())
}

// beside names what a server offers beside its tools.
func (v *Conversation) beside(server *codegen.Server) string {
	features := v.features(server)
	if len(features) == 0 {
		return ""
	}
	return "; beside tools: " + strings.Join(features, ", ")
}

// A presentation is what the prompt says of a server as long as it does not change.
type presentation struct {
	about string // what the server says of itself, or nothing
	// lines show the tools of a server with few, as they were when it was indexed: what
	// was observed of results since would change the prompt.
	lines map[string]string
	// schemaTokens are those of the tools' definitions, allTokens those of all of them.
	schemaTokens map[string]int
	allTokens    int
}

func present(s mcpclient.Status, module *codegen.Server, tools []mcpclient.Tool) presentation {
	p := presentation{
		about: oneLine(cmp.Or(s.Title, s.Instructions), maxAbout),
		lines: map[string]string{}, schemaTokens: map[string]int{},
	}
	for i := range tools {
		t := &tools[i]
		if _, repeated := p.schemaTokens[t.Name]; !repeated {
			p.schemaTokens[t.Name] = definitionOf(t)
			p.allTokens += p.schemaTokens[t.Name]
		}
		if len(tools) > maxWhole {
			continue
		}
		p.lines[t.Name] = shortSignature(module.Signature(t.Name))
		if about := oneLine(t.Description, maxWholeAbout); about != "" {
			p.lines[t.Name] += " // " + about
		}
	}
	return p
}

func (c *Conductor) presentation(server string) presentation {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.presentations[server]
}

// shortSignature leaves out a result of which nothing is known.
func shortSignature(signature string) string { return strings.TrimSuffix(signature, ": Promise<any>") }

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// loadedLines lists the loaded tools in the order in which they were loaded, each
// module's import with its first one, so that one more tool comes last. The signatures
// are those that the model has seen when it loaded them.
func (v *Conversation) loadedLines(state *conversation.State) string {
	var b strings.Builder
	servers := v.servers()
	imported := map[string]bool{}
	for _, loaded := range state.Loaded {
		i := slices.IndexFunc(servers, func(s *codegen.Server) bool {
			_, ok := loadedTool(s, loaded)
			return ok
		})
		if i < 0 || !v.permits(loaded.ID) {
			continue
		}
		server := servers[i]
		if b.Len() == 0 {
			b.WriteString("\nLoaded, ready to import:\n")
		}
		if !imported[server.Name()] {
			imported[server.Name()] = true
			b.WriteString(server.ImportLine() + "\n")
		}
		signature := loaded.Signature
		if signature == "" {
			signature = server.Signature(strings.TrimPrefix(loaded.ID, server.Name()+"."))
		}
		b.WriteString("- " + shortSignature(oneLine(signature, maxSignature)) + "\n")
	}
	return b.String()
}

// downLines come last, since they come and go.
func (v *Conversation) downLines() string {
	var b strings.Builder
	down := v.unavailable()
	if len(down) > 0 {
		b.WriteString("\nNot available now:\n")
	}
	for _, s := range down[:min(len(down), maxListedDown)] {
		fmt.Fprintf(&b, "- %s: %s\n", s.Name, cut(s.Reason, maxShownReason))
	}
	if more := len(down) - maxListedDown; more > 0 {
		fmt.Fprintf(&b, "- and %d more\n", more)
	}
	return b.String()
}
