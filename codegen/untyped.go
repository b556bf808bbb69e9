package codegen

import "slices"

// This file is about schemas to whose values no type is declared. Their keywords
// speak of values of one kind and say nothing of the others, which JSON Schema then
// lets pass, and so does the type:
//
//	{ a?: string } | string | number | boolean | null | unknown[]
//
// Authors rarely mean that, and hardly ever leave the type out. A type that guesses
// what they mean would refuse what a server accepts.

// ofObjects and ofArrays report whether v has keywords that speak of these.
func ofObjects(v *value) bool {
	return slices.ContainsFunc([]string{"properties", "additionalProperties", "patternProperties"}, func(key string) bool {
		return v.get(key).is(objectValue)
	})
}

func ofArrays(v *value) bool { return v.get("items") != nil || v.get("prefixItems") != nil }

var scalars = []node{stringType, numberType, booleanType, nullType}

// untyped converts keywords of objects, of arrays, or of both.
func (c *converter) untyped(t target, objects, arrays bool, required []string, depth int) node {
	var obj, list node = anyObject(), array{top{}}
	if objects {
		obj = c.objectOf(t, required, depth)
	}
	if arrays {
		list = c.arrayOf(t, depth)
	}
	if whole(obj) {
		// TypeScript takes an array for { [key: string]: any }, which would make
		// the list beside it say nothing.
		obj = object{index: top{strict: true}, anything: true}
	}
	switch {
	case whole(obj) && whole(list):
		return top{}
	case !objects:
		return union(slices.Concat([]node{list}, scalars, []node{obj})...)
	case !arrays:
		return union(slices.Concat([]node{obj}, scalars, []node{list})...)
	}
	return union(append([]node{obj, list}, scalars...)...)
}

// either returns the union of alternatives. What those without a type let pass
// besides what they are about stands once, at the end.
func either(members []node) node {
	var about, others []node
	for _, m := range members {
		if !lax(m) {
			about = append(about, m)
			continue
		}
		for _, part := range parts(m) {
			if whole(part) {
				others = append(others, part)
			} else {
				about = append(about, part)
			}
		}
	}
	return union(append(about, others...)...)
}

// lax reports whether n lets all scalars pass.
func lax(n node) bool {
	return !slices.ContainsFunc(scalars, func(s node) bool { return !slices.Contains(parts(n), s) })
}

// maxTypeHops is how far a look for declared types goes.
const maxTypeHops = 16

// typesOf returns the types that v declares, or what it refers to, or a part of its
// allOf: the others, which apply to the same value, need not declare them again.
func (c *converter) typesOf(v *value, hops int) []string {
	if types := typeNames(v); types != nil || hops == 0 {
		return types
	}
	if known, ok := c.declared[v]; ok {
		return known
	}
	c.declared[v] = nil // for what leads back to v
	var types []string
	if reference := v.get("$ref"); reference.is(stringValue) {
		if to, ok := c.doc.resolve(reference.text); ok {
			types = c.typesOf(to.val, hops-1)
		}
	}
	for _, branch := range v.get("allOf").list() {
		if types == nil {
			types = c.typesOf(branch, hops-1)
		}
	}
	c.declared[v] = types
	return types
}
