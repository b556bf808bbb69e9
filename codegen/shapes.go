package codegen

import (
	"slices"
	"strconv"
)

// objectOf converts the keywords that describe an object. The properties in
// required come first, in that order; the others follow by name. An object
// that does not speak of additional properties is closed: servers rarely mean
// to accept more than they list, and a closed type catches a misspelt name.
func (c *converter) objectOf(t target, required []string, depth int) node {
	if inner := c.within(t); inner != t {
		t, required = inner, stringsOf(inner.val.get("required"))
	}
	v, props := t.val, t.sub("properties")
	schemas := props.val.object()
	for _, m := range schemas {
		// Draft-03 wrote "required" into the property.
		if m.val.get("required").isBool(true) {
			required = append(slices.Clip(required), m.key)
		}
	}
	additional := v.get("additionalProperties")
	if additional == nil {
		additional = v.get("unevaluatedProperties")
	}
	patterns := v.get("patternProperties")

	var out object
	seen := make(map[string]bool, len(schemas))
	add := func(name string, optional bool) {
		if seen[name] {
			return
		}
		seen[name] = true
		schema := props.val.get(name)
		if schema == nil {
			if additional.isBool(false) && patterns == nil {
				c.report(t.path+"/required", "required property "+quote(clip(name, 60))+" is not allowed; ignored")
				return
			}
			if c.spend(depth) {
				out.props = append(out.props, property{name: name, typ: top{}})
			}
			return
		}
		p := property{name: name, typ: c.convert(props.sub(name), depth+1, nil), optional: optional}
		if optional && objectMembers[name] {
			p.typ = top{} // else `{}` would not be of this type
		}
		if c.over == "" {
			p.doc = c.describe(schema, maxPropertyText)
			out.props = append(out.props, p)
		}
	}
	for _, name := range required {
		add(name, false)
	}
	for _, m := range schemas {
		add(m.key, true)
	}

	if !additional.isBool(false) {
		for _, at := range conditions(t) {
			for _, m := range at.val.get("properties").object() {
				if !seen[m.key] {
					seen[m.key] = true
					typ := c.convert(at.sub("properties").sub(m.key), depth+1, nil)
					out.props = append(out.props, property{name: m.key, typ: typ, optional: true, doc: c.describe(m.val, maxPropertyText)})
				}
			}
			for _, name := range stringsOf(at.val.get("required")) {
				if !seen[name] && c.spend(depth) {
					seen[name] = true
					out.props = append(out.props, property{name: name, typ: top{}, optional: true})
				}
			}
		}
	}

	index, named := c.indexOf(t, additional, patterns, depth)
	out.patterns = named
	switch {
	case index == nil && len(out.props) == 0 && additional.isBool(false):
		out.index = never{} // {} alone would accept any value
	case index == nil && len(out.props) == 0:
		// Nothing listed, nothing forbidden: a free-form object.
		return anyObject()
	case len(out.props) == 0:
		out.index = index
		_, open := index.(top)
		out.anything = open && len(named) == 0
	case index != nil:
		// An index signature narrower than its properties is an error in
		// TypeScript, and an intersection with one accepts no literal.
		out.index = top{}
		if _, open := index.(top); !open {
			out.others = index
		}
	}
	return out
}

// objectMembers are the names that every JavaScript object has a value for.
var objectMembers = wordSet("constructor hasOwnProperty isPrototypeOf propertyIsEnumerable toLocaleString toString valueOf")

// conditions lists the schemas that apply to an object under a condition. No
// type expresses them, but what they name must not be missing from a type that
// is closed.
func conditions(t target) []target {
	var list []target
	for _, key := range []string{"then", "else"} {
		list = append(list, t.sub(key))
	}
	for _, key := range []string{"dependentSchemas", "dependencies"} {
		for _, m := range t.val.get(key).object() {
			list = append(list, t.sub(key).sub(m.key))
		}
	}
	for i, branch := range t.val.get("allOf").list() {
		if branch.get("if") != nil {
			list = append(list, conditions(t.sub("allOf").item(i))...)
		}
	}
	return list
}

// within returns the place of the object schema at t. Some servers put the
// whole schema one level too low, where "type" is a property with the schema
// "object"; a schema cannot be a string, so the mistake is plain.
func (c *converter) within(t target) target {
	props := t.sub("properties")
	if props.val.get("type").str() == "object" && props.val.get("properties").is(objectValue) {
		c.report(props.path, "properties holds a whole schema; that one is taken")
		return props
	}
	if props.val != nil && !props.val.is(objectValue) {
		c.report(props.path, "properties is "+props.val.kind.String()+"; ignored")
	}
	return t
}

// indexOf returns the type of the properties that have no name in the schema, nil
// if there are none. A name that matches none of the patterns may have any value
// unless additionalProperties says which: then the type is that of everything, and
// what the patterns say is returned beside it.
func (c *converter) indexOf(t target, additional, patterns *value, depth int) (index node, named []property) {
	var members []node
	open := additional == nil || additional.isBool(true)
	switch {
	case additional.isBool(true):
		members = append(members, top{})
	case !open && !additional.isBool(false):
		key := "additionalProperties"
		if t.val.get(key) == nil {
			key = "unevaluatedProperties"
		}
		members = append(members, c.convert(t.sub(key), depth+1, nil))
	}
	for _, m := range patterns.object() {
		if open && len(named) == maxPatterns {
			break
		}
		typ := c.convert(t.sub("patternProperties").sub(m.key), depth+1, nil)
		if open {
			members = append(members, top{})
			if _, free := typ.(top); !free {
				named = append(named, property{name: m.key, typ: typ})
			}
			continue
		}
		members = append(members, typ)
	}
	if len(members) == 0 {
		return nil, nil
	}
	return union(members...), named
}

// arrayOf converts the keywords that describe an array. A tuple has the elements
// that minItems demands, and may go on unless items or maxItems ends it: whoever
// generates schemas from tuples writes both. Lengths never unfold into tuples:
// `"maxItems": 100` would, and they stand in the comment anyway.
func (c *converter) arrayOf(t target, depth int) node {
	first, rest := t.sub("prefixItems"), t.sub("items")
	if !first.val.is(arrayValue) && rest.val.is(arrayValue) { // until draft 2019-09
		first, rest = rest, t.sub("additionalItems")
	}
	if rest.val == nil {
		rest = t.sub("unevaluatedItems")
	}
	if !first.val.is(arrayValue) || len(first.val.items) == 0 {
		if rest.val == nil {
			return array{top{}}
		}
		if rest.val.isBool(false) {
			return tuple{}
		}
		return array{c.convert(rest, depth+1, nil)}
	}
	out := tuple{required: min(length(t.val.get("minItems")), len(first.val.items))}
	for i := range first.val.items {
		out.elems = append(out.elems, c.convert(first.item(i), depth+1, nil))
	}
	most := t.val.get("maxItems")
	switch {
	case rest.val.isBool(false), most.is(numberValue) && length(most) <= len(out.elems):
	case rest.val == nil:
		out.rest = top{}
	default:
		out.rest = c.convert(rest, depth+1, nil)
	}
	return out
}

// maxLength is more items than any tuple has.
const maxLength = 1 << 20

// length reads a number of items, 0 if it is none.
func length(v *value) int {
	if !v.is(numberValue) {
		return 0
	}
	n, err := strconv.ParseFloat(v.text, 64) // 2, 2.0 and 2e0 are the same number
	if err != nil {
		return 0
	}
	return int(max(0, min(n, maxLength)))
}
