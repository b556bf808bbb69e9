// Package tool defines the one value that travels through all of Conductor: a
// tool as an MCP server offers it.
//
// The packages that use it (catalog, codegen, mcpclient) re-export it under
// their own name, so that their users need no package but the one they chose.
package tool

import "encoding/json"

// Tool is a tool as its server describes it. Everything in it except Server was
// written by the server and is untrusted text.
type Tool struct {
	// Server is the name that the host gave to the server.
	Server string `json:"server"`
	// Name is the exact name on the wire.
	Name string `json:"name"`
	// Title is a name for people; often empty.
	Title string `json:"title,omitempty"`
	// Description says what the tool does; often long, sometimes empty.
	Description string `json:"description,omitempty"`
	// InputSchema is the JSON Schema of the arguments; may be empty.
	InputSchema json.RawMessage `json:"inputSchema,omitempty"`
	// OutputSchema is the JSON Schema of the structured result. Few servers
	// declare one.
	OutputSchema json.RawMessage `json:"outputSchema,omitempty"`
}

// ID returns "server.tool", the name under which models and hosts know the tool.
func (t *Tool) ID() string { return t.Server + "." + t.Name }
