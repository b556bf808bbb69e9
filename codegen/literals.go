package codegen

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// enum converts the values of an enumeration.
func (c *converter) enum(t target, values []*value, types []string, depth int) node {
	if fits := slices.DeleteFunc(slices.Clone(values), func(v *value) bool { return !hasType(v, types) }); len(fits) > 0 {
		values = fits // {"type":"string","enum":["a",null]} allows no null
	}
	var members []node
	if len(values) > maxEnum {
		c.report(t.path+"/enum", fmt.Sprintf("enumeration of %d values; taken as their type", len(values)))
		for _, v := range values {
			members = append(members, kindType(v))
		}
		return union(members...)
	}
	for _, v := range values {
		if !v.is(arrayValue) && !v.is(objectValue) {
			c.nodes-- // a value is a word of text, not a node to process
		}
		members = append(members, c.literal(v, depth))
	}
	n := union(members...)
	if u, ok := n.(unionOf); ok && len(u.members) > namedEnum {
		a := c.newAlias(hintOf(t.path))
		a.keep, a.body = true, n
		return ref{a}
	}
	return n
}

// kindType is the type of a JSON value without its details.
func kindType(v *value) node {
	switch v.kind {
	case nullValue:
		return nullType
	case boolValue:
		return booleanType
	case numberValue:
		return numberType
	case stringValue:
		return stringType
	case arrayValue:
		return array{top{}}
	}
	return anyObject()
}

// hasType reports whether v is of one of the types; any value is if there are none.
func hasType(v *value, types []string) bool {
	if len(types) == 0 {
		return true
	}
	return slices.ContainsFunc(types, func(name string) bool {
		switch strings.ToLower(name) {
		case "string":
			return v.kind == stringValue
		case "number", "integer":
			return v.kind == numberValue
		case "boolean":
			return v.kind == boolValue
		case "null":
			return v.kind == nullValue
		case "object":
			return v.kind == objectValue
		case "array":
			return v.kind == arrayValue
		}
		return true
	})
}

// literal is the type whose only value is v.
func (c *converter) literal(v *value, depth int) node {
	if !c.spend(depth) {
		return top{}
	}
	switch v.kind {
	case nullValue:
		return nullType
	case boolValue:
		return literal{strconv.FormatBool(v.flag), booleanType}
	case stringValue:
		return literal{quote(v.text), stringType}
	case numberValue:
		f, err := strconv.ParseFloat(v.text, 64)
		if err != nil || math.IsInf(f, 0) {
			return numberType // beyond what a literal can say
		}
		if f == 0 {
			f = 0 // -0 has no literal type of its own
		}
		format := byte('f')
		if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
			format = 'e' // as JSON and JavaScript write it
		}
		text := strconv.FormatFloat(f, format, -1, 64)
		return literal{strings.Replace(text, "e-0", "e-", 1), numberType}
	case arrayValue:
		out := tuple{required: len(v.items)}
		for _, item := range v.items {
			out.elems = append(out.elems, c.literal(item, depth+1))
		}
		return out
	default:
		var out object
		for _, m := range v.members {
			out.props = append(out.props, property{name: m.key, typ: c.literal(m.val, depth+1)})
		}
		if len(out.props) == 0 {
			out.index = never{}
		}
		return out
	}
}
