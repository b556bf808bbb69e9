package mcpclient

import (
	"context"
	"encoding/json"

	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// Resource is something to read that a server lists. All of it is untrusted text.
type Resource struct {
	URI         string `json:"uri"`
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	MIMEType    string `json:"mimeType,omitempty"`
	Size        *int64 `json:"size,omitempty"` // in bytes; nil if unknown
}

// ResourceTemplate says how the URIs of a kind of resources are made. All of it is
// untrusted text.
type ResourceTemplate struct {
	URITemplate string `json:"uriTemplate"` // RFC 6570
	Name        string `json:"name"`
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	MIMEType    string `json:"mimeType,omitempty"`
}

// ResourceContents is what a resource holds: Text, or Blob if that is not nil. A
// resource that is a folder has several, with URIs of their own. Untrusted.
type ResourceContents struct {
	URI      string
	MIMEType string
	Text     string
	Blob     []byte // decoded
}

type wireContents struct {
	URI      string  `json:"uri"`
	MIMEType string  `json:"mimeType,omitempty"`
	Text     *string `json:"text,omitempty"`
	Blob     *[]byte `json:"blob,omitempty"`
}

// MarshalJSON returns the contents as they look on the wire.
func (r ResourceContents) MarshalJSON() ([]byte, error) {
	w := wireContents{URI: r.URI, MIMEType: r.MIMEType}
	if r.Blob != nil {
		w.Blob = &r.Blob
	} else {
		w.Text = &r.Text
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads contents as they look on the wire.
func (r *ResourceContents) UnmarshalJSON(data []byte) error {
	var w wireContents
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	*r = ResourceContents{URI: w.URI, MIMEType: w.MIMEType}
	set(&r.Text, w.Text)
	set(&r.Blob, w.Blob)
	return nil
}

func hasResources(has Capabilities) bool { return has.Resources }

// Resources lists the resources of a server, at most 10,000, in the server's order.
// Servers with many list templates instead.
//
// Like the other requests beside [Client.Call] it returns [ErrUnknownServer],
// [ErrUnavailable], [ErrClosed], [ErrNotOffered], or a [*CallError] whose Tool is
// the method, such as "resources/list". Each takes [Options.CallTimeout] at most.
func (c *Client) Resources(ctx context.Context, server string, opts *CallOptions) ([]Resource, error) {
	conn, err := c.find(server)
	if err != nil {
		return nil, err
	}
	return listAll(ctx, conn, opts, "resources", request{method: "resources/list", needs: hasResources, reads: true},
		func(ctx context.Context, session *mcp.ClientSession, cursor string) error {
			_, err := session.ListResources(ctx, &mcp.ListResourcesParams{Cursor: cursor})
			return err
		},
		func(r *Resource) bool { return r.URI != "" })
}

// ResourceTemplates lists the resource templates of a server. See
// [Client.Resources].
func (c *Client) ResourceTemplates(ctx context.Context, server string, opts *CallOptions) ([]ResourceTemplate, error) {
	conn, err := c.find(server)
	if err != nil {
		return nil, err
	}
	return listAll(ctx, conn, opts, "resourceTemplates", request{method: "resources/templates/list", needs: hasResources, reads: true},
		func(ctx context.Context, session *mcp.ClientSession, cursor string) error {
			_, err := session.ListResourceTemplates(ctx, &mcp.ListResourceTemplatesParams{Cursor: cursor})
			return err
		},
		func(t *ResourceTemplate) bool { return t.URITemplate != "" })
}

// ReadResource returns what a resource holds. A resource that does not exist is a
// [*ProtocolError]. See [Client.Resources].
func (c *Client) ReadResource(ctx context.Context, server, uri string, opts *CallOptions) ([]ResourceContents, error) {
	conn, err := c.find(server)
	if err != nil {
		return nil, err
	}
	const method = "resources/read"
	raw, err := conn.ask(ctx, request{method: method, needs: hasResources, reads: true,
		send: func(ctx context.Context, session *mcp.ClientSession) error {
			_, err := session.ReadResource(ctx, &mcp.ReadResourceParams{URI: uri})
			return err
		}}, opts)
	if err != nil {
		return nil, err
	}
	w := struct {
		Contents []ResourceContents `json:"contents"`
	}{Contents: []ResourceContents{}}
	if err := decodeResult(conn, method, raw, &w); err != nil {
		return nil, err
	}
	return w.Contents, nil
}
