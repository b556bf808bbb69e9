package codegen

import "slices"

// A node is a TypeScript type before it is printed. Nodes are immutable once
// built, except for the body of an alias. Build unions and intersections with
// union and intersect, which simplify, never as literals.
type node interface{ isNode() }

type (
	// top is the type of everything: `unknown` in arguments, `any` in results
	// unless it is strict.
	top struct{ strict bool }
	// never is the type of nothing, from `false` and `{"not":{}}`.
	never struct{}
	// prim is string, number, boolean or null.
	prim string
	// literal is the text of a literal type; kind is the primitive it belongs to.
	literal struct {
		text string
		kind prim
	}
	// array is T[].
	array struct{ elem node }
	// tuple is [A, B?, ...T[]].
	tuple struct {
		elems    []node
		required int  // the elements after that many are optional
		rest     node // of the elements that follow; nil if there are none
	}
	// object is { a: A; b?: B; [key: string]: T }. Its properties have unique
	// names, the required ones first.
	object struct {
		props []property
		index node // nil if the object is closed
		// others is what the properties without a name are declared to be, and
		// patterns those whose name matches a pattern, which is the name here. A
		// comment says it where index cannot.
		others   node
		patterns []property
		// index and no property, and nothing more said: intersected with
		// another object it adds nothing.
		anything bool
	}
	// unionOf and intersectionOf have at least two members, none of its own kind.
	unionOf        struct{ members []node }
	intersectionOf struct{ members []node }
	// ref names an alias.
	ref struct{ alias *alias }
	// requiring is Required<Pick<Base, "a" | "b">>.
	requiring struct {
		base *alias
		keys []string
	}
)

type property struct {
	name     string
	typ      node
	optional bool
	doc      doc
}

// An alias is a type with a name of its own: the target of a reference, a long
// enumeration, or the object that alternatives build on.
type alias struct {
	id    int    // unique in its tool
	hint  string // what to name it after
	name  string // set when it is first printed by name
	body  node
	doc   doc
	uses  int
	keep  bool // never to be inlined
	final node // body with inlined aliases; set by the linker
	// expanding is set while final is made.
	expanding bool
}

func (top) isNode()            {}
func (never) isNode()          {}
func (prim) isNode()           {}
func (literal) isNode()        {}
func (array) isNode()          {}
func (tuple) isNode()          {}
func (object) isNode()         {}
func (unionOf) isNode()        {}
func (intersectionOf) isNode() {}
func (ref) isNode()            {}
func (requiring) isNode()      {}

const (
	stringType  prim = "string"
	numberType  prim = "number"
	booleanType prim = "boolean"
	nullType    prim = "null"
)

// anyObject is { [key: string]: unknown }.
func anyObject() object { return object{index: top{}, anything: true} }

// union returns the type of what is in one of the members at least.
func union(members ...node) node {
	var flat []node
	seen := make(map[string]bool)
	for _, m := range members {
		parts := []node{m}
		if u, ok := m.(unionOf); ok {
			parts = u.members
		}
		for _, part := range parts {
			switch part.(type) {
			case top:
				return top{}
			case never:
				continue
			}
			if key := fingerprint(part); !seen[key] {
				seen[key] = true
				flat = append(flat, part)
			}
		}
	}
	// true | false is boolean; boolean swallows both.
	yes, no, both := fingerprint(literal{"true", booleanType}), fingerprint(literal{"false", booleanType}), fingerprint(booleanType)
	if seen[yes] && seen[no] || seen[both] && (seen[yes] || seen[no]) {
		placed := false
		flat = slices.DeleteFunc(slices.Clone(flat), func(n node) bool {
			if l, ok := n.(literal); ok && l.kind == booleanType || n == node(booleanType) {
				if placed {
					return true
				}
				placed = true
			}
			return false
		})
		for i, n := range flat {
			if l, ok := n.(literal); ok && l.kind == booleanType {
				flat[i] = booleanType
			}
		}
	}
	switch len(flat) {
	case 0:
		return never{}
	case 1:
		return flat[0]
	}
	return unionOf{flat}
}

