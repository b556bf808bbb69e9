package codegen

import "slices"

// maxBranchKeys bounds the work for an alternative that only requires.
const maxBranchKeys = 64

// alternatives intersects base with the union of the branches of an anyOf or a
// oneOf. A branch that only requires properties of the base narrows the base;
// it must never erase it.
func (c *converter) alternatives(t target, key string, base node, types []string, depth int) node {
	branches := t.sub(key)
	obj, isObject := base.(object)
	var named *alias
	var members []node
	for i, branch := range branches.val.items {
		at := branches.item(i)
		keys, ok := constraintOnly(branch, isObject)
		if !ok || !isObject {
			members = append(members, c.convert(at, depth+1, types))
			continue
		}
		c.spend(depth)
		if len(keys) > maxBranchKeys {
			members = append(members, top{})
			continue
		}
		obj = c.withKeys(t, obj, keys)
		keys, known := optionalKeys(obj, keys)
		if !known || len(keys) == 0 {
			members = append(members, top{}) // describe says it in words
			continue
		}
		if named == nil {
			named = c.newAlias("Base")
			if t.path != "" {
				named.hint = hintOf(t.path) + "Base"
			}
			named.keep = true
		}
		members = append(members, requiring{named, keys})
	}
	choice := either(members)
	if isObject {
		base = obj
	}
	if _, free := choice.(top); named != nil && !free {
		named.body = obj
		base = ref{named}
	}
	return intersect(base, choice)
}

// withKeys adds to obj what an alternative requires and the schema at t does
// not list; a closed type would keep a program from passing it.
func (c *converter) withKeys(t target, obj object, keys []string) object {
	if obj.index != nil && !obj.anything || t.val.get("additionalProperties").isBool(false) {
		return obj
	}
	for _, key := range keys {
		if slices.ContainsFunc(obj.props, func(p property) bool { return p.name == key }) || !c.spend(0) {
			continue
		}
		obj.props = append(slices.Clip(obj.props), property{name: key, typ: top{}, optional: true})
		obj.anything = false
	}
	return obj
}

// optionalKeys returns those keys that are optional in obj, and whether obj
// knows them all.
func optionalKeys(obj object, keys []string) (optional []string, known bool) {
	for _, key := range keys {
		i := slices.IndexFunc(obj.props, func(p property) bool { return p.name == key })
		if i < 0 {
			return nil, false
		}
		if obj.props[i].optional && !slices.Contains(optional, key) {
			optional = append(optional, key)
		}
	}
	return optional, true
}

// Keywords that a constraint-only schema may have, beside annotations.
var constraintKeywords = wordSet(`
	required not if then else dependentRequired dependentSchemas dependencies minProperties maxProperties propertyNames
	title description $comment examples default deprecated readOnly writeOnly`)

// constraintOnly reports whether v says nothing about the shape of an object
// but which properties it needs, and returns these. Within an object schema
// `"type": "object"` says nothing either.
func constraintOnly(v *value, withinObject bool) (required []string, ok bool) {
	if !v.is(objectValue) || len(v.members) == 0 {
		return nil, false
	}
	if neverNot(v) {
		return nil, false
	}
	for _, m := range v.members {
		if m.key == "type" && withinObject && m.val.str() == "object" {
			continue
		}
		if !constraintKeywords[m.key] {
			return nil, false
		}
	}
	return stringsOf(v.get("required")), true
}
