package conductor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/conductor/conductor/conversation"
	"github.com/conductor/conductor/mcpclient"
)

const (
	// maxListedTools is up to how many tools a server's line names all of them.
	maxListedTools = 8
	// maxListedServers bounds the lines of a prompt.
	maxListedServers = 50
	// maxAbout is how many bytes a server may say of itself in its line.
	maxAbout = 100
)

// promptRules is what models otherwise stumble over.
const promptRules = `You use the tools of these servers by writing TypeScript programs:
1. find_tools finds tools by what they do.
2. load_tool_spec shows their types and makes them importable; that lasts for the whole conversation.
3. execute_code runs a program: top-level await; the value is what it returns (or its last expression).
Results of tools are parsed already. Make independent calls together with Promise.all. Filter and join in the program and return only what is needed. A failed call throws a ToolError (message, data). Do not run a program again that may have changed something before it failed: look first.
`

// Prompt is the section of the system prompt that tells a model, at this moment,
// which servers there are, whether a server's line names all of its tools
// (complete) or not (partial), which servers are not available, which tools are
// loaded, and which of these have changed since. The same state gives the same bytes.
func (v *Conversation) Prompt() string {
	v.mu.Lock()
	state := v.state
	v.mu.Unlock()

	var b strings.Builder
	b.WriteString("# Tools by program\n\n" + promptRules + "\nServers:\n")
	lines := v.serverLines()
	for _, line := range lines[:min(len(lines), maxListedServers)] {
		b.WriteString(line + "\n")
	}
	if more := len(lines) - maxListedServers; more > 0 {
		fmt.Fprintf(&b, "- and %d more servers: find_tools searches all\n", more)
	}
	if len(lines) == 0 {
		b.WriteString("- none is configured\n")
	}
	b.WriteString(v.loadedLines(&state))
	b.WriteString(v.driftLines(&state))
	return b.String()
}

func (v *Conversation) serverLines() []string {
	var lines []string
	for _, s := range v.status() {
		switch s.State {
		case mcpclient.StateDisabled:
		case mcpclient.StateReady, mcpclient.StateDegraded:
			lines = append(lines, v.serverLine(s))
		default:
			lines = append(lines, fmt.Sprintf("- %s: NOT AVAILABLE: %s", s.Name, reason(s)))
		}
	}
	return lines
}

func (v *Conversation) serverLine(s mcpclient.Status) string {
	tools := v.tools(v.c.generator(s.Name))
	var names []string
	for _, t := range tools[:min(len(tools), maxListedTools)] {
		names = append(names, oneLine(t, maxAbout))
	}
	line := fmt.Sprintf("- %s (%d %s, complete): %s", s.Name, len(tools), plural(len(tools), "tool"), strings.Join(names, ", "))
	if len(tools) > maxListedTools {
		line = fmt.Sprintf("- %s (%d tools, partial): %s, …", s.Name, len(tools), strings.Join(names, ", "))
	}
	about := s.Title
	if about == "" {
		about = s.Instructions
	}
	if about = oneLine(about, maxAbout); about != "" {
		line += " | " + about
	}
	return line
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// loadedLines lists the loaded tools by server, in the order of the configuration,
// so that one more tool changes as little of the prompt as can be.
func (v *Conversation) loadedLines(state *conversation.State) string {
	var b strings.Builder
	for _, server := range v.servers() {
		tools := v.loadedOf(state, server)
		if len(tools) == 0 {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("\nLoaded, ready to import:\n")
		}
		b.WriteString(server.ImportLine() + "\n")
		slices.Sort(tools)
		for _, t := range tools {
			b.WriteString("- " + server.Signature(t) + "\n")
		}
	}
	return b.String()
}