// intersect returns the type of what is in all the members. Plain objects
// merge, because one object reads better than `{…} & {…}`.
func intersect(members ...node) node {
	var flat []node
	for _, m := range members {
		if i, ok := m.(intersectionOf); ok {
			flat = append(flat, i.members...)
		} else {
			flat = append(flat, m)
		}
	}
	var kept []node
	seen := make(map[string]bool)
	merged := -1 // where in kept the merged object is
	objects := 0 // members that are objects in some form
	for _, m := range byKind(flat) {
		switch m := m.(type) {
		case top:
			continue
		case never:
			return never{}
		case object:
			objects++
			if merged >= 0 {
				kept[merged] = mergeObjects(kept[merged].(object), m)
				continue
			}
			merged = len(kept)
		default:
			if objectLike(m) {
				objects++
			}
			if key := fingerprint(m); seen[key] {
				continue
			} else {
				seen[key] = true
			}
		}
		kept = append(kept, m)
	}
	if merged >= 0 && objects > 1 && len(kept) > 1 && kept[merged].(object).anything {
		kept = slices.Delete(kept, merged, merged+1)
	}
	switch len(kept) {
	case 0:
		return top{}
	case 1:
		return kept[0]
	}
	return intersectionOf{kept}
}

// parts returns the members of a union, or the node itself.
func parts(n node) []node {
	if u, ok := n.(unionOf); ok {
		return u.members
	}
	return []node{n}
}

func mergeObjects(a, b object) object {
	if a.anything {
		a, b = b, a
	}
	if b.anything {
		return a
	}
	out := object{index: a.index, others: a.others, patterns: mergePatterns(a.patterns, b.patterns)}
	if out.index == nil {
		out.index, out.others = b.index, b.others
	}
	at := make(map[string]int)
	for _, p := range slices.Concat(a.props, b.props) {
		i, ok := at[p.name]
		if !ok {
			at[p.name] = len(out.props)
			out.props = append(out.props, p)
			continue
		}
		q := &out.props[i]
		q.typ = intersect(q.typ, p.typ)
		q.optional = q.optional && p.optional
		if q.doc.empty() {
			q.doc = p.doc
		}
	}
	if _, open := out.index.(top); out.index != nil && !open && len(out.props) > 0 {
		out.index, out.others = top{}, out.index // as in objectOf
	}
	slices.SortStableFunc(out.props, func(p, q property) int { return boolInt(p.optional) - boolInt(q.optional) })
	return out
}

// maxPatterns is how many patterns of names a comment tells about.
const maxPatterns = 8

func mergePatterns(a, b []property) []property {
	for _, p := range b {
		if len(a) < maxPatterns && !slices.ContainsFunc(a, func(q property) bool { return q.name == p.name }) {
			a = append(slices.Clip(a), p)
		}
	}
	return a
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// objectLike reports whether every value of n is an object, as far as a short
// look tells. A reference counts when its target does.
func objectLike(n node) bool { return newLook().objectLike(n) }

// allowsObject reports whether a value of n can be an object; it can for all that a
// short look tells.
func allowsObject(n node) bool { return newLook().allowsObject(n) }

// allOptional reports whether `{}` is a value of n, as far as a short look tells.
func allOptional(n node) bool { return newLook().allOptional(n) }

// A look follows the references of a type, each once and not too many: a
// question that is asked at many places of a hostile schema has to stay cheap.
type look struct {
	seen map[*alias]bool
	left int
}

func newLook() *look { return &look{seen: make(map[*alias]bool), left: 64} }

// enter reports whether the target of a reference is known and is to be followed.
func (l *look) enter(a *alias) bool {
	if a.body == nil || l.seen[a] || l.left == 0 {
		return false
	}
	l.seen[a] = true
	l.left--
	return true
}

func (l *look) objectLike(n node) bool {
	switch n := n.(type) {
	case object, requiring:
		return true
	case unionOf:
		return !slices.ContainsFunc(n.members, func(m node) bool { return !l.objectLike(m) })
	case intersectionOf:
		return slices.ContainsFunc(n.members, l.objectLike)
	case ref:
		return l.enter(n.alias) && l.objectLike(n.alias.body)
	}
	return false
}

func (l *look) allowsObject(n node) bool {
	switch n := n.(type) {
	case top, object, requiring:
		return true
	case unionOf:
		return slices.ContainsFunc(n.members, l.allowsObject)
	case intersectionOf:
		return !slices.ContainsFunc(n.members, func(m node) bool { return !l.allowsObject(m) })
	case ref:
		return !l.enter(n.alias) || l.allowsObject(n.alias.body)
	}
	return false
}

func (l *look) allOptional(n node) bool {
	switch n := n.(type) {
	case top:
		return true
	case object:
		return !slices.ContainsFunc(n.props, func(p property) bool { return !p.optional })
	case unionOf:
		return slices.ContainsFunc(n.members, l.allOptional)
	case intersectionOf:
		return !slices.ContainsFunc(n.members, func(m node) bool { return !l.allOptional(m) })
	case ref:
		return l.enter(n.alias) && l.allOptional(n.alias.body)
	}
	return false
}
