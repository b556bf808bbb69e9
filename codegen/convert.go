package codegen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Budgets of one tool. Real schemas stay below a tenth of them; what exceeds
// one is an accident or an attack.
const (
	maxDepth = 32
	maxNodes = 4000
	// A tool has 64 KiB of text: 8 KiB are for the comment and the head of the
	// function, the types of the arguments leave 8 KiB to those of the result.
	maxTypesBytes = 56 << 10
	maxInputBytes = 48 << 10
	// maxEnum is the number of values above which an enumeration becomes the
	// type of its values, and namedEnum the one above which it gets a name.
	maxEnum   = 1000
	namedEnum = 50
)

// A converter turns one schema into nodes. It takes what it understands and
// records the rest as diagnostics: a schema that cannot be read in part is
// still worth its other parts.
type converter struct {
	doc     *document
	report  func(path, message string)
	aliases map[*value]*alias
	count   int // of aliases
	queue   []job
	nodes   int
	over    string // the budget that was exceeded, "" if none
	lists   *nullLists
	// declared is what typesOf found.
	declared map[*value][]string
}

// A job is an alias whose body is still to be converted.
type job struct {
	alias     *alias
	at        target
	inherited []string
}

func newConverter(root *value, report func(path, message string)) *converter {
	return &converter{doc: &document{root: root}, report: report, aliases: make(map[*value]*alias), declared: make(map[*value][]string)}
}

// newAlias makes an alias that is to be named after hint.
func (c *converter) newAlias(hint string) *alias {
	c.count++
	return &alias{id: c.count, hint: hint}
}

// run converts the schema at t into the body of a, and then everything that is
// referred to from there. The queue keeps a chain of references from becoming
// a chain of calls. Inherited are the types of t if it declares none; what refers to
// t does not inherit them.
func (c *converter) run(a *alias, t target, inherited []string) {
	if inherited == nil || c.typesOf(t.val, maxTypeHops) != nil {
		c.aliases[t.val] = a
	}
	c.queue = append(c.queue, job{a, t, inherited})
	for len(c.queue) > 0 && c.over == "" {
		next := c.queue[0]
		c.queue = c.queue[1:]
		next.alias.body = c.convert(next.at, 0, next.inherited)
		next.alias.doc = c.describe(next.at.val, maxPropertyText)
	}
}

// sub is the target for the member key of the value at t.
func (t target) sub(key string) target {
	return target{t.val.get(key), t.path + "/" + escapePointer(key)}
}

// item is the target for the i-th item of the value at t.
func (t target) item(i int) target {
	return target{t.val.items[i], t.path + "/" + strconv.Itoa(i)}
}

// spend counts one node and reports whether the budget still holds.
func (c *converter) spend(depth int) bool {
	c.nodes++
	switch {
	case c.over != "":
	case c.nodes > maxNodes:
		c.over = fmt.Sprintf("schema of more than %d nodes", maxNodes)
	case depth > maxDepth:
		c.over = fmt.Sprintf("schema nested deeper than %d", maxDepth)
	}
	return c.over == ""
}

// convert returns the type of the schema at t. Inherited are the types that
// the schemas which apply to the same value declare, nil if none does.
func (c *converter) convert(t target, depth int, inherited []string) node {
	if !c.spend(depth) {
		return top{}
	}
	v := t.val
	switch {
	case v.is(boolValue):
		if v.flag {
			return top{}
		}
		return never{}
	case !v.is(objectValue):
		c.report(t.path, "schema is "+v.kind.String()+"; taken as unknown")
		return top{}
	}
	for _, key := range []string{"$ref", "$dynamicRef", "$recursiveRef"} {
		if v.get(key).is(stringValue) {
			return c.reference(t, key, depth, inherited)
		}
	}
	return c.keywords(t, depth, inherited)
}

// besideRef are the keywords that add to the type of a $ref beside them. The
// others only repeat what its target says.
var besideRef = []string{"properties", "patternProperties", "required", "items", "prefixItems", "anyOf", "oneOf", "allOf", "enum", "const"}

func (c *converter) reference(t target, key string, depth int, inherited []string) node {
	v := t.val
	var n node = top{}
	if to, ok := c.doc.resolve(v.get(key).str()); !ok {
		c.report(t.path, "no place in the schema for "+key+" "+quote(clip(v.get(key).str(), 120))+"; taken as unknown")
	} else if to.val.is(boolValue) {
		n = c.convert(to, depth+1, nil)
	} else {
		a := c.aliases[to.val]
		if a == nil {
			a = c.newAlias(hintOf(to.path))
			c.aliases[to.val] = a
			c.queue = append(c.queue, job{alias: a, at: to})
		}
		n = ref{a}
	}
	if slices.ContainsFunc(besideRef, func(key string) bool { return v.get(key) != nil }) {
		n = intersect(n, c.keywords(t, depth, inherited))
	}
	if v.get("nullable").isBool(true) {
		n = union(n, nullType)
	}
	return n
}

