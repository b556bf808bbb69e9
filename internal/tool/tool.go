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
	// Annotations are the server's hints about what the tool does.
	Annotations Annotations `json:"annotations,omitzero"`
}

// Annotations are a server's hints about what a tool does. MCP, "Tools": clients
// "MUST consider tool annotations to be untrusted unless they come from trusted
// servers". A nil pointer means that the server says nothing.
type Annotations struct {
	// Title is a name for people.
	Title string `json:"title,omitempty"`
	// ReadOnlyHint says that the tool changes nothing.
	ReadOnlyHint bool `json:"readOnlyHint,omitempty"`
	// DestructiveHint says that the tool may destroy, and not only add. It means
	// something only without ReadOnlyHint; nil is true by the protocol.
	DestructiveHint *bool `json:"destructiveHint,omitempty"`
	// IdempotentHint says that calling again with the same arguments changes nothing
	// more. It means something only without ReadOnlyHint.
	IdempotentHint bool `json:"idempotentHint,omitempty"`
	// OpenWorldHint says that the tool deals with the world outside of its server, such
	// as the web; nil is true by the protocol.
	OpenWorldHint *bool `json:"openWorldHint,omitempty"`
}

// Repeatable tells whether, by the hints, a call does no harm when it is made twice.
func (a Annotations) Repeatable() bool { return a.ReadOnlyHint || a.IdempotentHint }

// ID returns "server.tool", the name under which models and hosts know the tool.
func (t *Tool) ID() string { return t.Server + "." + t.Name }
