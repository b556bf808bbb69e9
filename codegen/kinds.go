package codegen

import "slices"

// A kind is what JSON Schema calls a type: no value is of two kinds.
type kind string

const (
	arrayKind  kind = "array"
	objectKind kind = "object"
)

// kindOf returns the kind of all values of n, "" if they are of several or it takes
// a look behind a name to know.
func kindOf(n node) kind {
	switch n := n.(type) {
	case prim:
		return kind(n)
	case literal:
		return kind(n.kind)
	case array, tuple:
		return arrayKind
	case object, requiring:
		return objectKind
	case unionOf:
		k := kindOf(n.members[0])
		if slices.ContainsFunc(n.members, func(m node) bool { return kindOf(m) != k }) {
			return ""
		}
		return k
	case intersectionOf:
		for _, m := range n.members {
			if k := kindOf(m); k != "" {
				return k
			}
		}
	}
	return ""
}

// whole reports whether every value of its kind is of n.
func whole(n node) bool {
	switch n := n.(type) {
	case prim:
		return true
	case array:
		return n.elem == node(top{})
	case object:
		return n.anything && len(n.props) == 0
	}
	return false
}

// byKind replaces the members of an intersection that are plain by what they have
// in common of each kind. TypeScript would find out that `({ a: A } | string) &
// ({ b: B } | string | null)` is `{ a: A; b: B } | string`; a reader should not have
// to. Members of one kind stay as they are, but for those that say nothing more.
func byKind(members []node) []node {
	var plain, rest []node
	at := 0 // the members of rest before the first plain one
	for _, m := range members {
		if slices.ContainsFunc(parts(m), func(part node) bool { return kindOf(part) == "" }) {
			rest = append(rest, m)
			continue
		}
		if len(plain) == 0 {
			at = len(rest)
		}
		plain = append(plain, m)
	}
	if len(plain) < 2 {
		return members
	}
	var kinds []kind
	for _, m := range plain {
		for _, part := range parts(m) {
			if k := kindOf(part); !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
	}
	var common []node
	for _, k := range kinds {
		sides := ofKind(plain, k)
		if len(kinds) == 1 && len(sides) == len(plain) {
			return members
		}
		common = append(common, intersect(sides...))
	}
	return slices.Insert(rest, at, union(common...))
}

// ofKind returns what each member has of the kind k, without those that let all
// of it pass where others do not, and never alone if one has none of it.
func ofKind(members []node, k kind) []node {
	var sides, all []node
	for _, m := range members {
		of := slices.DeleteFunc(slices.Clone(parts(m)), func(part node) bool { return kindOf(part) != k })
		switch {
		case len(of) == 0:
			return []node{never{}}
		case !slices.ContainsFunc(of, func(part node) bool { return !whole(part) }):
			all = append(all, union(of...))
		default:
			sides = append(sides, union(of...))
		}
	}
	if len(sides) == 0 {
		return all[:1]
	}
	return sides
}
