package codegen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Limits on a schema's text. They bound the work that a hostile server can ask
// for before any meaning is given to the text.
const (
	maxSchemaBytes = 1 << 20
	// maxDecodeDepth is far above maxDepth because a part of a schema that no
	// reference reaches costs nothing, and far below what hurts a stack.
	maxDecodeDepth = 512
)

type valueKind uint8

const (
	nullValue valueKind = iota
	boolValue
	numberValue
	stringValue
	arrayValue
	objectValue
)

func (k valueKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// A value is one decoded JSON value. The members of an object are sorted by
// key, so that nothing derived from a value depends on the order in which a
// server, or a Go map on the way, happened to write them. A key that occurs
// twice keeps its last value, as in [encoding/json].
type value struct {
	kind    valueKind
	flag    bool
	text    string // of a string or a number
	items   []*value
	members []member
}

type member struct {
	key string
	val *value
}

// get returns the member named key, or nil. It is safe on nil and on values
// that are not objects.
func (v *value) get(key string) *value {
	if v == nil || v.kind != objectValue {
		return nil
	}
	i, ok := slices.BinarySearchFunc(v.members, key, func(m member, key string) int { return strings.Compare(m.key, key) })
	if !ok {
		return nil
	}
	return v.members[i].val
}

// is reports whether v exists and has the given kind.
func (v *value) is(kind valueKind) bool { return v != nil && v.kind == kind }

// isBool reports whether v is the boolean b.
func (v *value) isBool(b bool) bool { return v.is(boolValue) && v.flag == b }

// str returns the text of a string value, else "".
func (v *value) str() string {
	if v.is(stringValue) {
		return v.text
	}
	return ""
}

// list returns the items of an array value, else nil.
func (v *value) list() []*value {
	if v.is(arrayValue) {
		return v.items
	}
	return nil
}

// object returns the members of an object value, else nil.
func (v *value) object() []member {
	if v.is(objectValue) {
		return v.members
	}
	return nil
}

// decode reads one JSON value. It accepts exactly what [encoding/json] accepts,
// within the limits above.
func decode(data []byte) (*value, error) {
	if len(data) > maxSchemaBytes {
		return nil, fmt.Errorf("schema of %d bytes exceeds %d", len(data), maxSchemaBytes)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decodeValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the JSON value")
	}
	return v, nil
}

func decodeValue(dec *json.Decoder, depth int) (*value, error) {
	if depth > maxDecodeDepth {
		return nil, fmt.Errorf("JSON nested deeper than %d", maxDecodeDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	switch tok := tok.(type) {
	case nil:
		return &value{kind: nullValue}, nil
	case bool:
		return &value{kind: boolValue, flag: tok}, nil
	case json.Number:
		return &value{kind: numberValue, text: tok.String()}, nil
	case string:
		return &value{kind: stringValue, text: tok}, nil
	}
	v := &value{kind: arrayValue}
	if tok == json.Delim('{') {
		v.kind = objectValue
	}
	for dec.More() {
		var key string
		if v.kind == objectValue {
			tok, err := dec.Token()
			if err != nil {
				return nil, fmt.Errorf("not JSON: %w", err)
			}
			key, _ = tok.(string)
		}
		child, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		if v.kind == objectValue {
			v.members = append(v.members, member{key, child})
		} else {
			v.items = append(v.items, child)
		}
	}
	if _, err := dec.Token(); err != nil { // the closing bracket
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	v.members = sortMembers(v.members)
	return v, nil
}

// sortMembers orders members by key and keeps the last of equal keys.
func sortMembers(members []member) []member {
	slices.SortStableFunc(members, func(a, b member) int { return strings.Compare(a.key, b.key) })
	kept := members[:0]
	for i, m := range members {
		if i+1 < len(members) && members[i+1].key == m.key {
			continue
		}
		kept = append(kept, m)
	}
	return kept
}

// appendJSON appends v as compact JSON with sorted keys, giving up once the
// text is longer than limit; what it was used for is cut there anyway.
func (v *value) appendJSON(b []byte, limit int) []byte {
	if len(b) > limit {
		return b
	}
	switch v.kind {
	case nullValue:
		return append(b, "null"...)
	case boolValue:
		return strconv.AppendBool(b, v.flag)
	case numberValue:
		return append(b, v.text...)
	case stringValue:
		return append(b, quote(v.text)...)
	case arrayValue:
		b = append(b, '[')
		for i, item := range v.items {
			if i > 0 {
				b = append(b, ',')
			}
			b = item.appendJSON(b, limit)
		}
		return append(b, ']')
	default:
		b = append(b, '{')
		for i, m := range v.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(b, quote(m.key)...), ':')
			b = m.val.appendJSON(b, limit)
		}
		return append(b, '}')
	}
}
