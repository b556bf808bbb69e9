package mcpclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/conductor/conductor/internal/tool"
)

// Bounds of one tools/list, over all its pages.
const (
	maxPages     = 1000
	maxListBytes = 64 << 20
)

// errListing marks an error that is about what the server listed, so not about
// the connection.
var errListing = errors.New("tool list")

// list asks for all tools of a server. MCP, "Pagination": "Clients SHOULD treat
// cursors as opaque tokens", so a repeated one is the only sign of a loop.
func (c *connection) list(ctx context.Context, session *mcp.ClientSession) ([]Tool, error) {
	if init := session.InitializeResult(); init == nil || init.Capabilities == nil || init.Capabilities.Tools == nil {
		return nil, nil
	}
	var (
		tools   []Tool
		names   = map[string]bool{}
		cursors = map[string]bool{}
		cursor  string
		size    int
		dropped int
	)
	for page := 1; ; page++ {
		raw, next, err := c.listPage(ctx, session, cursor)
		if err != nil {
			return nil, err
		}
		for _, data := range raw {
			size += len(data)
			t, ok := parseTool(data)
			if !ok || names[t.Name] {
				dropped++
				continue
			}
			names[t.Name] = true
			t.Server = c.server.Name
			tools = append(tools, t)
		}
		switch {
		case len(tools)+dropped > c.opts.MaxTools:
			return nil, fmt.Errorf("%w: more than %d tools; raise Options.MaxTools if that is right", errListing, c.opts.MaxTools)
		case size > maxListBytes:
			return nil, fmt.Errorf("%w: larger than %d bytes", errListing, maxListBytes)
		case next == "":
			if dropped > 0 {
				c.opts.Logger.Warn("dropped tools without a name, malformed or listed twice", "server", c.server.Name, "dropped", dropped)
			}
			slices.SortFunc(tools, func(a, b Tool) int { return cmp.Compare(a.Name, b.Name) })
			return tools, nil
		case cursors[next]:
			return nil, fmt.Errorf("%w: the server repeats the cursor %q, so its pages would never end", errListing, clean(next, 80))
		case page == maxPages:
			return nil, fmt.Errorf("%w: more than %d pages", errListing, maxPages)
		}
		cursors[next], cursor = true, next
	}
}

// listPage returns one page of tools as the server wrote them.
func (c *connection) listPage(ctx context.Context, session *mcp.ClientSession, cursor string) (tools []json.RawMessage, next string, err error) {
	ctx, ex := withExchange(ctx)
	res, err := session.ListTools(ctx, &mcp.ListToolsParams{Cursor: cursor})
	_, raw, rpcErr := ex.state()
	switch {
	case rpcErr != nil:
		return nil, "", c.secrets.protocolError(rpcErr)
	case raw != nil:
		var page struct {
			Tools      []json.RawMessage `json:"tools"`
			NextCursor string            `json:"nextCursor"`
		}
		if err := json.Unmarshal(raw, &page); err != nil {
			return nil, "", fmt.Errorf("%w: %w", errListing, err)
		}
		if init := session.InitializeResult(); err == nil && init != nil && init.ProtocolVersion >= protocolModern {
			page.Tools = callable(page.Tools, res.Tools)
		}
		return page.Tools, page.NextCursor, nil
	case err != nil:
		return nil, "", err
	}
	// The answer did not pass by: a transport that cannot be watched, or the
	// SDK's cache.
	for _, t := range res.Tools {
		data, err := json.Marshal(t)
		if err != nil {
			return nil, "", fmt.Errorf("%w: %w", errListing, err)
		}
		tools = append(tools, data)
	}
	return tools, res.NextCursor, nil
}

// callable leaves out the tools that the SDK leaves out, and logs: those that ask for
// headers which cannot be. MCP 2026-07-28, "Custom Headers": clients MUST exclude
// them.
func callable(raw []json.RawMessage, kept []*mcp.Tool) []json.RawMessage {
	names := map[string]bool{}
	for _, t := range kept {
		names[t.Name] = true
	}
	return slices.DeleteFunc(raw, func(data json.RawMessage) bool {
		t, ok := parseTool(data)
		return ok && !names[t.Name]
	})
}

// parseTool reads one tool. It reports false for one that cannot be called.
func parseTool(data json.RawMessage) (Tool, bool) {
	var w struct {
		Name         string          `json:"name"`
		Title        string          `json:"title"`
		Description  string          `json:"description"`
		InputSchema  json.RawMessage `json:"inputSchema"`
		OutputSchema json.RawMessage `json:"outputSchema"`
		Annotations  json.RawMessage `json:"annotations"`
	}
	if json.Unmarshal(data, &w) != nil || w.Name == "" {
		return Tool{}, false
	}
	var hints tool.Annotations
	if json.Unmarshal(w.Annotations, &hints) != nil {
		hints = tool.Annotations{} // half of them could say the opposite of the whole
	}
	if w.Title == "" {
		// "Display name precedence order is: title, annotations.title, then name."
		w.Title = hints.Title
	}
	return Tool{
		Name: w.Name, Title: w.Title, Description: w.Description,
		InputSchema: present(w.InputSchema), OutputSchema: present(w.OutputSchema),
		Annotations: hints,
	}, true
}

// equalTools reports whether nothing has changed.
func equalTools(a, b []Tool) bool {
	return slices.EqualFunc(a, b, func(a, b Tool) bool { return reflect.DeepEqual(a, b) })
}
