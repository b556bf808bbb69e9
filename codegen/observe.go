package codegen

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// Bounds of the work that one value can ask for. A value beyond them is seen up
// to there, which makes properties optional at worst.
const (
	maxObservedBytes  = 256 << 10
	maxObservedValues = 20_000
)

// Observe returns the [Shape] of one result: the value as the program gets it,
// which is a JSON string where a tool returned plain text. It returns nil for
// what is not JSON. Of a long value it sees the first 256 KiB.
func Observe(value json.RawMessage) *Shape {
	data, cut := []byte(value), false
	if len(data) > maxObservedBytes {
		data, cut = data[:maxObservedBytes], true
	}
	o := &observer{dec: json.NewDecoder(bytes.NewReader(data)), left: maxObservedValues}
	o.dec.UseNumber()
	root := o.value(maxShapeDepth)
	if !o.stopped {
		if _, err := o.dec.Token(); err != io.EOF {
			o.failed = true // text behind the value
		}
	}
	if cut && root == nil && bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte(`"`)) {
		root = &form{prims: sawString} // a long text
	}
	if o.failed && !cut || root == nil {
		return nil
	}
	return newShape(1, maxShapeDepth, root)
}

// An observer reads one value and forgets it.
type observer struct {
	dec     *json.Decoder
	left    int
	stopped bool // a bound was reached, or the text ended or is not JSON
	failed  bool
}

func (o *observer) token() json.Token {
	if o.stopped {
		return nil
	}
	tok, err := o.dec.Token()
	if err != nil {
		o.stopped, o.failed = true, true
		return nil
	}
	return tok
}

// more reports whether the array or object that is being read goes on.
func (o *observer) more() bool {
	if o.left--; o.left < 0 {
		o.stopped = true
	}
	return !o.stopped && o.dec.More()
}

// value reads the next value. It returns nil if there is none.
func (o *observer) value(depth int) *form {
	tok := o.token()
	if o.stopped {
		return nil
	}
	switch tok := tok.(type) {
	case nil:
		return &form{prims: sawNull}
	case bool:
		return &form{prims: sawBoolean}
	case json.Number:
		return &form{prims: sawNumber}
	case string:
		return &form{prims: sawString}
	case json.Delim:
		switch {
		case depth == 0:
			o.skip()
			return &form{top: true}
		case tok == '[':
			return o.array(depth)
		}
		return o.object(depth)
	}
	return nil
}

func (o *observer) array(depth int) *form {
	items := &form{}
	for o.more() {
		items = join(items, o.value(depth-1))
	}
	o.token()
	return &form{items: items}
}

func (o *observer) object(depth int) *form {
	fields := make(map[string]*form)
	var values *form // set once the object is a map
	for o.more() {
		name, _ := o.token().(string)
		f := o.value(depth - 1)
		switch {
		case f == nil || passedOver(name):
		case values != nil:
			values = join(values, f)
		default:
			fields[name] = join(fields[name], f)
			if !fieldName(name) || len(fields) > maxFields {
				values = &form{}
				for _, f := range fields {
					values = join(values, f)
				}
			}
		}
	}
	o.token()
	if values != nil {
		return &form{object: &objects{values: values}}
	}
	out := &objects{fields: make([]field, 0, len(fields))}
	for name, f := range fields {
		out.fields = append(out.fields, field{name, f, true})
	}
	slices.SortFunc(out.fields, func(f, g field) int { return strings.Compare(f.name, g.name) })
	return &form{object: out.asMap()}
}

// skip reads to the end of the array or object that was just entered.
func (o *observer) skip() {
	for open := 1; open > 0 && !o.stopped; {
		if o.left--; o.left < 0 {
			o.stopped = true
			return
		}
		switch o.token() {
		case json.Delim('['), json.Delim('{'):
			open++
		case json.Delim(']'), json.Delim('}'):
			open--
		}
	}
}

// passedOver reports whether a property is left out of shapes because its name
// has a meaning of its own in JavaScript.
func passedOver(name string) bool { return objectMembers[name] || name == "__proto__" }

const maxFieldName = 40

// fieldName reports whether a property name is one that a programmer chose,
// and not data: an id, a date, an address, the name of a person or of a file, a
// sentence. A shape outlives the conversation that it was learned in and is
// shown to others, so what is not clearly a name counts as data: everything
// beyond ASCII, blanks, a dot or a slash, more than three digits, more digits
// than letters, and mixtures of the two that look drawn by lot.
func fieldName(name string) bool {
	rest := strings.TrimLeft(name, "@$_")
	if rest == "" || len(name) > maxFieldName {
		return false
	}
	letters, digits, upper, groups := 0, 0, 0, 0
	separated := len(rest) < len(name)
	annotation := name[0] == '@' // "@odata.nextLink"
	for i := range len(rest) {
		switch c := rest[i]; {
		case c >= 'a' && c <= 'z':
			letters++
		case c >= 'A' && c <= 'Z':
			letters++
			upper++
		case i == 0:
			return false
		case c >= '0' && c <= '9':
			if digits++; rest[i-1] < '0' || rest[i-1] > '9' {
				groups++
			}
		case c == '_' || c == '-' || c == '.' && annotation:
			separated = true
		default:
			return false
		}
	}
	switch {
	case digits > 3 || digits > letters:
		return false
	case digits > 0 && upper == letters && len(rest) >= 6 && !separated:
		return false // SKU123
	case groups > 1 && !separated:
		return false // dQw4w9WgXcQ
	}
	return true
}
