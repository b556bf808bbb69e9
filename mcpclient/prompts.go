package mcpclient

import (
	"context"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Prompt is a prompt that a server offers, written for users to choose. All of it
// is untrusted text.
type Prompt struct {
	Name        string           `json:"name"`
	Title       string           `json:"title,omitempty"`
	Description string           `json:"description,omitempty"`
	Arguments   []PromptArgument `json:"arguments,omitempty"`
}

// PromptArgument is an argument of a [Prompt]; its value is a text.
type PromptArgument struct {
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	Required    bool   `json:"required,omitempty"`
}

// PromptResult is a prompt with its arguments filled in. Untrusted.
type PromptResult struct {
	Description string    `json:"description,omitempty"`
	Messages    []Message `json:"messages"`
}

func hasPrompts(has Capabilities) bool { return has.Prompts }

// Prompts lists the prompts of a server, at most 10,000, in the server's order. See
// [Client.Resources].
func (c *Client) Prompts(ctx context.Context, server string, opts *CallOptions) ([]Prompt, error) {
	conn, err := c.find(server)
	if err != nil {
		return nil, err
	}
	return listAll(ctx, conn, opts, "prompts", request{method: "prompts/list", needs: hasPrompts, reads: true},
		func(ctx context.Context, session *mcp.ClientSession, cursor string) error {
			_, err := session.ListPrompts(ctx, &mcp.ListPromptsParams{Cursor: cursor})
			return err
		},
		func(p *Prompt) bool { return p.Name != "" })
}

// Prompt returns a prompt with its arguments filled in. A prompt that does not
// exist, and an argument that is missing, is a [*ProtocolError]. See
// [Client.Resources].
func (c *Client) Prompt(ctx context.Context, server, name string, args map[string]string, opts *CallOptions) (*PromptResult, error) {
	conn, err := c.find(server)
	if err != nil {
		return nil, err
	}
	const method = "prompts/get"
	raw, err := conn.ask(ctx, request{method: method, needs: hasPrompts, reads: true,
		send: func(ctx context.Context, session *mcp.ClientSession) error {
			_, err := session.GetPrompt(ctx, &mcp.GetPromptParams{Name: name, Arguments: args})
			return err
		}}, opts)
	if err != nil {
		return nil, err
	}
	p := &PromptResult{Messages: []Message{}}
	if err := decodeResult(conn, method, raw, p); err != nil {
		return nil, err
	}
	return p, nil
}
