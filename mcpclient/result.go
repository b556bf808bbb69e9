package mcpclient

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Result is what a tool returned.
type Result struct {
	// Structured is the structured result exactly as the server wrote it, or nil
	// if there is none.
	Structured json.RawMessage
	// Content is the result as blocks, usually text.
	Content []Content
	// IsError is true when the tool reports that it failed; Content says why.
	IsError bool
}

// Content is one block of a result. Which fields are set depends on Type:
//
//   - "text": Text
//   - "image", "audio": MIMEType, Data
//   - "resource": URI, MIMEType, and Text or Data, an embedded resource
//   - "resource_link": URI, Name, and optionally Title, Description, MIMEType, Size
//
// Everything in it was written by the server and is untrusted.
type Content struct {
	Type        string
	Text        string
	MIMEType    string
	Data        []byte // decoded; nil if there is none
	URI         string
	Name        string
	Title       string
	Description string
	Size        *int64 // in bytes; nil if unknown

	// Annotations and Meta are the JSON objects "annotations" and "_meta" of the
	// block; nil if there are none.
	Annotations, Meta json.RawMessage
	// Raw is the whole block for a Type that is not listed above, else nil.
	Raw json.RawMessage
}

// wireContent is a block on the wire. Pointers are the fields that their type
// requires, even if they are empty.
type wireContent struct {
	Type        string          `json:"type"`
	Text        *string         `json:"text,omitempty"`
	Data        *[]byte         `json:"data,omitempty"`
	Resource    *wireResource   `json:"resource,omitempty"`
	URI         string          `json:"uri,omitempty"`
	Name        *string         `json:"name,omitempty"`
	Title       string          `json:"title,omitempty"`
	Description string          `json:"description,omitempty"`
	MIMEType    string          `json:"mimeType,omitempty"`
	Size        *int64          `json:"size,omitempty"`
	Annotations json.RawMessage `json:"annotations,omitempty"`
	Meta        json.RawMessage `json:"_meta,omitempty"`
}

type wireResource struct {
	URI      string  `json:"uri"`
	MIMEType string  `json:"mimeType,omitempty"`
	Text     *string `json:"text,omitempty"`
	Blob     *[]byte `json:"blob,omitempty"`
}

// MarshalJSON returns the block as it looks on the wire.
func (c Content) MarshalJSON() ([]byte, error) {
	w := wireContent{Type: c.Type, Annotations: c.Annotations, Meta: c.Meta}
	data := c.Data
	if data == nil {
		data = []byte{}
	}
	switch c.Type {
	case "text":
		w.Text = &c.Text
	case "image", "audio":
		w.MIMEType, w.Data = c.MIMEType, &data
	case "resource":
		w.Resource = &wireResource{URI: c.URI, MIMEType: c.MIMEType}
		if c.Data != nil {
			w.Resource.Blob = &data
		} else {
			w.Resource.Text = &c.Text
		}
	case "resource_link":
		w.URI, w.Name, w.Title, w.Description = c.URI, &c.Name, c.Title, c.Description
		w.MIMEType, w.Size = c.MIMEType, c.Size
	default:
		if c.Raw != nil {
			return c.Raw, nil
		}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads a block as it looks on the wire.
func (c *Content) UnmarshalJSON(data []byte) error {
	var w wireContent
	err := json.Unmarshal(data, &w) // which goes on after a field of the wrong kind
	switch w.Type {
	case "text", "image", "audio", "resource", "resource_link":
		if err != nil {
			return err
		}
	default: // whose other fields may be of any kind
		var head struct {
			Type string `json:"type"`
		}
		if err := json.Unmarshal(data, &head); err != nil {
			return err
		}
		*c = Content{Type: head.Type, Raw: bytes.Clone(data)}
		return nil
	}
	*c = Content{
		Type: w.Type, MIMEType: w.MIMEType, URI: w.URI, Title: w.Title, Description: w.Description,
		Size: w.Size, Annotations: present(w.Annotations), Meta: present(w.Meta),
	}
	set(&c.Text, w.Text)
	set(&c.Name, w.Name)
	set(&c.Data, w.Data)
	if r := w.Resource; r != nil {
		c.URI, c.MIMEType = r.URI, r.MIMEType
		set(&c.Text, r.Text)
		set(&c.Data, r.Blob)
	}
	return nil
}

func set[T any](dst, src *T) {
	if src != nil {
		*dst = *src
	}
}

// present returns raw, or nil if it is empty or null.
func present(raw json.RawMessage) json.RawMessage {
	if trimmed := bytes.TrimSpace(raw); len(trimmed) == 0 || string(trimmed) == "null" {
		return nil
	}
	return raw
}

// parseResult reads the result of a tools/call.
func parseResult(raw json.RawMessage) (*Result, error) {
	var w struct {
		Structured json.RawMessage   `json:"structuredContent"`
		Content    []json.RawMessage `json:"content"`
		IsError    bool              `json:"isError"`
	}
	if err := json.Unmarshal(raw, &w); err != nil {
		return nil, fmt.Errorf("result of the tool: %w", err)
	}
	r := &Result{Structured: present(w.Structured), IsError: w.IsError, Content: make([]Content, len(w.Content))}
	for i, block := range w.Content {
		if err := r.Content[i].UnmarshalJSON(block); err != nil {
			return nil, fmt.Errorf("block %d of the result of the tool: %w", i, err)
		}
	}
	return r, nil
}

// needsInput reports whether a result asks the client for input first.
func needsInput(raw json.RawMessage) bool {
	var w struct {
		ResultType string `json:"resultType"`
	}
	return json.Unmarshal(raw, &w) == nil && w.ResultType == "input_required"
}
