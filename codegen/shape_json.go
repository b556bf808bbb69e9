package codegen

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// shapeVersion is the version of the JSON of a shape and of the rules by which
// it was learned.
const shapeVersion = 1

// maxShapeBytes is more than any shape within the bounds takes.
const maxShapeBytes = 1 << 20

type shapeJSON struct {
	Version int      `json:"version"`
	Calls   int      `json:"calls"`
	Depth   int      `json:"depth"`
	Root    formJSON `json:"root"`
}

type formJSON struct {
	Any    bool                 `json:"any,omitempty"`
	Is     []prim               `json:"is,omitempty"`
	Items  *formJSON            `json:"items,omitempty"`
	Fields map[string]*formJSON `json:"fields,omitzero"` // empty is an object too
	Always []string             `json:"always,omitempty"`
	Values *formJSON            `json:"values,omitempty"`
}

// MarshalJSON returns the shape as JSON with the version of its format. The same
// shape has the same bytes.
func (s *Shape) MarshalJSON() ([]byte, error) {
	if s == nil {
		return []byte("null"), nil
	}
	return json.Marshal(shapeJSON{shapeVersion, s.calls, s.depth, *s.root.encode()})
}

// UnmarshalJSON reads what [Shape.MarshalJSON] wrote. Text of another version is
// an error: a host forgets the shape then and learns it anew. The bounds of a
// shape hold for any text.
func (s *Shape) UnmarshalJSON(data []byte) error {
	if len(data) > maxShapeBytes {
		return fmt.Errorf("codegen: shape of %d bytes exceeds %d", len(data), maxShapeBytes)
	}
	var wire shapeJSON
	if err := json.Unmarshal(data, &wire); err != nil {
		return fmt.Errorf("codegen: decode shape: %w", err)
	}
	if wire.Version != shapeVersion {
		return fmt.Errorf("codegen: shape of version %d, not %d", wire.Version, shapeVersion)
	}
	calls := min(max(wire.Calls, 1), maxCalls)
	depth := min(max(wire.Depth, 0), maxShapeDepth)
	*s = *newShape(calls, depth, wire.Root.decode(maxShapeDepth+1))
	return nil
}

func (f *form) encode() *formJSON {
	if f == nil {
		return nil
	}
	out := &formJSON{Any: f.top, Items: f.items.encode()}
	for _, p := range primKinds {
		if f.prims&p.set != 0 {
			out.Is = append(out.Is, p.kind)
		}
	}
	switch {
	case f.object == nil:
	case f.object.values != nil:
		out.Values = f.object.values.encode()
	default:
		out.Fields = make(map[string]*formJSON, len(f.object.fields))
		for _, field := range f.object.fields {
			out.Fields[field.name] = field.form.encode()
			if field.always {
				out.Always = append(out.Always, field.name)
			}
		}
	}
	return out
}

func (f *formJSON) decode(depth int) *form {
	switch {
	case f == nil:
		return nil
	case f.Any || depth == 0:
		return &form{top: true}
	}
	out := &form{items: f.Items.decode(depth - 1)}
	for _, p := range primKinds {
		if slices.Contains(f.Is, p.kind) {
			out.prims |= p.set
		}
	}
	if f.Values != nil {
		out.object = &objects{values: f.Values.decode(depth - 1)}
	}
	if f.Fields == nil {
		return out
	}
	always := make(map[string]bool, len(f.Always))
	for _, name := range f.Always {
		always[name] = true
	}
	record, data := &objects{}, false
	for name, wire := range f.Fields {
		if decoded := wire.decode(depth - 1); decoded != nil && !passedOver(name) {
			record.fields = append(record.fields, field{name, decoded, always[name]})
			data = data || !fieldName(name)
		}
	}
	slices.SortFunc(record.fields, func(f, g field) int { return strings.Compare(f.name, g.name) })
	if record = record.asMap(); data && record.values == nil {
		record = &objects{values: record.anyValue()}
	}
	out.object = joinObjects(out.object, record)
	return out
}