// keywords converts everything of a schema but its $ref.
func (c *converter) keywords(t target, depth int, inherited []string) node {
	v := t.val
	if neverNot(v) {
		return never{}
	}
	types := c.lists.settle(c.types(t), t.path)
	var n node
	if v.get("const") != nil {
		n = c.literal(v.get("const"), depth)
	} else if values := v.get("enum").list(); len(values) > 0 {
		n = c.enum(t, values, types, depth)
	} else {
		n = c.structure(t, types, depth, inherited)
	}
	if v.get("nullable").isBool(true) {
		n = union(n, nullType)
	}
	return n
}

// neverNot reports whether v excludes everything, which is how zod writes
// "undefined".
func neverNot(v *value) bool {
	not := v.get("not")
	return not.isBool(true) || not.is(objectValue) && len(not.members) == 0
}

// types returns the declared types of a schema, nil if it declares none, and
// reports what is odd about them.
func (c *converter) types(t target) []string {
	switch declared := t.val.get("type"); {
	case declared == nil || declared.is(stringValue):
	case !declared.is(arrayValue):
		c.report(t.path+"/type", "type is "+declared.kind.String()+"; ignored")
	case slices.ContainsFunc(declared.items, func(item *value) bool { return !item.is(stringValue) }):
		c.report(t.path+"/type", "type that is not a string; ignored")
	}
	return typeNames(t.val)
}

// typeNames returns the types that v declares itself, nil if it declares none.
func typeNames(v *value) []string {
	declared := v.get("type")
	if declared.is(stringValue) {
		return []string{declared.text}
	}
	return stringsOf(declared)
}

// structure converts the keywords that build a type: type with its
// sub-schemas, allOf, anyOf, oneOf.
func (c *converter) structure(t target, types []string, depth int, inherited []string) node {
	v := t.val
	declared := types != nil
	if !declared {
		if types = inherited; types == nil {
			types = c.typesOf(v, maxTypeHops)
		}
	}
	required := stringsOf(v.get("required"))
	var all []node
	for i, branch := range v.get("allOf").list() {
		at := t.sub("allOf").item(i)
		if keys, ok := constraintOnly(branch, slices.Contains(types, "object")); ok {
			required = append(required, keys...)
			c.spend(depth)
			continue
		}
		all = append(all, c.convert(at, depth+1, types))
	}
	objects, arrays := len(required) > 0 || ofObjects(v), ofArrays(v)
	var base node = top{}
	switch {
	case types == nil && (objects || arrays):
		base = c.untyped(t, objects, arrays, required, depth)
	case declared || objects || arrays:
		var members []node
		for _, name := range types {
			members = append(members, c.typed(t, name, required, depth))
		}
		base = union(members...)
	}
	n := intersect(append([]node{base}, all...)...)
	for _, key := range []string{"anyOf", "oneOf"} {
		if branches := v.get(key); branches.is(arrayValue) && len(branches.items) > 0 {
			n = c.alternatives(t, key, n, types, depth)
		} else if branches != nil {
			c.report(t.path+"/"+key, key+" without alternatives; ignored")
		}
	}
	return n
}

// typed converts what a schema says about values of one type.
func (c *converter) typed(t target, name string, required []string, depth int) node {
	switch strings.ToLower(name) {
	case "string":
		return stringType
	case "number", "integer":
		return numberType
	case "boolean":
		return booleanType
	case "null":
		return nullType
	case "object":
		return c.objectOf(t, required, depth)
	case "array":
		return c.arrayOf(t, depth)
	case "any":
		return top{}
	}
	c.report(t.path+"/type", "no such type: "+quote(clip(name, 60))+"; taken as unknown")
	return top{}
}

// stringsOf returns the strings of an array, each once, in order.
func stringsOf(v *value) []string {
	var out []string
	seen := make(map[string]bool)
	for _, item := range v.list() {
		if item.is(stringValue) && !seen[item.text] {
			seen[item.text] = true
			out = append(out, item.text)
		}
	}
	return out
}

// clip cuts s to at most limit bytes at a rune boundary.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return s[:limit] + "…"
}
