package conductor

import (
	"fmt"
	"strings"

	"github.com/conductor/conductor/conversation"
)

// maxDrifted bounds the lines about tools that have changed.
const maxDrifted = 20

// driftLines say which of the loaded tools are no longer what the conversation has
// seen of them. Programs are checked against what they are now.
func (v *Conversation) driftLines(state *conversation.State) string {
	var lines []string
	for _, server := range v.servers() {
		for _, loaded := range state.Loaded {
			tool, offered := loadedTool(server, loaded)
			switch {
			case !strings.HasPrefix(loaded.ID, server.Name()+".") || !v.permits(loaded.ID):
			case !offered:
				lines = append(lines, oneLine(loaded.ID, maxAbout)+": the server does not offer it any more")
			case loaded.Hash == "" || loaded.Hash == server.SchemaHash(tool):
			case loaded.Signature == "" || loaded.Signature == server.Signature(tool):
				lines = append(lines, oneLine(loaded.ID, maxAbout)+": its types have changed")
			default:
				lines = append(lines, oneLine(loaded.ID, maxAbout)+": now "+server.Signature(tool))
			}
		}
	}
	if len(lines) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\nChanged since you loaded it (load_tool_spec shows the new types):\n")
	for _, line := range lines[:min(len(lines), maxDrifted)] {
		b.WriteString("- " + line + "\n")
	}
	if more := len(lines) - maxDrifted; more > 0 {
		fmt.Fprintf(&b, "- and %d more tools\n", more)
	}
	return b.String()
}

// maxSignature is how many bytes of a signature a conversation remembers.
const maxSignature = 300
