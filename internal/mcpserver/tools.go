package mcpserver

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor"
)

// conversationID is the argument that every tool has besides those of its
// [conductor.Definition].
const conversationID = "conversation_id"

const conversationIDSchema = `{"type":"string","maxLength":200,"description":"Work in the conversation with this id instead of this session's own; every result has its id"}`

// tools returns the definitions as MCP has them.
func tools() []*mcp.Tool {
	var all []*mcp.Tool
	for _, d := range conductor.Definitions() {
		more := extras[d.Name]
		all = append(all, &mcp.Tool{
			Name:         d.Name,
			Title:        more.annotations.Title,
			Description:  d.Description,
			InputSchema:  withConversationID(d.InputSchema),
			OutputSchema: json.RawMessage(more.output),
			Annotations:  &more.annotations,
		})
	}
	return all
}

// extras are what MCP wants to know of a tool beyond its definition.
var extras = map[string]struct {
	output      string
	annotations mcp.ToolAnnotations
}{
	conductor.FindToolsName: {findOutput, mcp.ToolAnnotations{
		Title: "Find tools", ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: new(bool),
	}},
	// Loading changes the conversation only, which is not the tool's environment.
	conductor.LoadToolSpecName: {loadOutput, mcp.ToolAnnotations{
		Title: "Load tools", ReadOnlyHint: true, IdempotentHint: true, OpenWorldHint: new(bool),
	}},
	// A program may do whatever the tools behind it do.
	conductor.ExecuteCodeName: {executeOutput, mcp.ToolAnnotations{
		Title: "Run a program", DestructiveHint: yes(), OpenWorldHint: yes(),
	}},
}

func yes() *bool {
	b := true
	return &b
}

// withConversationID adds the argument to a schema, after the tool's own, whose
// order tells a model what matters. A schema of another shape than that of the
// definitions stays as it is.
func withConversationID(schema json.RawMessage) json.RawMessage {
	var s struct {
		Type                 string          `json:"type"`
		Properties           json.RawMessage `json:"properties"`
		Required             []string        `json:"required,omitempty"`
		AdditionalProperties bool            `json:"additionalProperties"`
	}
	decoder := json.NewDecoder(bytes.NewReader(schema))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return schema
	}
	own := bytes.TrimSuffix(bytes.TrimSpace(s.Properties), []byte("}"))
	s.Properties = fmt.Appendf(nil, `%s,%q:%s}`, own, conversationID, conversationIDSchema)
	extended, err := json.Marshal(s)
	if err != nil {
		return schema
	}
	return extended
}

// The schemas of the results: [conductor.FindResult], [conductor.LoadResult] and
// [conductor.Result]. They leave room for fields to come.
const (
	findOutput = `{
	"type": "object",
	"properties": {
		"conversation_id": {"type": "string"},
		"tools": {
			"type": "array",
			"description": "Best first",
			"items": {
				"type": "object",
				"properties": {
					"name": {"type": "string", "description": "server.tool"},
					"server": {"type": "string"},
					"description": {"type": "string"},
					"signature": {"type": "string", "description": "One line of TypeScript"},
					"score": {"type": "number", "minimum": 0, "maximum": 1},
					"why": {"type": "string", "description": "What made it a hit"},
					"loaded": {"type": "boolean"}
				},
				"required": ["name", "server", "description", "signature", "score", "why", "loaded"]
			}
		},
		"unavailable_servers": {
			"type": "array",
			"items": {
				"type": "object",
				"properties": {"name": {"type": "string"}, "reason": {"type": "string"}},
				"required": ["name", "reason"]
			}
		},
		"lexical_reason": {"type": "string"},
		"lexical": {"type": "boolean", "description": "Words alone decided, since the embedding service did not answer"}
	},
	"required": ["conversation_id", "tools", "unavailable_servers"]
}`

	loadOutput = `{
	"type": "object",
	"properties": {
		"conversation_id": {"type": "string"},
		"specs": {
			"type": "array",
			"items": {
				"type": "object",
				"properties": {
					"name": {"type": "string", "description": "server.tool"},
					"import": {"type": "string"},
					"typescript": {"type": "string"},
					"loaded": {"type": "boolean"}
				},
				"required": ["name", "import", "typescript", "loaded"]
			}
		},
		"also": {"type": "array", "items": {"type": "string"}, "description": "What else these servers offer, and can be loaded"},
		"unknown": {
			"type": "array",
			"items": {
				"type": "object",
				"properties": {
					"name": {"type": "string"},
					"suggestions": {"type": "array", "items": {"type": "string"}},
					"reason": {"type": "string"}
				},
				"required": ["name", "suggestions"]
			}
		}
	},
	"required": ["conversation_id", "specs", "unknown"]
}`

	executeOutput = `{
	"type": "object",
	"properties": {
		"conversation_id": {"type": "string"},
		"phase": {"type": "string", "description": "ok, rejected, type_error, runtime_error, timeout, memory, cancelled or killed"},
		"value": {"description": "What the program returned; absent if nothing"},
		"stdout": {"type": "string"},
		"stderr": {"type": "string"},
		"error": {
			"type": "object",
			"properties": {
				"message": {"type": "string"},
				"line": {"type": "integer", "description": "In the program's own text, from 1"},
				"column": {"type": "integer"},
				"hint": {"type": "string"}
			},
			"required": ["message"]
		},
		"diagnostics": {
			"type": "array",
			"description": "All mistakes in the program's types, if it was not run because of them",
			"items": {
				"type": "object",
				"properties": {
					"message": {"type": "string"},
					"line": {"type": "integer"},
					"column": {"type": "integer"},
					"hint": {"type": "string"}
				},
				"required": ["message"]
			}
		},
		"calls": {
			"type": "array",
			"description": "The tool calls that the program made, in its order",
			"items": {
				"type": "object",
				"properties": {
					"tool": {"type": "string"},
					"ok": {"type": "boolean"},
					"duration_ms": {"type": "number"},
					"result_bytes": {"type": "integer", "description": "The size of what the tool returned"},
					"error": {"type": "string"}
				},
				"required": ["tool", "ok", "duration_ms"]
			}
		},
		"files": {
			"type": "array",
			"description": "What has changed in the conversation's folder",
			"items": {
				"type": "object",
				"properties": {
					"path": {"type": "string"},
					"change": {"type": "string", "description": "created, changed or removed"},
					"bytes": {"type": "integer"}
				},
				"required": ["path", "change", "bytes"]
			}
		},
		"more_files": {"type": "integer"},
		"duration_ms": {"type": "number"}
	},
	"required": ["conversation_id", "phase", "stdout", "stderr", "calls", "duration_ms"]
}`
)
