package catalog

import (
	"bytes"
	"encoding/json"
)

const (
	maxSchemaBytes = 256 << 10 // read of one schema
	maxSchemaDepth = 8         // of nested schemas and lists whose words count
	maxSchemaNodes = 2000      // values read of one schema
)

// schemaText is what a JSON Schema says in words.
type schemaText struct {
	names []string // parameters, outermost first as written
	prose []string // descriptions, titles and enum values
}

// readSchema collects the words of a schema. It takes any bytes: what is not
// JSON, or not a schema, gives what could be read up to there. It reads token by
// token instead of decoding, so that the order is the author's and the limits
// hold before memory is spent.
func readSchema(raw json.RawMessage) schemaText {
	if len(raw) > maxSchemaBytes {
		raw = raw[:maxSchemaBytes]
	}
	r := schemaReader{dec: json.NewDecoder(bytes.NewReader(raw))}
	r.dec.UseNumber()
	if t, err := r.next(); err == nil {
		r.value(t, inSchema, 0)
	}
	return r.out
}

// place says what the value being read is.
type place int

const (
	inOther      place = iota // something without words
	inSchema                  // a schema, or a list of schemas
	inProperties              // an object whose keys are parameters
	inDefs                    // an object whose keys mean nothing and whose values are schemas
	inProse                   // a string to keep
	inEnum                    // a list of values to keep
)

type schemaReader struct {
	dec   *json.Decoder
	nodes int
	out   schemaText
}

type limitError struct{}

func (limitError) Error() string { return "schema too large" }

func (r *schemaReader) next() (json.Token, error) {
	if r.nodes++; r.nodes > maxSchemaNodes {
		return nil, limitError{}
	}
	return r.dec.Token()
}

// value reads the rest of the value that starts with token t.
func (r *schemaReader) value(t json.Token, p place, depth int) error {
	if depth > maxSchemaDepth {
		p = inOther
	}
	switch t := t.(type) {
	case json.Delim:
		if p == inOther {
			return r.skip()
		}
		if t == '[' {
			return r.list(p, depth)
		}
		return r.object(p, depth)
	case string:
		if p == inProse || p == inEnum {
			r.out.prose = append(r.out.prose, t)
		}
	}
	return nil
}

func (r *schemaReader) list(p place, depth int) error {
	for r.dec.More() {
		t, err := r.next()
		if err != nil {
			return err
		}
		if err := r.value(t, p, depth+1); err != nil {
			return err
		}
	}
	_, err := r.next()
	return err
}

func (r *schemaReader) object(p place, depth int) error {
	for r.dec.More() {
		key, err := r.next()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return limitError{}
		}
		child := inOther
		switch p {
		case inProperties:
			r.out.names = append(r.out.names, name)
			child = inSchema
		case inDefs:
			child = inSchema
		case inSchema:
			child = placeOf[name]
		}
		t, err := r.next()
		if err != nil {
			return err
		}
		if err := r.value(t, child, depth+1); err != nil {
			return err
		}
	}
	_, err := r.next()
	return err
}

// skip reads to the end of the object or list that has just been opened.
func (r *schemaReader) skip() error {
	for open := 1; open > 0; {
		t, err := r.next()
		if err != nil {
			return err
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			open++
		case json.Delim('}'), json.Delim(']'):
			open--
		}
	}
	return nil
}

// placeOf maps the keywords of JSON Schema (all drafts) that lead to
// words; the others are [inOther].
var placeOf = func() map[string]place {
	m := map[string]place{
		"properties":        inProperties,
		"patternProperties": inDefs,
		"$defs":             inDefs,
		"definitions":       inDefs,
		"dependentSchemas":  inDefs,
		"title":             inProse,
		"description":       inProse,
		"enum":              inEnum,
		"const":             inEnum,
	}
	for _, k := range []string{
		"items", "prefixItems", "additionalProperties", "anyOf", "oneOf", "allOf",
		"not", "if", "then", "else", "contains", "additionalItems", "unevaluatedProperties",
	} {
		m[k] = inSchema
	}
	return m
}()
